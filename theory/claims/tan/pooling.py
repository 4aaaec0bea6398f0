"""Covariance laws of corpora: one scheme never reverses the correlation of strings, several can."""

from functools import partial

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy.special import ndtr

from theory.arrays import expectation, normalised
from theory.covariance import between_and_within, covariance, mid_ranks, pearson, pooled, reversal_size
from theory.language_models import log_dirichlet
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.typicality import corpus_types, counted, type_log_probs

Floats = NDArray[np.float64]
EXACT = 1e-10  # sums over at most 2e4 compositions, each with log-factorials below 1e3


@claim(
    "new.no-go",
    paper="tan",
    where="section 5.3, on independent corpora",
    kind="new result",
    statement="N independent strings of one law, resamples of one sample included, have "
    "Cov(mean X, mean R) = Cov(X, R)/N, so corpora correlate as strings do at every N; conditioning on a typical set "
    "of fixed width changes nothing as N grows, and the rank correlation of corpora tends to (6/π) arcsin(ρ/2).",
    verdict="holds-with-assumption",
    assumptions="one law of strings (one scheme, one prompt distribution), finite variances",
)
def one_scheme(rng: np.random.Generator) -> Evidence:
    log_q, x, r = log_dirichlet(4, rng, batch=(400,)), *rng.normal(size=(2, 400, 4))
    log_q[::4] = -np.log(4)  # resamples of a sample of four
    strings = covariance(log_q, x, r)
    check = partial(at_most, oracle="exact multinomial law of the corpus", tolerance=EXACT)
    corpora = {size: _corpora(log_q, x, r, size) for size in (1, 2, 5, 12)}
    gaps = [np.abs(size * covariance(*law).xr - strings.xr) for size, law in corpora.items()]
    yield check("N Cov(mean X, mean R) = Cov(X, R)", residuals=np.concatenate(gaps))
    flat = covariance(np.full_like(log_q, -np.log(4)), x, r)
    rho = rng.uniform(-0.99, 0.99, 1000)
    # 80 nodes for a function that is steepest, slope 7, at ρ = 0.99.
    ranks = partial(at_most, oracle="Gauss-Hermite quadrature", tolerance=1e-6)
    yield ranks(
        "rank correlation of a Gaussian", residuals=np.abs(_gaussian_spearman(rho) - 6 / np.pi * np.arcsin(rho / 2))
    )
    three, x3, r3 = log_dirichlet(3, rng, 5.0, (1000,)), *rng.normal(size=(2, 1000, 3))
    few, sizes = (three[:50], x3[:50], r3[:50]), (10, 60, 360)
    limit = 6 / np.pi * np.arcsin(covariance(*few).correlation / 2)
    found = np.array([_rank_correlation(*_corpora(*few, size)) for size in sizes])
    # Each of the two ranks, between 0 and 1, errs by some 1/√N as the normal law does; the control is 3 and more off.
    tends = partial(at_most, oracle="exact multinomial law of the corpus", tolerance=2.0)
    root = np.sqrt(sizes)[:, None]
    yield tends(
        "√N times the rank correlation of corpora less its limit", residuals=(root * np.abs(found - limit)).ravel()
    )
    kendall = 2 / np.pi * np.arcsin(covariance(*few).correlation)
    yield rejects("the limit (2/π) arcsin ρ", tends("", residuals=(root * np.abs(found - kendall)).ravel()))
    wide = _typical_shift(three, x3, r3, size=60, width=9.0)
    narrow = _typical_shift(three[:60], x3[:60], r3[:60], size=60, width=0.3)
    # 9 standard deviations leave out 1e-18 of a Gaussian; the multinomial's heavier tail is still below 1e-8.
    typical = partial(at_most, oracle="exact multinomial law of the corpus", tolerance=1e-5)
    yield typical("change of correlation by a typical set 9 deviations wide", residuals=wide)
    yield rejects("the same for a set of 0.3 deviations", typical("", residuals=narrow))
    yield rejects("strings counted once each", check("", residuals=np.abs(flat.xr - strings.xr)))
    unscaled = np.abs(covariance(*corpora[5]).xr - strings.xr)
    yield rejects("Cov(X, R) without 1/N", check("", residuals=unscaled))
    yield rejects("(2/π) arcsin ρ", ranks("", residuals=np.abs(_gaussian_spearman(rho) - 2 / np.pi * np.arcsin(rho))))


