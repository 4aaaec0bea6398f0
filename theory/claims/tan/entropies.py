"""Appendices C and D: a tight model of infinite entropy, and the slope of the Rényi entropy."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.arrays import normalised
from theory.claims.tan.worlds import Geometric
from theory.families import log_telescoping
from theory.information import kl, renyi_entropy, varentropy
from theory.language_models import log_dirichlet
from theory.ledger import Evidence, at_least, at_most, claim, rejects

Floats = NDArray[np.float64]
H = 1e-4
DIFFERENCE = 1e-5  # central differences err by H² times a third derivative, and by rounding 1e-15 / H


@claim(
    "tan.prop2",
    paper="tan",
    where="Appendix C, Example 2 and Proposition 2",
    kind="proposition",
    statement="p(aⁿ) = 1/log₂(n+2) - 1/log₂(n+3), n ≥ 0, is tight, with tail 1/log₂(N+2), and H = ∞: the terms obey "
    "-p log p ≥ log 2 / ((n+3) log(n+3)) for n ≥ 1, so the first N of them sum to at least "
    "log 2 (log log(N+4) - log log 4).",
    verdict="holds",
)
def infinite_entropy(rng: np.random.Generator) -> Evidence:
    n = np.arange(10**6, dtype=float)
    log_p = log_telescoping(n)
    # From n = 1 on, as p(a^0) > 1/e, beyond which -x log x falls; and far out where no sum can follow.
    points = np.concatenate([n[1:], 10 ** rng.uniform(6, 300, 10_000)])
    yield at_most(
        "1 - mass of the first N strings = 1/log₂(N + 2), for N to 10⁶",
        oracle="telescoping sum",
        residuals=np.abs(1 - np.cumsum(np.exp(log_p)) - 1 / np.log2(n + 3)),
        tolerance=1e-9,  # a sum of 1e6 terms, each rounded
    )
    yield at_least(
        "log of a term of H over its lower bound",
        oracle="termwise, in log space",
        margins=_log_term(log_telescoping(points)) - _log_floor(points),
        tolerance=0.0,  # strict by analysis: log(1 + 1/(n+2)) > 1/(n+3); the smallest margin is far above rounding
    )
    sums, floors = np.cumsum(-np.exp(log_p) * log_p)[1:], np.log(2) * (np.log(np.log(n[1:] + 4)) - np.log(np.log(4)))
    yield at_least(
        "partial sums of H less log 2 (log log(N+4) - log log 4)",
        oracle="summation to 10⁶",
        margins=sums - floors,
        tolerance=0.0,  # the bound leaves the first term, 0.37, aside
    )
    # log log N of N = 10^(10^k) is k log 10 + log log 10: any level is passed.
    certified = np.log(2) * (np.array([2, 6, 12, 100]) * np.log(10) + np.log(np.log(10)) - np.log(np.log(4)))
    level = Geometric(2, 0.3).entropy
    yield at_least(
        "certified entropy after 10^(10^k) strings, k = 2, 6, 12, 100, over log 2 · k log 10",
        oracle="integral bound, limit sequence",
        margins=certified / (np.log(2) * np.log(10) * np.array([2, 6, 12, 100])),
        tolerance=1,  # so it outgrows every constant
    )
    yield rejects("a geometric model passes them too", at_least("", oracle="", margins=level - certified, tolerance=0))
    lighter = normalised(-2 * np.log(n + 2))
    margins = _log_term(lighter[1:]) - _log_floor(n[1:])
    yield rejects("p ∝ 1/(n+2)² obeys the termwise bound", at_least("", oracle="", margins=margins, tolerance=0.0))


@claim(
    "tan.prop4",
    paper="tan",
    where="Proposition 4",
    kind="proposition",
    statement="dH_α/dα = -KL(p_α ‖ p)/(1-α)², with the escort p_α ∝ p^α, and -V(p)/2 at α = 1: H_α does not "
    "increase, and falls strictly unless p is uniform on its support.",
    verdict="holds-with-assumption",
    assumptions="H_α is finite near α; the text's derivative 'is 0' must read '≤ 0'",
)
def renyi_slope(rng: np.random.Generator) -> Evidence:
    log_p = log_dirichlet(8, rng, batch=(1000,))
    check = partial(at_most, oracle="central differences", tolerance=DIFFERENCE)
    alphas = (0.3, 0.6, 1.5, 3.0)
    slopes = [(_difference(log_p, alpha), kl(normalised(alpha * log_p), log_p) / (1 - alpha) ** 2) for alpha in alphas]
    yield check("slope = -KL(p_α ‖ p)/(1-α)²", residuals=np.concatenate([np.abs(d + f) for d, f in slopes]))
    at_one = _difference(log_p, 1.0)
    yield check("slope at 1 = -V/2", residuals=np.abs(at_one + varentropy(log_p) / 2))
    yield at_least(
        "H_α - H_α' for α < α' on random models",
        oracle="evaluation on a grid",
        margins=np.concatenate([_fall(log_p, alpha, alpha + 0.2) for alpha in (0.0, 0.3, 0.9, 1.0, 2.0)]),
        tolerance=1e-12,  # strictly above rounding
    )
    # Uniform on 1 to 1,000 of 1,000 strings, the rest impossible.
    flat = normalised(np.where(np.tri(1000, dtype=bool), 0.0, -np.inf))
    yield at_most(
        "no fall on laws uniform on their support",
        oracle="closed form",
        residuals=np.abs(_fall(flat, 0.3, 2.0)),
        tolerance=1e-12,
    )
    swapped = [kl(log_p, normalised(alpha * log_p)) for alpha in alphas]
    reverse = np.concatenate([np.abs(d + wrong) for (d, _), wrong in zip(slopes, swapped, strict=True)])
    yield rejects("KL(p ‖ p_α), undivided", check("", residuals=reverse, tolerance=1e-3))
    yield rejects("derivative 0", check("", residuals=np.abs(at_one), tolerance=1e-3))
    yield rejects("-V at 1", check("", residuals=np.abs(at_one + varentropy(log_p)), tolerance=1e-3))


def _log_term(log_p: Floats) -> Floats:
    return log_p + np.log(-log_p)


def _log_floor(n: Floats) -> Floats:
    return np.asarray(np.log(np.log(2)) - np.log(n + 3) - np.log(np.log(n + 3)))


def _difference(log_p: Floats, alpha: float) -> Floats:
    return np.asarray((renyi_entropy(log_p, alpha + H) - renyi_entropy(log_p, alpha - H)) / (2 * H))


def _fall(log_p: Floats, low: float, high: float) -> Floats:
    return np.asarray(renyi_entropy(log_p, low) - renyi_entropy(log_p, high))
