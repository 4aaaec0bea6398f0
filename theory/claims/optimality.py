"""The evidence that a closed form is the argmax of a printed objective: certificates, two solvers, planted errors."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from theory.arrays import Array, normalised
from theory.certificates import duality_gap, gibbs_residual, objective, stationarity
from theory.guidance import greedy
from theory.ledger import Check, Evidence, at_most, rejects
from theory.solvers import cone_installed, maximise_cone, maximise_logits

EXPONENTS = (0.1, 0.5, 1.0, 3.0, 5.0)
"""The guidance strengths lambda at which the certificates check the rules."""

MILD = (0.1, 0.5, 1.0, 2.0)
FLOOR = 0.15
"""Strengths and smallest base probability for the solvers, which lose digits on tokens rarer than about 1e-4."""

# |u| stays below 300 nats here, so sums of a few such terms in double precision are good to about 1e-13.
ROUNDING = 1e-12
# The cone solver's duality gap is at most 1e-8 in every row, so by Pinsker its policy lies within sqrt(2e-8) in L1.
CONE_L1 = 1.5e-4
# At the end pi_a times the slope at a is below 1e-6 for every a: in L1 some V times that, or ten for rare tokens.
BFGS_L1 = 1e-4
# A planted formula must miss by this much, a billion times the rounding, or the check decides nothing.
DECISIVE = 1e-3


@dataclass(frozen=True)
class Problem:
    """A batch of one-step problems: the printed objective and the form <pi, u> - KL(pi || p) we say it has.

    log_policy, log_p, u: [B, V]; printed(log_pi, *data) -> J, with data arrays [B, ...] so that rows can be picked.
    """

    log_policy: Array
    log_p: Array
    u: Array
    printed: Callable[..., Array]
    data: tuple[Array, ...]


def simplex(rng: np.random.Generator, batch: int, size: int, floor: float) -> Array:
    """Random log-probabilities [batch, size]: Dirichlet(1/2), no token below `floor`."""
    return np.log(floor + (1 - size * floor) * rng.dirichlet(np.full(size, 0.5), size=batch))


def some_impossible(rng: np.random.Generator, log_p: Array) -> Array:
    """Rule out each token but the first with probability 1/4: -inf in its place."""
    ruled_out = rng.random(log_p.shape) < 0.25
    ruled_out[..., 0] = False
    return np.where(ruled_out, -np.inf, log_p)


def rowwise(rule: Callable[..., Array], parameter: Array, *arrays: Array) -> Array:
    """Apply rule(*arrays, value) to the rows that share each value of `parameter` [B]."""
    out = np.empty_like(arrays[0])
    for value in np.unique(parameter):
        rows = parameter == value
        out[rows] = rule(*(array[rows] for array in arrays), float(value))
    return out


def identity(name: str, problem: Problem, rng: np.random.Generator, tolerance: float = ROUNDING) -> Check:
    """J(pi) = log Z - KL(pi || policy), J as printed, at a random interior pi and a random vertex of every instance."""
    log_pi = normalised(np.where(np.isneginf(problem.log_p + problem.u), -np.inf, rng.normal(size=problem.u.shape)))
    residuals = []
    for pi in (log_pi, greedy(log_pi)):
        residuals.append(gibbs_residual(pi, problem.log_policy, problem.log_p, problem.u))
        residuals.append(np.abs(problem.printed(pi, *problem.data) - objective(pi, problem.log_p, problem.u)))
    return at_most(name, oracle="Gibbs identity", residuals=np.concatenate(residuals), tolerance=tolerance)


def certified(wide: Problem, small: Problem, rng: np.random.Generator) -> Iterator[Check]:
    """Certificates on the instances of `wide`, solvers on the well-scaled ones of `small`."""
    log_pi = normalised(rng.normal(size=wide.u.shape))
    gap = wide.printed(log_pi, *wide.data) - objective(log_pi, wide.log_p, wide.u)
    yield at_most(
        "the printed objective is <pi, u> - KL(pi || p)",
        oracle="random policies",
        residuals=np.abs(gap),
        tolerance=ROUNDING,
    )
    yield identity("J(pi) = log Z - KL(pi || pi*) for random pi", wide, rng)
    gaps = np.abs(duality_gap(wide.log_policy, wide.log_p, wide.u))
    yield at_most("no duality gap", oracle="Lagrange dual", residuals=gaps, tolerance=ROUNDING)
    slopes = stationarity(wide.log_policy, wide.log_p, wide.u)
    yield at_most("stationary on the simplex", oracle="KKT conditions", residuals=slopes, tolerance=ROUNDING)
    climbed = maximise_logits(lambda pi: small.printed(pi, *small.data), normalised(np.zeros_like(small.log_p)))
    found = distance(climbed, small.log_policy)
    yield at_most("argmax of the printed objective", oracle="SciPy L-BFGS", residuals=found, tolerance=BFGS_L1)
    if cone_installed():
        found = distance(maximise_cone(small.log_p, small.u), small.log_policy)
        yield at_most("argmax over the simplex", oracle="cvxpy and Clarabel", residuals=found, tolerance=CONE_L1)


def hard_cases(rng: np.random.Generator, problem: Callable[[Array, Array], Problem], batch: int = 1000) -> Evidence:
    """The Gibbs identity for problem(log_p, log_q) where tokens tie, are impossible, or have e^-300 of the mass."""
    log_p, log_q = simplex(rng, batch, 5, 1e-6), simplex(rng, batch, 5, 1e-3)
    cases = {
        "two tokens tie": (tied(log_p), tied(log_q)),
        "P is 0 for some tokens": (normalised(some_impossible(rng, log_p)), log_q),
        "a token has e^-300 of the mass": (rare(log_p), log_q),
    }
    for name, pair in cases.items():
        case = problem(*pair)
        # The sums of J round in proportion to their terms, of which pi u may be the largest.
        size = np.max(np.abs(np.where(np.isfinite(case.u + case.log_p), case.u, 0.0)))
        yield identity(f"the identity where {name}", case, rng, ROUNDING * max(1.0, float(size) / 300))


def tied(log_p: Array) -> Array:
    """Token 1 with token 0's probability, in every row."""
    copied = log_p.copy()
    copied[..., 1] = copied[..., 0]
    return normalised(copied)


def rare(log_p: Array) -> Array:
    """The last token's probability times e^-300, in every row."""
    return normalised(log_p - 300.0 * (np.arange(log_p.shape[-1]) == log_p.shape[-1] - 1))


def planted(problem: Problem, wrong: Mapping[str, Array], rng: np.random.Generator) -> Evidence:
    """One control for each wrong policy [B, V]: the Gibbs identity must fail with it."""
    for name, log_policy in wrong.items():
        faulty = Problem(log_policy, problem.log_p, problem.u, problem.printed, problem.data)
        yield rejects(name, identity(name, faulty, rng, tolerance=DECISIVE))


def distance(log_a: Array, log_b: Array) -> Array:
    """L1 distance of two policies, [..., V] -> [...]."""
    return np.sum(np.abs(np.exp(log_a) - np.exp(log_b)), axis=-1)
