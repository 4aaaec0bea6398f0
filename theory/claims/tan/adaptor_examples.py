"""Examples 3 to 7: the transform functions, against a search over every subset of the tokens."""

from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import Adaptor, ancestral, compose, eta, locally_typical, nucleus, temperature, top_k
from theory.information import entropy
from theory.language_models import log_dirichlet
from theory.ledger import Evidence, at_least, at_most, claim, rejects

Floats = NDArray[np.float64]
TOKENS = 6
SUBSETS = np.array(list(product([False, True], repeat=TOKENS))[1:])  # all but the empty one
TAU = 0.7
EXACT = 1e-12  # sums of six probabilities


@claim(
    "tan.ex3-7",
    paper="tan",
    where="Appendix E.1, Examples 3 to 7, and equation 40",
    kind="example",
    statement="Identity and p^{1/T} scale; top-k keeps the k-subset of greatest mass, nucleus(π) the fewest tokens of "
    "mass ≥ π, locally typical(τ) the shortest run of tokens in the order of |log p + H| with mass ≥ τ, "
    "η-sampling the tokens with p ≥ min(ε, √ε e^{-H}), never none of them.",
    verdict="holds-with-assumption",
    assumptions="ties go to the lower token, p = η is kept; order matters but for top-k with temperature. The typical "
    "run does not minimise Σ|log p + H| over the sets of mass ≥ τ, a knapsack",
)
def transforms(rng: np.random.Generator) -> Evidence:
    log_p = log_dirichlet(TOKENS, rng, batch=(1000,))
    mass, size = np.exp(log_p) @ SUBSETS.T, SUBSETS.sum(axis=-1)
    distance = np.abs(log_p + np.asarray(entropy(log_p))[:, None])
    check = partial(at_most, oracle="search over all 63 subsets", tolerance=EXACT)
    yield check("ancestral: f(p) = p", residuals=np.abs(ancestral()(log_p) - log_p).max(axis=-1))
    scaled = np.exp(log_p) ** (1 / 0.7)
    relative = np.abs(np.exp(temperature(0.7)(log_p)) / scaled - 1).max(axis=-1)
    yield check("temperature: f(p) = p^{1/T}, relative", residuals=relative)
    kept = [_kept(top_k(k), log_p) for k in range(1, TOKENS + 1)]
    greatest = [np.where(size == k, mass, 0.0).max(axis=-1) for k in range(1, TOKENS + 1)]
    short = [best - _mass(log_p, chosen) for best, chosen in zip(greatest, kept, strict=True)]
    yield check("top-k: greatest mass of a k-subset less the mass kept", residuals=np.concatenate(short))
    sizes = [np.abs(chosen.sum(-1) - k) for k, chosen in enumerate(kept, start=1)]
    yield check("top-k: k tokens", residuals=np.concatenate(sizes))
    fewest = np.where(mass >= TAU, size, TOKENS).min(axis=-1)
    core = _kept(nucleus(TAU), log_p)
    yield check("nucleus: tokens kept less the fewest with mass ≥ π", residuals=np.abs(core.sum(-1) - fewest))
    heaviest = np.where(size == fewest[:, None], mass, 0.0).max(axis=-1)
    yield check("nucleus: the heaviest such set", residuals=np.abs(_mass(log_p, core) - heaviest))
    typical = _kept(locally_typical(TAU), log_p)
    run = _is_run(distance)
    shortest = np.where(run & (mass >= TAU), size, TOKENS).min(axis=-1)
    yield check("typical: tokens kept less the shortest run", residuals=np.abs(typical.sum(-1) - shortest))
    outside = np.where(typical, np.inf, distance).min(axis=-1) - np.where(typical, distance, -np.inf).max(axis=-1)
    # An order: no two distances of random rows are equal.
    yield at_least(
        "typical: nearest token cut less farthest kept", oracle="order of |log p + H|", margins=outside, tolerance=0.0
    )
    epsilons = (0.9, 0.5, 0.1, 0.01)
    yield check(
        "η: kept tokens are those with p ≥ η",
        residuals=np.concatenate([_eta_error(log_p, epsilon) for epsilon in epsilons]),
    )
    top = [log_p.max(axis=-1) - np.log(_threshold(log_p, epsilon)) for epsilon in epsilons]
    # max p >= e^-H >= η / √ε: the smallest margin is -log(0.9)/2 = 0.05.
    yield at_least("η: log max p - log η", oracle="max p ≥ e^{-H}", margins=np.concatenate(top), tolerance=0.05)
    commuted = [_swap(top_k(k), temperature(t), log_p) for k in (1, 2, 4) for t in (0.5, 2.0)]
    yield check("top-k and temperature commute", residuals=np.concatenate(commuted))
    yield from _controls(log_p, mass, distance, typical)


