"""Theorem 3.1 as printed against its own objective: an erratum, with what is true of it instead."""

from functools import partial

import numpy as np

from theory.arrays import Array
from theory.claims.chang.literal_objective import (
    GRID,
    curvature,
    literal,
    local_maxima,
    on_grid,
    printed_policy,
    refined,
    stationary,
    threshold,
    tilted,
    two_token_instances,
)
from theory.ledger import Check, Evidence, at_least, at_most, claim, rejects
from theory.literal_guidance import literal_guidance

EVERY = "grid, all 324 one-decimal instances"
COARSE = np.linspace(0.0, 1.0, 2001)[1:-1]


@claim(
    "chang.thm3.1-literal",
    paper="chang",
    where="Theorem 3.1, equation (1)",
    kind="theorem",
    statement="Printed: λ E_π log(P_π(r=1|s,·)/P_π(r=1|s)) − KL(π‖P_G) is maximised by P_G Q^λ, its denominator being "
    "a constant. But V_π = ⟨π,Q⟩ moves with π. Corrected: its stationary points solve π ∝ P_G Q^λ e^(−λQ/V_π); it is "
    "concave for every P_G iff λ ≤ 4mM/(M−m)², m = min Q and M = max Q, and can have several local maxima beyond. "
    "At P_G = (.6,.4), Q = (.1,.9), λ = 1 its argmax lowers the probability of success.",
    verdict="erratum",
)
def literal_objective(rng: np.random.Generator) -> Evidence:
    """All one-decimal two-token instances on a grid; three tokens by multistart; the concavity threshold."""
    p, q = two_token_instances()
    values = on_grid(p, q, 1.0)
    t = GRID[values.argmax(axis=-1)]
    printed = printed_policy(p, q, 1.0)
    # The best point of a grid is no better than the argmax, so these margins can only be too small.
    short = values.max(axis=-1) - literal(printed, p, q, 1.0)
    yield at_least("printed formula falls short of the argmax (nats)", oracle=EVERY, margins=short, tolerance=1e-4)
    yield rejects("the printed formula as argmax", at_most("", oracle="", residuals=short, tolerance=1e-3))

    success = t * q[:, 0] + (1 - t) * q[:, 1]
    perverse = (local_maxima(values) > 1) & (success < np.sum(p * q, axis=-1))
    named = np.all(np.isclose(p, (0.6, 0.4)) & np.isclose(q, (0.1, 0.9)), axis=-1)
    yield at_least(
        "printed objective's argmax can lower success: the search finds P_G = (.6,.4), Q = (.1,.9)",
        oracle=f"worked example, found among {EVERY}",
        margins=[float(np.any(perverse & named))],
        tolerance=1.0,
    )
    worse = literal(p, p, q, 1.0) - literal(printed, p, q, 1.0)
    yield at_least(
        "printed formula is there worse than P_G itself (nats)",
        oracle="worked example",
        margins=worse[named],
        tolerance=0.05,
    )
    lowered = np.sum(p * q, axis=-1) - success
    yield at_least(
        "printed objective's argmax lowers success there",
        oracle="grid, worked example",
        margins=lowered[named],
        tolerance=0.3,
    )

    exact = refined(t, p, q, 1.0)
    yield _fixed_point("corrected: stationarity at the argmax, two tokens", exact, p, q, -1.0, 1e-8)
    yield rejects("the sign of λQ/V_π flipped", _fixed_point("", exact, p, q, +1.0, 1e-3))
    yield from _slopes(rng)
    yield _three_tokens(rng)
    yield from _concavity(rng)


def _fixed_point(name: str, pi: Array, p: Array, q: Array, sign: float, tolerance: float) -> Check:
    """60 bisections leave pi good to 1e-15; 1e-8 allows for the slope of the map there, which is below 1e3."""
    gaps = np.abs(pi - stationary(pi, p, q, 1.0, sign)).max(axis=-1)
    return at_most(name, oracle=f"complex-step bisection, {EVERY}", residuals=gaps, tolerance=tolerance)


