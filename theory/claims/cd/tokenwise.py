"""Controlled decoding's tokenwise rule is the argmax of its objective; equation 12 of the proof lost a constant."""

import numpy as np

from theory.arrays import Array, expectation, normalised
from theory.certificates import log_partition
from theory.claims.cd.two_steps import TwoSteps, two_steps
from theory.claims.optimality import (
    EXPONENTS,
    FLOOR,
    MILD,
    ROUNDING,
    Problem,
    certified,
    hard_cases,
    planted,
    rowwise,
)
from theory.guidance import classifier_guidance, controlled
from theory.information import kl
from theory.ledger import Evidence, at_least, at_most, claim, rejects


def printed(log_pi: Array, log_p: Array, values: Array, value: Array, lam: Array) -> Array:
    """Equation 2: lambda A(pi) - KL(pi || p), with the advantage A(pi) = E_pi V*(z) - V*."""
    return lam * (expectation(log_pi, values) - value) - kl(log_pi, log_p)


def problem(world: TwoSteps, lam: Array) -> Problem:
    """The choice of the first token in each world, with the policy of `theory.guidance`."""
    u = lam[:, None] * (world.values - world.value[:, None])
    policy = rowwise(controlled, lam, world.log_first, world.values)
    return Problem(policy, world.log_first, u, printed, (world.log_first, world.values, world.value, lam))


@claim(
    "cd.thm2.1",
    paper="cd",
    where="Theorem 2.1",
    kind="theorem",
    statement="At each prefix the unique maximiser of λ A(π) − KL(π‖p), A(π) = E_π V*(z) − V*, is "
    "π ∝ p(z) e^(λ V*(z)), V* being the expected reward under the base model; the optimal value "
    "log E_p e^(λ(V*(z) − V*)) is never negative.",
    verdict="holds",
    assumptions="Finite alphabet and finite V*; the objective is strictly concave (the proof says convex).",
)
def theorem(rng: np.random.Generator) -> Evidence:
    """Certificates and solvers on two-step worlds; impossible tokens; lambda = 0; planted formulas."""
    world, lam = two_steps(rng, 1000, 5, 1e-6, -3.0, 3.0), np.resize(EXPONENTS, 1000)
    wide = problem(world, lam)
    mild = problem(two_steps(rng, 1000, 4, FLOOR, -1.0, 1.0), np.resize(MILD, 1000))
    yield from certified(wide, mild, rng)
    yield from hard_cases(rng, lambda p, q: problem(_valued(p, np.exp(q), world.log_second), lam))
    debts = np.maximum(0.0, -log_partition(world.log_first, wide.u))
    yield at_most("the optimal value is never negative", oracle="Jensen", residuals=debts, tolerance=ROUNDING)
    gaps = np.abs(controlled(world.log_first, world.values, 0.0) - world.log_first).max(axis=-1)
    yield at_most("the base model at λ = 0", oracle="p", residuals=gaps, tolerance=ROUNDING)
    flat = normalised(0 * world.log_first)
    positive = np.log(world.values + 3.01)
    wrong = {
        "exponent λ + 0.05": rowwise(controlled, lam + 0.05, world.log_first, world.values),
        "exponent 1/λ": rowwise(controlled, 1 / lam, world.log_first, world.values),
        "factor p dropped": rowwise(controlled, lam, flat, world.values),
        "p V^λ for p e^(λV)": rowwise(classifier_guidance, lam, world.log_first, positive),
        "sign of V* inverted": rowwise(controlled, -lam, world.log_first, world.values),
    }
    yield from planted(wide, wrong, rng)


def _valued(log_first: Array, values: Array, log_second: Array) -> TwoSteps:
    """A world whose reward is settled by the first token, so that `values` [B, n] are its values, ties and all."""
    return TwoSteps(log_first, log_second, np.broadcast_to(values[..., None], log_second.shape))


@claim(
    "cd.eq12",
    paper="cd",
    where="Equations 8 to 12, in the proof of Theorem 2.1",
    kind="equation",
    statement="Printed: λ A(π) − KL(π‖p) = −KL(π‖q) + log Z, with q = p e^(λV*(z))/Z. Corrected: the right-hand side "
    "lacks −λ V* of the prefix. The maximiser is not affected.",
    verdict="erratum",
)
def equation_12(rng: np.random.Generator) -> Evidence:
    """Both sides at random policies, in worlds whose rewards all lie in [1/2, 3], so that V* does too."""
    world, lam = two_steps(rng, 1000, 5, 1e-6, 0.5, 3.0), np.resize(EXPONENTS, 1000)
    log_pi = normalised(rng.normal(size=world.log_first.shape))
    q = rowwise(controlled, lam, world.log_first, world.values)
    left = printed(log_pi, world.log_first, world.values, world.value, lam)
    right = log_partition(world.log_first, lam[:, None] * world.values) - kl(log_pi, q)
    # lambda V* is at least 0.1 / 2 here.
    yield at_least(
        "printed: the two sides differ (nats)", oracle="random policies", margins=np.abs(left - right), tolerance=0.05
    )
    corrected = np.abs(left - right + lam * world.value)
    yield at_most("corrected by −λV*", oracle="random policies", residuals=corrected, tolerance=ROUNDING)
    gain = lam[:, None] * (world.values - world.value[:, None])
    ninth = expectation(log_pi, world.log_first + gain - log_pi)
    yield at_most(
        "corrected: equation 9 before it is right",
        oracle="random policies",
        residuals=np.abs(left - ninth),
        tolerance=ROUNDING,
    )
    opposite = np.abs(left - right - lam * world.value)
    yield rejects("+λV* instead", at_most("", oracle="", residuals=opposite, tolerance=1e-3))
    yield rejects("the printed equation", at_most("", oracle="", residuals=np.abs(left - right), tolerance=1e-3))