@claim(
    "new.pooling-law",
    paper="tan",
    where="section 5.3, on corpora pooled over schemes",
    kind="new result",
    statement="Corpora of N strings pooled over schemes have covariance B + W/N, B that of the schemes' means and W "
    "the mean within a scheme. Strings are the case N = 1, so the sign turns from + to - iff B < 0 < B + W and "
    "N > N* = W/|B|.",
    verdict="holds",
)
def several_schemes(rng: np.random.Generator) -> Evidence:
    laws, x, r = log_dirichlet(3, rng, batch=(17_500, 2)), *rng.normal(size=(2, 17_500, 3))
    between, within = between_and_within(laws, x, r)
    few = slice(0, 3000)
    exact = {size: _pooled_exactly(laws[few], x[few], r[few], size) for size in (1, 2, 7, 20)}
    check = partial(at_most, oracle="exact multinomial laws of both schemes' corpora", tolerance=EXACT)
    gaps = [np.abs(pooled(between, within, size).xr[few] - cov) for size, cov in exact.items()]
    yield check("covariance = B + W/N", residuals=np.concatenate(gaps))
    threshold = reversal_size(between.xr, within.xr)
    turning = np.where(threshold < 40, np.floor(threshold), -1).astype(int)
    # At N*, rounded down; at the next size; and at half of N*.
    sizes = (turning, turning + 1, np.maximum(1, turning // 2))
    before, after, halfway = (_sized(laws[turning > 0], x[turning > 0], r[turning > 0], n[turning > 0]) for n in sizes)
    # Rounding of sums of order 1, were a covariance to vanish.
    sign = partial(at_least, oracle="exact multinomial laws of both schemes' corpora", tolerance=-1e-14)
    yield sign("covariance at N = ⌊N*⌋", margins=before)
    yield sign("-covariance at N = ⌊N*⌋ + 1", margins=-after)
    never = np.isinf(threshold[few]) & (exact[1] > 0)
    yield sign("covariance at N = 20 where N* = ∞ and strings have it positive", margins=exact[20][never])
    yield rejects("B + W at every N", check("", residuals=np.abs(exact[7] - (between.xr + within.xr)[few])))
    yield rejects("(B + W)/N", check("", residuals=np.abs(exact[7] - (between.xr + within.xr)[few] / 7)))
    yield rejects("the sign already turned at N*/2", sign("", margins=-halfway))


def _corpora(log_q: Floats, x: Floats, r: Floats, size: int) -> tuple[Floats, Floats, Floats]:
    counts = corpus_types(x.shape[-1], size)
    return type_log_probs(log_q, counts), counted(x, counts) / size, counted(r, counts) / size


def _typical_shift(log_q: Floats, x: Floats, r: Floats, size: int, width: float) -> Floats:
    """By how much the typical set for S = X + R, so many deviations of its mean wide, moves the correlation."""
    law, mean_x, mean_r = _corpora(log_q, x, r, size)
    s = mean_x + mean_r
    centre = expectation(law, s)[..., None]
    epsilon = width * np.sqrt(expectation(law, (s - centre) ** 2))[..., None]
    inside = normalised(np.where(np.abs(s - centre) < epsilon, law, -np.inf))
    return np.asarray(np.abs(covariance(inside, mean_x, mean_r).correlation - covariance(log_q, x, r).correlation))


def _rank_correlation(log_law: Floats, x: Floats, r: Floats) -> Floats:
    """Spearman's under a law with ties: Pearson's of P(X < x) + P(X = x)/2."""
    law = np.exp(log_law)
    return pearson(mid_ranks(x, law), mid_ranks(r, law), law)


def _gaussian_spearman(rho: Floats) -> Floats:
    """12 E[Φ(X) Φ(R)] - 3: given X, Φ(R) has mean Φ(ρX / sqrt(2 - ρ²))."""
    nodes, weights = hermegauss(80)
    inner = ndtr(rho[:, None] * nodes / np.sqrt(2 - rho[:, None] ** 2))
    return np.asarray(12 * (ndtr(nodes) * inner) @ weights / np.sqrt(2 * np.pi) - 3)


def _pooled_exactly(laws: Floats, x: Floats, r: Floats, size: int) -> Floats:
    first, second = (_corpora(laws[..., k, :], x, r, size) for k in (0, 1))
    both = (np.concatenate(pair, axis=-1) for pair in zip(first, second, strict=True))
    mixture, mean_x, mean_r = both
    return np.asarray(covariance(mixture - np.log(2), mean_x, mean_r).xr)


def _sized(laws: Floats, x: Floats, r: Floats, sizes: NDArray[np.int64]) -> Floats:
    """The covariance of each world's corpora at a size of its own, [B]."""
    found = np.empty(len(sizes))
    for size in np.unique(sizes):
        of = sizes == size
        found[of] = _pooled_exactly(laws[of], x[of], r[of], int(size))
    return found
