"""Theorem 3.4: temperature trades relative entropy against entropy."""

import numpy as np

from theory.adaptors import local
from theory.adaptors import temperature as temper
from theory.arrays import Array, normalised
from theory.certificates import log_partition
from theory.claims.optimality import (
    FLOOR,
    ROUNDING,
    Problem,
    certified,
    hard_cases,
    planted,
    rowwise,
    simplex,
)
from theory.guidance import controlled
from theory.information import cross_entropy, entropy, kl, renyi_entropy
from theory.ledger import Evidence, at_most, claim, rejects

TEMPERATURES = (0.1, 0.3, 0.8, 1.0, 2.0, 10.0)


def printed(log_pi: Array, log_p: Array, T: Array) -> Array:  # noqa: N803 (the field's symbol)
    """The first form, -(KL(pi || p) / T + (1/T - 1) H(pi))."""
    return -(kl(log_pi, log_p) / T + (1 / T - 1) * entropy(log_pi))


def interpolated(log_pi: Array, log_p: Array, T: Array) -> Array:  # noqa: N803
    """The second form, -(1/T) (T KL(pi || p) + (1 - T) CE(pi, p))."""
    return -(T * kl(log_pi, log_p) + (1 - T) * cross_entropy(log_pi, log_p)) / T


def policy(log_p: Array, T: float) -> Array:  # noqa: N803
    """The rule that samplers run: softmax of log p / T."""
    return local(temper(T), log_p)[0]


def problem(log_p: Array, T: Array) -> Problem:  # noqa: N803
    """A batch of Theorem 3.4's problems; u = (1/T - 1) log p, void where p = 0."""
    u = (1 / T - 1)[:, None] * np.where(np.isfinite(log_p), log_p, 0.0)
    return Problem(rowwise(policy, T, log_p), log_p, u, printed, (log_p, T))


@claim(
    "chang.thm3.4",
    paper="chang",
    where="Theorem 3.4",
    kind="theorem",
    statement="−(KL(π‖P_G)/T + (1/T−1) H(π)) and −(T KL(π‖P_G) + (1−T) CE(π,P_G))/T are one objective, and its "
    "maximiser is π ∝ P_G^(1/T), for every T > 0; the optimal value is −(1/T−1) H_(1/T)(P_G).",
    verdict="holds",
    assumptions="For T > 1 the entropy term is a bonus; off the support of P_G only the first form is defined there.",
)
def temperature(rng: np.random.Generator) -> Evidence:
    """Certificates and solvers on the sampler's rule; both forms; the optimal value; planted formulas."""
    log_p = simplex(rng, 1200, 5, 1e-6)
    T = np.resize(TEMPERATURES, len(log_p))  # noqa: N806
    wide = problem(log_p, T)
    yield from certified(wide, problem(simplex(rng, 1000, 4, FLOOR), np.resize(TEMPERATURES[1:], 1000)), rng)
    yield from hard_cases(rng, lambda p, _: problem(p, np.resize(TEMPERATURES, len(p))))
    log_pi = normalised(rng.normal(size=log_p.shape))
    first, second = printed(log_pi, log_p, T), interpolated(log_pi, log_p, T)
    yield at_most(
        "both printed forms agree", oracle="random policies", residuals=np.abs(first - second), tolerance=ROUNDING
    )
    unequal = -(T * kl(log_pi, log_p) + (1 - T) * entropy(log_pi)) / T
    gaps = np.abs(first - unequal)
    yield rejects("entropy for cross-entropy", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    values = [
        log_partition(log_p, (1 / t - 1) * log_p) + (1 / t - 1) * renyi_entropy(log_p, 1 / t) for t in TEMPERATURES
    ]
    yield at_most("J* = −(1/T−1) H_(1/T)", oracle="Rényi", residuals=np.abs(np.ravel(values)), tolerance=ROUNDING)
    power = 1 / T[:, None]
    wrong = {
        "P_G^T for P_G^(1/T)": rowwise(policy, 1 / T, log_p),
        "exponent 1/T + 0.05": normalised((power + 0.05) * log_p),
        "factor P_G dropped": normalised((power - 1) * log_p),
        "P_G in the place of log P_G": rowwise(controlled, power[:, 0] - 1, log_p, np.exp(log_p)),
        "sign of the exponent inverted": normalised((2 - power) * log_p),
    }
    yield from planted(wide, wrong, rng)
