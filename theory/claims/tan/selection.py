"""What spreading corpora over bands of mean X does to a correlation, and what a change of metric does."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.arrays import expectation, normalised
from theory.claims.tan.worlds import random_world
from theory.covariance import between_and_within, covariance, mid_ranks, pearson, pooled, tilted_slope
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.typicality import corpus_types, counted, type_log_probs

Floats = NDArray[np.float64]
BANDS = np.linspace(-0.1, 0.1, 10)  # of θ, in units of 1 / sd(X): mean X moves by a tenth of a deviation
H = 1e-4


@claim(
    "new.bands",
    paper="tan",
    where="section 6.1, on corpora spread over bands of mean log p",
    kind="new result",
    statement="Moving a law along bands of mean X, q_θ ∝ q e^{θX}, moves mean R with slope Cov/Var X, not -β. Corpora "
    "spread evenly over the bands have a correlation that grows with N to that of the bands' means, close to 1 in "
    "size, of the sign of Cov_q(X, R), be it plus or minus.",
    verdict="holds-with-assumption",
    assumptions="bands so narrow that the correlation keeps its sign and is not near 0 in any of them",
)
def bands(rng: np.random.Generator) -> Evidence:
    world = random_world(rng, 2, 2, (2500,), float(rng.uniform(0.5, 2)))
    q, x, r = world.aligned.log_prob, world.prior.log_prob, world.reward / world.beta
    strings = covariance(q, x, r)
    theta = BANDS / np.sqrt(strings.x)[:, None]
    laws = normalised(q[:, None, :] + theta[..., None] * x[:, None, :])
    between, within = between_and_within(laws, x, r)
    each = covariance(laws, *(np.broadcast_to(side[:, None, :], laws.shape) for side in (x, r))).correlation
    clear = np.min(each * np.sign(strings.xr)[:, None], axis=-1) > 0.3
    slope = partial(at_most, oracle="central differences", tolerance=1e-5)  # h² times third derivatives below 1e3
    exact, numeric = tilted_slope(q, x, r), _slope(q, x, r)
    yield slope("dE[R]/dE[X] = Cov/Var X along the bands", residuals=np.abs(numeric - exact)[strings.x > 1e-2])
    sign = partial(at_least, oracle="means of ten bands by enumeration")
    large = pooled(between, within, 10**6).correlation
    signed = large * np.sign(strings.xr)
    # Ten means on a line that bends by as much as the slope changes over a tenth of a deviation; strings have .3 up.
    yield sign("correlation at N = 10⁶, in the sign of Cov_q", margins=signed[clear], tolerance=0.8)
    grows = signed - np.sign(strings.xr) * pooled(between, within, 100).correlation
    room = clear & (np.abs(strings.correlation) < 0.8)
    yield sign("its growth from N = 100 where strings have it below .8", margins=grows[room], tolerance=0.0)
    yield rejects("slope -β", slope("", residuals=np.abs(numeric + 1)))
    yield rejects("a negative correlation whatever the reward", sign("", margins=-large[clear], tolerance=0.8))
    yield rejects("size near 1 for strings", sign("", margins=np.abs(strings.correlation[clear]), tolerance=0.8))


@claim(
    "new.metric-switch",
    paper="tan",
    where="section 7, rank correlation of strings beside Pearson's of corpora",
    kind="new result",
    statement="Pearson's correlation is the same for strings and corpora of a law, while the rank correlation of "
    "corpora tends to (6/π) arcsin(ρ/2) of Pearson's ρ: a law with rank correlation > 0 and ρ < 0 shows a reversal "
    "when strings are measured by ranks and corpora by Pearson, though no string's law has changed.",
    verdict="holds",
)
def metric_switch(rng: np.random.Generator) -> Evidence:
    log_q, x, r = _outlier_laws(rng, 1000)
    counts = corpus_types(3, 40)
    law, mean_x, mean_r = type_log_probs(log_q, counts), counted(x, counts), counted(r, counts)
    strings, corpora = covariance(log_q, x, r).correlation, covariance(law, mean_x, mean_r).correlation
    ranks, corpus_ranks = _rank_correlation(log_q, x, r), _rank_correlation(law, mean_x, mean_r)
    margin = partial(at_least, oracle="enumeration of strings and of compositions")
    # The laws are built with ranks above .3, and Pearson's far below zero: signs beyond doubt.
    yield margin("rank correlation of strings", margins=ranks, tolerance=0.1)
    yield margin("minus Pearson's of strings", margins=-strings, tolerance=0.1)
    yield margin("minus the rank correlation of corpora of 40", margins=-corpus_ranks, tolerance=0.05)
    # Quotients of variances over 861 compositions.
    same = partial(at_most, oracle="exact multinomial law of the corpus", tolerance=1e-10)
    yield same("Pearson's of corpora less Pearson's of strings", residuals=np.abs(corpora - strings))
    yield rejects("the rank correlation is the same at both levels", same("", residuals=np.abs(corpus_ranks - ranks)))
    yield rejects("Pearson's has the sign of the ranks", margin("", margins=strings * np.sign(ranks), tolerance=0.1))


def _slope(q: Floats, x: Floats, r: Floats) -> Floats:
    below, above = normalised(q - H * x), normalised(q + H * x)
    dx, dr = (expectation(above, side) - expectation(below, side) for side in (x, r))
    return np.asarray(dr / dx)


def _outlier_laws(rng: np.random.Generator, batch: int) -> tuple[Floats, Floats, Floats]:
    """Two common strings of which the likelier is the better, and a rare one, by far the likeliest and the worst."""
    rare, share = rng.uniform(0.03, 0.1, batch), rng.uniform(0.4, 0.6, batch)
    log_q = np.log(np.stack([(1 - rare) * share, (1 - rare) * (1 - share), rare], axis=-1))
    zero, one, far = np.zeros(batch), np.ones(batch), rng.uniform(5, 8, (2, batch))
    return log_q, np.stack([zero, one, far[0]], axis=-1), np.stack([zero, one, -far[1]], axis=-1)


def _rank_correlation(log_q: Floats, x: Floats, r: Floats) -> Floats:
    """Spearman's under the law: Pearson's of P(X < x) + P(X = x)/2."""
    law = np.exp(log_q)
    return pearson(mid_ranks(x, law), mid_ranks(r, law), law)
