"""Theorem 3.3: a temperature that falls as the evidence speaks."""

import numpy as np
from scipy.special import rel_entr

from theory.adaptors import local, temperature
from theory.arrays import Array, normalised
from theory.certificates import log_partition
from theory.claims.optimality import (
    FLOOR,
    ROUNDING,
    Problem,
    certified,
    hard_cases,
    identity,
    planted,
    rowwise,
    simplex,
)
from theory.guidance import controlled, greedy, kl_guided_temperature
from theory.information import entropy, kl, renyi_entropy
from theory.ledger import Evidence, at_most, claim

WEIGHTS = (-2.0, -1.0, -0.5, 0.0, 0.3, 5.0)
SIGMAS = (0.5, 1.0, 2.0, 4.0)


def printed(log_pi: Array, log_p: Array, weight: Array) -> Array:
    """-((lambda + 1) KL(pi || p) + lambda H(pi))."""
    return -((weight + 1) * kl(log_pi, log_p) + weight * entropy(log_pi))


def problem(log_p: Array, weight: Array, log_policy: Array) -> Problem:
    """A batch of Theorem 3.3's problems with lambda = `weight`; u = lambda log p, void where p = 0."""
    u = weight[:, None] * np.where(np.isfinite(log_p), log_p, 0.0)
    return Problem(log_policy, log_p, u, printed, (log_p, weight))


def guided(log_p: Array, log_p_without: Array, sigma: Array) -> Problem:
    """The problems whose lambda is h(KL(p || p^-)), h(x) = 2^(x/sigma) - 1, with the rule that we run."""
    divergence = rel_entr(np.exp(log_p), np.exp(log_p_without)).sum(axis=-1)
    return problem(log_p, 2 ** (divergence / sigma) - 1, rowwise(kl_guided_temperature, sigma, log_p, log_p_without))


def draw(rng: np.random.Generator, batch: int, size: int, floor: float) -> tuple[Array, Array, Array]:
    """Random p, a p^- whose evidence is worth a fraction of a nat, and the sigmas in turn."""
    log_p = simplex(rng, batch, size, floor)
    return log_p, normalised(log_p + rng.normal(scale=0.5, size=log_p.shape)), np.resize(SIGMAS, batch)


@claim(
    "chang.thm3.3",
    paper="chang",
    where="Theorem 3.3, appendix B.2",
    kind="theorem",
    statement="The maximiser of −((λ+1) KL(π‖P_G) + λ H(π)) is π ∝ P_G^(λ+1) for every real λ, in particular for "
    "λ = h(KL(P_G‖P_G⁻)) with h(x) = 2^(x/σ) − 1; the optimal value is −λ times the Rényi entropy of order 1+λ.",
    verdict="holds",
)
def kl_guided(rng: np.random.Generator) -> Evidence:
    """Certificates and solvers on the rule we run; any real lambda; both limits; planted formulas."""
    log_p, log_p_without, sigma = draw(rng, 1000, 5, 1e-6)
    wide = guided(log_p, log_p_without, sigma)
    yield from certified(wide, guided(*draw(rng, 1000, 4, FLOOR)), rng)
    yield from hard_cases(rng, lambda p, p_without: guided(p, p_without, np.full(len(p), max(SIGMAS))))
    weight = np.resize(WEIGHTS, len(log_p))
    any_real = problem(log_p, weight, normalised((weight + 1)[:, None] * log_p))
    yield identity("any real λ, also one that no increasing h ≥ 0 gives", any_real, rng)
    gaps = [log_partition(log_p, lam * log_p) + lam * renyi_entropy(log_p, 1 + lam) for lam in WEIGHTS if lam >= -1]
    yield at_most("J* = −λ H_(1+λ)(P_G)", oracle="Rényi", residuals=np.abs(np.ravel(gaps)), tolerance=ROUNDING)
    cooled = rowwise(lambda p, value: local(temperature(value), p)[0], 1 / (1 + wide.data[1]), log_p)
    gaps = np.abs(cooled - wide.log_policy).max(axis=-1)
    yield at_most("the temperature is 2^(−KL/σ)", oracle="temperature", residuals=gaps, tolerance=ROUNDING)
    contradicted = np.where(np.arange(log_p.shape[1]) == 0, -np.inf, log_p_without)
    gaps = np.abs(np.exp(kl_guided_temperature(log_p, contradicted, 1.0)) - np.exp(greedy(log_p))).max(axis=-1)
    yield at_most("greedy where KL(P_G‖P_G⁻) is infinite", oracle="greedy", residuals=gaps, tolerance=0.0)
    gaps = np.abs(kl_guided_temperature(log_p, log_p, 1.0) - log_p).max(axis=-1)
    yield at_most("P_G itself where the evidence says nothing", oracle="P_G", residuals=gaps, tolerance=ROUNDING)
    power = 1 + wide.data[1][:, None]
    wrong = {
        "exponent λ + 1.05": normalised((power + 0.05) * log_p),
        "exponent 1/(λ + 1)": normalised(log_p / power),
        "factor P_G dropped": normalised((power - 1) * log_p),
        "P_G in the place of log P_G": rowwise(controlled, power[:, 0] - 1, log_p, np.exp(log_p)),
        "KL(P_G⁻‖P_G) for KL(P_G‖P_G⁻)": normalised(
            2 ** (kl(log_p_without, log_p) / sigma)[:, None] * log_p,
        ),
        "sign of λ inverted": normalised((2 - power) * log_p),
    }
    yield from planted(wide, wrong, rng)
