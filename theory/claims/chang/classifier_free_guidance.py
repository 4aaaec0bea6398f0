"""Theorem 3.2: classifier-free guidance maximises the evidence's log-ratio under a relative-entropy penalty."""

import numpy as np

from theory.arrays import Array, expectation, normalised
from theory.certificates import log_partition
from theory.claims.optimality import (
    EXPONENTS,
    FLOOR,
    MILD,
    ROUNDING,
    Problem,
    certified,
    hard_cases,
    identity,
    planted,
    rowwise,
    simplex,
)
from theory.guidance import classifier_free_guidance, controlled
from theory.information import kl
from theory.ledger import Evidence, at_most, claim, rejects

DISOBEYING = (-5.0, -2.0, -1.0, -0.5, 0.0)
"""Strengths <= 0: at -1 the model without the evidence itself, below that P_G with a negative exponent."""


def printed(log_pi: Array, log_p: Array, log_p_without: Array, lam: Array) -> Array:
    """lambda E_pi log(p / p^-) - KL(pi || p)."""
    inside = np.isfinite(log_p)
    ratio = np.where(inside, log_p, 0.0) - np.where(inside, log_p_without, 0.0)
    return lam * expectation(log_pi, ratio) - kl(log_pi, log_p)


def problem(log_p: Array, log_p_without: Array, lam: Array) -> Problem:
    """A batch of Theorem 3.2's problems, with the policy of `theory.guidance`; u is void where p = 0."""
    inside = np.isfinite(log_p)
    u = lam[:, None] * (np.where(inside, log_p, 0.0) - log_p_without)
    policy = rowwise(classifier_free_guidance, lam, log_p, log_p_without)
    return Problem(policy, log_p, u, printed, (log_p, log_p_without, lam))


def mild(rng: np.random.Generator) -> Problem:
    """A thousand well-scaled instances over four tokens, for the solvers."""
    return problem(simplex(rng, 1000, 4, FLOOR), simplex(rng, 1000, 4, FLOOR), np.resize([*MILD, -0.5], 1000))


@claim(
    "chang.thm3.2",
    paper="chang",
    where="Theorem 3.2",
    kind="theorem",
    statement="With P_G⁻ = P_G(·|s⁻), the model without the evidence, the maximiser of λ E_π log(P_G/P_G⁻) − "
    "KL(π‖P_G) is π ∝ P_G^(1+λ) (P_G⁻)^(−λ), for every real λ; the optimal value is λ times the Rényi divergence of "
    "order 1+λ of P_G from P_G⁻.",
    verdict="holds-with-assumption",
    assumptions="Every token that P_G allows has positive probability without the evidence (else the value is +∞).",
)
def classifier_free(rng: np.random.Generator) -> Evidence:
    """Certificates and solvers on random pairs; impossible tokens; the optimal value; five planted formulas."""
    log_p, log_p_without = simplex(rng, 1000, 5, 1e-6), simplex(rng, 1000, 5, 1e-6)
    lam = np.resize([*EXPONENTS, -0.5], 1000)
    wide = problem(log_p, log_p_without, lam)
    yield from certified(wide, mild(rng), rng)
    yield from hard_cases(rng, lambda p, p_without: problem(p, p_without, lam))
    any_real = problem(log_p, log_p_without, np.resize(DISOBEYING, len(lam)))
    yield identity("any real λ, also where it inverts P_G", any_real, rng)
    # Renyi's divergence by its definition in probabilities, not log-probabilities.
    power = np.exp(log_p) ** (1 + lam[:, None]) * np.exp(log_p_without) ** (-lam[:, None])
    value = log_partition(log_p, wide.u)
    gaps = np.abs(value - np.log(power.sum(axis=-1)))
    yield at_most("J* = λ D_(1+λ)(P_G‖P_G⁻)", oracle="definition", residuals=gaps, tolerance=ROUNDING)
    gaps = np.abs(value - lam * kl(log_p, log_p_without))
    yield rejects("J* = λ KL(P_G‖P_G⁻)", at_most("", oracle="", residuals=gaps, tolerance=1e-3))
    wrong = {
        "exponent λ + 0.05": rowwise(classifier_free_guidance, lam + 0.05, log_p, log_p_without),
        "exponent 1/λ": rowwise(classifier_free_guidance, 1 / lam, log_p, log_p_without),
        "factor P_G dropped": normalised(wide.u),
        "ratio in the place of its logarithm": rowwise(controlled, lam, log_p, np.exp(log_p - log_p_without)),
        "ratio inverted": rowwise(classifier_free_guidance, -lam, log_p, log_p_without),
    }
    yield from planted(wide, wrong, rng)