def _controls(log_p: Floats, mass: Floats, distance: Floats, typical: NDArray[np.bool_]) -> Evidence:
    check = partial(at_most, oracle="search over all 63 subsets", tolerance=1e-6)
    least = np.where(mass >= TAU, distance @ SUBSETS.T, np.inf).min(axis=-1)
    yield rejects(
        "the typical run minimises Σ|log p + H|", check("", residuals=np.where(typical, distance, 0).sum(-1) - least)
    )
    for name, adaptor in (("nucleus", nucleus(TAU)), ("typical", locally_typical(TAU)), ("η", eta(0.2))):
        yield rejects(f"{name} and temperature commute", check("", residuals=_swap(adaptor, temperature(2.0), log_p)))
    uniform = np.full((1, 4), -np.log(4))
    strict = np.exp(uniform) > _threshold(uniform, 1.0)
    none_kept = at_least("", oracle="", margins=strict.sum(-1), tolerance=1.0)
    yield rejects("p > η, strictly, on a uniform row at ε = 1", none_kept)
    smaller = _kept(nucleus(TAU), log_p).sum(-1) - _kept(nucleus(0.5), log_p).sum(-1)
    yield rejects("the nucleus of another mass", check("", residuals=smaller))


def _kept(adaptor: Adaptor, log_p: Floats) -> NDArray[np.bool_]:
    return np.asarray(adaptor(log_p) > -np.inf)


def _mass(log_p: Floats, kept: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.where(kept, np.exp(log_p), 0.0).sum(axis=-1))


def _is_run(distance: Floats) -> NDArray[np.bool_]:
    """Which subsets hold the tokens of least distance, and no others: [..., V] -> [..., subsets]."""
    inside = np.where(SUBSETS, distance[..., None, :], -np.inf).max(axis=-1)
    outside = np.where(SUBSETS, np.inf, distance[..., None, :]).min(axis=-1)
    return np.asarray(inside <= outside)


def _threshold(log_p: Floats, epsilon: float) -> Floats:
    """η = min(ε, √ε e^{-H}), from probabilities."""
    p = np.exp(log_p)
    return np.asarray(np.minimum(epsilon, np.sqrt(epsilon) * np.exp((p * np.log(p)).sum(axis=-1))))


def _eta_error(log_p: Floats, epsilon: float) -> Floats:
    """The number of tokens on which adaptor and threshold disagree; a token within rounding of it may go either way."""
    threshold = _threshold(log_p, epsilon)[..., None]
    clear = np.abs(np.exp(log_p) - threshold) > EXACT
    return np.asarray(np.sum(clear & (_kept(eta(epsilon), log_p) != (np.exp(log_p) >= threshold)), axis=-1))


def _swap(first: Adaptor, second: Adaptor, log_p: Floats) -> Floats:
    """How far the two orders are apart, in probability."""
    one, other = (np.exp(compose(*pair)(log_p)) for pair in ((first, second), (second, first)))
    return np.asarray(np.abs(one - other).max(axis=-1))
