"""Section 4.2's second reading of classifier-free guidance, and Table 1's rows against their theorems."""

from functools import partial

import numpy as np

from theory.arrays import Array, expectation, normalised
from theory.claims.optimality import FLOOR, ROUNDING, Problem, certified, planted, rowwise, simplex
from theory.guidance import classifier_free_guidance, greedy
from theory.information import cross_entropy, entropy, kl
from theory.ledger import Evidence, at_least, at_most, claim, rejects

CONCAVE = (0.1, 0.3, 0.5, 0.7)
BANG_BANG = (1.0, 1.5, 3.0)
HEIGHT = 1e4
"""Nats that the objective is made to exceed; none of the frozen ones comes near."""


def last_line(log_pi: Array, log_p: Array, log_p_without: Array, lam: Array | float) -> Array:
    """lambda KL(pi || p^-) - KL(pi || p): section 4.2's last line with pi(.|s^-) frozen at p^-."""
    return lam * kl(log_pi, log_p_without) - kl(log_pi, log_p)


def _scaled(log_pi: Array, log_p: Array, log_p_without: Array, lam: Array) -> Array:
    return last_line(log_pi, log_p, log_p_without, lam) / (1 - lam)


def _stronger(log_p: Array, log_p_without: Array, lam: float) -> Array:
    return classifier_free_guidance(log_p, log_p_without, lam / (1 - lam))


def problem(log_p: Array, log_p_without: Array, lam: Array) -> Problem:
    """For lambda < 1, the last line over 1 - lambda: classifier-free guidance at lambda / (1 - lambda)."""
    u = (lam / (1 - lam))[:, None] * (log_p - log_p_without)
    return Problem(rowwise(_stronger, lam, log_p, log_p_without), log_p, u, _scaled, (log_p, log_p_without, lam))


@claim(
    "chang.sec4.2-chain",
    paper="chang",
    where="Section 4.2, second interpretation",
    kind="equation",
    statement="λ KL(π‖π⁻) − KL(π‖P_G) is said to have about the maximiser of Theorem 3.2. With π⁻ = π(·|s⁻) frozen at "
    "P_G⁻ and λ < 1 its maximiser is exactly classifier-free guidance at λ/(1−λ): the same path; at equal λ the two "
    "policies are (λ⁴/2) Var(log P_G/P_G⁻) nats apart to leading order. For λ ≥ 1 it is a point mass at argmax "
    "P_G/(P_G⁻)^λ.",
    verdict="holds-with-assumption",
    assumptions="π(·|s⁻) is frozen at P_G⁻ (left free, the objective is unbounded), and λ is small.",
)
def chain(rng: np.random.Generator) -> Evidence:
    """Certificates below 1, vertices from 1 on, the order of the approximation."""
    log_p, log_p_without = simplex(rng, 1000, 5, 1e-3), simplex(rng, 1000, 5, 1e-3)
    lam = np.resize(CONCAVE, 1000)
    wide = problem(log_p, log_p_without, lam)
    yield from certified(wide, problem(simplex(rng, 1000, 4, FLOOR), simplex(rng, 1000, 4, FLOOR), lam), rng)
    same = rowwise(classifier_free_guidance, lam, log_p, log_p_without)
    yield from planted(wide, {"the same λ on both lines": same}, rng)

    # With a free second policy that leaves the first token exp(-n) of its mass, the line grows by lambda pi n.
    free = simplex(rng, 1000, 5, 1e-3)
    n = 2 * HEIGHT / (lam * np.exp(log_p[:, 0]))
    free[:, 0] = -n
    free = normalised(free)
    over = partial(at_least, oracle="π(·|s⁻) with less and less mass", tolerance=HEIGHT)
    yield over("unbounded if π(·|s⁻) is left free", margins=last_line(log_p, log_p, free, lam))
    yield rejects(
        "unbounded with π(·|s⁻) = P_G⁻", over("", margins=last_line(wide.log_policy, log_p, log_p_without, lam))
    )

    small = 0.01
    variance = expectation(log_p, (log_p - log_p_without - kl(log_p, log_p_without)[:, None]) ** 2)
    apart = kl(_stronger(log_p, log_p_without, small), classifier_free_guidance(log_p, log_p_without, small))
    # The next order is lambda^5, so at lambda = .01 the ratio is off by a few hundredths at most.
    gaps = np.abs(apart / small**4 / (variance / 2) - 1)
    yield at_most("λ⁴ law at λ = 0.01", oracle="variance", residuals=gaps, tolerance=0.2)
    gaps = np.abs(apart / small**4 / variance - 1)
    yield rejects("λ⁴ Var", at_most("", oracle="", residuals=gaps, tolerance=0.2))

    for strength in BANG_BANG:
        vertex = greedy(log_p - strength * log_p_without)
        best = last_line(vertex, log_p, log_p_without, strength)
        others = [last_line(normalised(rng.normal(size=log_p.shape, scale=3.0)), log_p, log_p_without, strength)]
        others += [last_line(greedy(-np.abs(np.arange(5.0) - a)), log_p, log_p_without, strength) for a in range(5)]
        excess = np.max(others, axis=0) - best
        yield at_most(f"point mass at λ = {strength:g}", oracle="vertices", residuals=excess, tolerance=ROUNDING)
    for name, wrong in {"argmax P_G/P_G⁻": greedy(log_p - log_p_without), "argmax P_G": greedy(log_p)}.items():
        excess = np.max(others, axis=0) - last_line(wrong, log_p, log_p_without, strength)
        yield rejects(f"{name} at λ = {strength:g}", at_most("", oracle="", residuals=excess, tolerance=1e-3))


@claim(
    "chang.table1",
    paper="chang",
    where="Table 1",
    kind="table",
    statement="Rows 3.3 and 3.4, −λ CE(π,P_G) − KL(π‖P_G) with λ = h or 1/T − 1, are their theorems' "
    "−((λ+1) KL + λ H), because CE = KL + H; row 3.5 is E_π log P_G. (Row 3.1 inherits the erratum of Theorem 3.1.)",
    verdict="holds",
)
def table(rng: np.random.Generator) -> Evidence:
    """Both columns at random policies and strengths."""
    log_pi, log_p = simplex(rng, 1000, 5, 1e-6), simplex(rng, 1000, 5, 1e-6)
    lam, T = rng.uniform(-2, 5, size=1000), rng.uniform(0.1, 10, size=1000)  # noqa: N806
    divergence, h, crossed = kl(log_pi, log_p), entropy(log_pi), cross_entropy(log_pi, log_p)
    rows = {
        "row 3.3": (-lam * crossed - divergence, -((lam + 1) * divergence + lam * h)),
        "row 3.4": (-(1 / T - 1) * crossed - divergence, -(divergence / T + (1 / T - 1) * h)),
        "row 3.5": (-crossed, np.sum(np.exp(log_pi) * log_p, axis=-1)),
    }
    for name, (left, right) in rows.items():
        yield at_most(name, oracle="theorem", residuals=np.abs(left - right), tolerance=ROUNDING)
    clash = -lam * divergence - divergence - rows["row 3.3"][1]
    yield rejects("H(π‖P_G) read as a divergence", at_most("", oracle="", residuals=np.abs(clash), tolerance=1e-3))
