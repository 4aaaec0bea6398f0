"""Theorem 3.1 with the success probabilities held fixed: the reading under which its formula is right."""

import numpy as np

from theory.arrays import Array, expectation, logsumexp, normalised
from theory.claims.optimality import (
    EXPONENTS,
    FLOOR,
    MILD,
    Problem,
    certified,
    hard_cases,
    identity,
    planted,
    rowwise,
    simplex,
    some_impossible,
)
from theory.guidance import classifier_guidance, controlled
from theory.information import kl
from theory.ledger import Evidence, claim


def printed(log_pi: Array, log_p: Array, log_success: Array, lam: Array) -> Array:
    """lambda E_pi log Q/V - KL(pi || p), with V = E_p Q a fixed number."""
    log_v = logsumexp(log_p + log_success)
    return lam * (expectation(log_pi, log_success) - log_v) - kl(log_pi, log_p)


def problem(log_p: Array, log_success: Array, lam: Array) -> Problem:
    """A batch of Theorem 3.1's problems, with the policy of `theory.guidance`."""
    u = lam[:, None] * (log_success - logsumexp(log_p + log_success, keepdims=True))
    policy = rowwise(classifier_guidance, lam, log_p, log_success)
    return Problem(policy, log_p, u, printed, (log_p, log_success, lam))


def mild(rng: np.random.Generator) -> Problem:
    """A thousand well-scaled instances over four tokens, for the solvers."""
    log_success = np.log(rng.uniform(0.2, 1.0, size=(1000, 4)))
    return problem(simplex(rng, 1000, 4, FLOOR), log_success, np.resize(MILD, 1000))


@claim(
    "chang.thm3.1-frozen",
    paper="chang",
    where="Theorem 3.1, equation (1), appendix B.1",
    kind="theorem",
    statement="With Q(a) = P(r=1|s,a) and V(s) held fixed, the maximiser of λ E_π log(Q/V) − KL(π‖P_G) is "
    "π ∝ P_G Q^λ; V only shifts the optimal value, which is log Σ_a P_G (Q/V)^λ.",
    verdict="holds-with-assumption",
    assumptions="Q and V do not change with the policy being optimised; Q > 0 for some token that P_G allows.",
)
def frozen(rng: np.random.Generator) -> Evidence:
    """Certificates and solvers on random P_G and Q; impossible tokens; five planted formulas."""
    log_p, lam = simplex(rng, 1000, 5, 1e-6), np.resize(EXPONENTS, 1000)
    log_success = np.log(rng.uniform(0.01, 1.0, size=log_p.shape))
    wide = problem(log_p, log_success, lam)
    yield from certified(wide, mild(rng), rng)
    sparse = problem(some_impossible(rng, log_p), some_impossible(rng, log_success), lam)
    yield identity("the same where P_G or Q is 0 for some tokens", sparse, rng)
    yield from hard_cases(rng, lambda p, q: problem(p, q, lam))
    wrong = {
        "exponent λ + 0.05": rowwise(classifier_guidance, lam + 0.05, log_p, log_success),
        "exponent 1/λ": rowwise(classifier_guidance, 1 / lam, log_p, log_success),
        "factor P_G dropped": rowwise(classifier_guidance, lam, normalised(0 * log_p), log_success),
        "Q in the place of log Q": rowwise(controlled, lam, log_p, np.exp(log_success)),
        "ratio inverted": rowwise(classifier_guidance, -lam, log_p, log_success),
    }
    yield from planted(wide, wrong, rng)