def _slopes(rng: np.random.Generator) -> Evidence:
    """L rises along v by <v, log pi'/pi>, pi' what the equation makes of pi: flat in every v iff pi' = pi."""
    p, pi = (0.01 + 0.96 * rng.dirichlet(np.ones(4), size=1000) for _ in range(2))
    q, v, lam = rng.uniform(0.05, 0.95, size=p.shape), rng.normal(size=p.shape), np.resize([0.5, 1.0, 2.0, 8.0], 1000)
    v = v - v.mean(axis=-1, keepdims=True)
    slope = literal(pi + 1e-30j * v, p, q, lam).imag / 1e-30

    def off(sign: float) -> Array:
        return np.abs(slope - np.sum(v * np.log(stationary(pi, p, q, lam[:, None], sign) / pi), axis=-1))

    name = "corrected: L is flat at the equation's solutions alone"
    # Slopes of some hundred nats (log 100 and lambda Q/V <= 150), in double precision.
    yield at_most(name, oracle="complex step", residuals=off(-1.0), tolerance=1e-11)
    yield rejects("slopes with the sign of λQ/V_π flipped", at_most("", oracle="", residuals=off(1.0), tolerance=1e-3))


def _three_tokens(rng: np.random.Generator) -> Check:
    """No policy on a lattice over the triangle beats the best solution of the corrected equation."""
    steps = np.arange(1, 60)
    lattice = np.array([(a, b, 60 - a - b) for a in steps for b in steps if a + b < 60]) / 60
    excess = []
    for lam in np.repeat([0.5, 1.0, 2.0, 4.0, 8.0], 2):
        p, q = 0.01 + 0.97 * rng.dirichlet(np.ones(3), size=100), rng.uniform(0.05, 0.95, size=(100, 3))
        best = literal(np.exp(literal_guidance(np.log(p), np.log(q), lam)), p, q, lam)
        excess.extend(literal(lattice, p[:, None], q[:, None], lam).max(axis=-1) - best)
    # Values of a few nats, in double precision.
    return at_most("corrected: its best solution is the argmax", oracle="lattice", residuals=excess, tolerance=1e-12)


def _concavity(rng: np.random.Generator) -> Evidence:
    # Success probabilities of a fair spread, since λ_c grows without bound as they draw together.
    q = np.sort(rng.uniform([0.05, 0.05, 0.05, 0.6], [0.4, 0.95, 0.95, 0.95], size=(1000, 4)), axis=-1)
    pi = 0.01 + 0.96 * rng.dirichlet(np.ones(4), size=1000)
    # In units of Fisher length the curvature is -1 + lambda Var(Q)/V^2; the complex step is good to about 1e-5.
    bent = curvature(pi, pi, q, 0.99 * threshold(q))

    # Two tokens, where V^2 / Var(Q) is smallest: pi_M = m / (m + M).
    extremes = q[:, [0, -1]]
    flattest = extremes[:, ::-1] / extremes.sum(axis=-1, keepdims=True)
    bends = partial(curvature, flattest, flattest, extremes)
    critical, low, high = threshold(extremes), extremes[:, 0], extremes[:, 1]
    bent = np.concatenate([bent, bends(0.99 * critical)])
    yield at_most("corrected: concave below λ_c everywhere", oracle="complex step", residuals=bent, tolerance=1e-5)
    yield at_least(
        "corrected: convex somewhere above λ_c", oracle="complex step", margins=bends(1.01 * critical), tolerance=0.005
    )
    too_low, too_high = 4 * low * high / (high + low) ** 2, 2 * critical
    yield rejects("4mM/(M+m)² as threshold", at_least("", oracle="", margins=bends(1.01 * too_low), tolerance=0.005))
    yield rejects("8mM/(M−m)² as threshold", at_most("", oracle="", residuals=bends(0.99 * too_high), tolerance=1e-5))

    p = 0.01 + 0.98 * rng.dirichlet(np.ones(2), size=1000)
    below = local_maxima(on_grid(p, extremes, 0.99 * critical[:, None], COARSE))
    yield at_most("corrected: one local maximum below λ_c", oracle="grid", residuals=below, tolerance=1.0)
    # The p for which the flattest point is stationary: convex there, it must be a minimum between two maxima.
    bent_p = tilted(flattest, extremes, 1.2 * critical)
    above = local_maxima(on_grid(bent_p, extremes, 1.2 * critical[:, None], COARSE))
    yield at_least("corrected: two for some P_G above λ_c", oracle="grid", margins=above, tolerance=2.0)
