"""Corpora pooled over temperatures of one prompt: when they cannot reverse a positive correlation."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.arrays import expectation, normalised
from theory.claims.tan.worlds import random_world
from theory.covariance import between_and_within, covariance, tilted_slope
from theory.ledger import Evidence, at_least, at_most, claim, rejects

Floats = NDArray[np.float64]
TEMPERATURES = np.linspace(0.6, 1.4, 9)


@claim(
    "new.temperature-no-go",
    paper="tan",
    where="section 5.2 and 5.3, on corpora pooled over temperatures",
    kind="new result",
    statement="For schemes q_g ∝ p₊^g: if Cov_g(X, R) ≥ -min(Var X, Var R) at every g between them then B ≥ 0, so "
    "temperature cannot reverse a positive correlation within schemes. If only the prior is tempered, "
    "q_g ∝ p^g e^R, means move with slope Cov/Var X, of the sign that strings have.",
    verdict="holds",
    assumptions="global normalisation, one prompt",
)
def temperatures(rng: np.random.Generator) -> Evidence:
    worlds = [random_world(rng, n, depth, (1500,), float(rng.uniform(0.5, 2))) for n, depth in ((3, 1), (2, 2))]
    means_move, least_between, mild = [], [], []
    for world in worlds:
        x, r = world.prior.log_prob, world.reward / world.beta
        fine = np.linspace(1 / TEMPERATURES[-1], 1 / TEMPERATURES[0], 33)
        each = covariance(*_broadcast(_tempered(world.aligned.log_prob, fine), x, r))
        between = between_and_within(_tempered(world.aligned.log_prob, 1 / TEMPERATURES), x, r)[0]
        least_between.append(between.xr)
        means_move.append(np.all(each.xr >= -np.minimum(each.x, each.r), axis=-1))
        mild.append(np.all(each.xr >= -np.maximum(each.x, each.r), axis=-1))
    b, moving, mildly = (np.concatenate(part) for part in (least_between, means_move, mild))
    # Rounding of means of order 1.
    check = partial(at_least, oracle="means of nine temperatures by enumeration", tolerance=-1e-14)
    yield check("B where Cov ≥ -min(Var X, Var R) at 33 values of g", margins=b[moving])
    tilt = [np.abs(_prior_tempered_slope(world.prior.log_prob, world.reward / world.beta)) for world in worlds]
    slope = at_most(
        "slope of the means of p^g e^R less Cov/Var X",
        oracle="central differences",
        residuals=np.concatenate(tilt),
        tolerance=1e-4,  # a quotient of differences: h² times third derivatives over a variance above 1e-3
    )
    yield slope
    yield rejects("B ≥ 0 in every world", check("", margins=b))
    yield rejects("Cov ≥ -max(Var X, Var R) is enough", check("", margins=b[mildly]))


def _tempered(log_p: Floats, g: Floats) -> Floats:
    """The laws p^g / Z, one a value of g: [..., M] -> [..., G, M]."""
    return np.asarray(normalised(g[:, None] * log_p[..., None, :]))


def _broadcast(laws: Floats, x: Floats, r: Floats) -> tuple[Floats, Floats, Floats]:
    wide_x, wide_r = (np.broadcast_to(side[..., None, :], laws.shape) for side in (x, r))
    return laws, wide_x, wide_r


def _prior_tempered_slope(x: Floats, r: Floats) -> Floats:
    h = 1e-4
    law, below, above = (normalised(g * x + r) for g in (1.2, 1.2 - h, 1.2 + h))
    dx, dr = (expectation(above, side) - expectation(below, side) for side in (x, r))
    return np.asarray(dr / dx - tilted_slope(law, x, r))
