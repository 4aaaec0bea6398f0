"""Theorem 3.1 as printed: P_pi(r=1|s) moves with the policy being optimised, and the printed maximiser is none.

With Q the success probability of each token and V_pi = <pi, Q>, the printed objective reads
L(pi) = lambda (E_pi log Q - log V_pi) - KL(pi || p). Everything here is a probability, not its logarithm, so that
complex steps give derivatives of L that owe nothing to the formulas under check.
"""

from itertools import combinations

import numpy as np

from theory.arrays import Array
from theory.guidance import classifier_guidance

DECIMALS = np.arange(1, 10) / 10
GRID = np.linspace(0.0, 1.0, 10001)[1:-1]


def literal(pi: Array, p: Array, q: Array, lam: Array | float) -> Array:
    """L(pi) as printed. pi, p, q: [..., n] probabilities, pi possibly complex; lam: [...]. Returns [...] nats."""
    value = np.sum(pi * q, axis=-1)
    return lam * (np.sum(pi * np.log(q), axis=-1) - np.log(value)) - np.sum(pi * np.log(pi / p), axis=-1)


def printed_policy(p: Array, q: Array, lam: float) -> Array:
    """The paper's maximiser, p Q^lambda normalised, by the rule that we run."""
    return np.exp(classifier_guidance(np.log(p), np.log(q), lam))


def stationary(pi: Array, p: Array, q: Array, lam: Array | float, sign: float = -1.0) -> Array:
    """What must reproduce pi at a stationary point of L: p Q^lambda e^(-lambda Q / V_pi), normalised."""
    weight = p * q**lam * np.exp(sign * lam * q / np.sum(pi * q, axis=-1, keepdims=True))
    return weight / weight.sum(axis=-1, keepdims=True)


def threshold(q: Array) -> Array:
    """lambda_c = 4 m M / (M - m)^2, m and M the extreme success probabilities: L is concave iff lambda <= lambda_c."""
    low, high = q.min(axis=-1), q.max(axis=-1)
    return 4 * low * high / (high - low) ** 2


def two_token_instances() -> tuple[Array, Array]:
    """Every p and Q over two tokens with one decimal and Q_1 < Q_2: [324, 2] each."""
    pairs = [(base, *values) for base in DECIMALS for values in combinations(DECIMALS, 2)]
    base, first, second = np.array(pairs).T
    return np.stack([base, 1 - base], axis=-1), np.stack([first, second], axis=-1)


def on_grid(p: Array, q: Array, lam: Array | float, grid: Array = GRID) -> Array:
    """L at pi = (t, 1 - t) for each t of the grid: [..., len(grid)]."""
    return literal(np.stack([grid, 1 - grid], axis=-1), p[..., None, :], q[..., None, :], lam)


def local_maxima(values: Array) -> Array:
    """How many interior local maxima each row of values has."""
    rising = np.diff(values, axis=-1) > 0
    return np.sum(rising[..., :-1] & ~rising[..., 1:], axis=-1)


def refined(best: Array, p: Array, q: Array, lam: float) -> Array:
    """The stationary point of L next to t = best, by bisecting its complex-step derivative. Returns [..., 2]."""
    low, high = best - 1e-4, best + 1e-4
    for _ in range(60):
        middle = (low + high) / 2
        step = middle + 1e-30j
        rising = literal(np.stack([step, 1 - step], axis=-1), p, q, lam).imag > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return np.stack([low, 1 - low], axis=-1)


def tilted(pi: Array, q: Array, lam: Array) -> Array:
    """The p that makes pi a stationary point of L, by solving `stationary` for it."""
    lam = np.asarray(lam)[..., None]
    weight = pi * q**-lam * np.exp(lam * q / np.sum(pi * q, axis=-1, keepdims=True))
    return weight / weight.sum(axis=-1, keepdims=True)


def curvature(pi: Array, p: Array, q: Array, lam: Array) -> Array:
    """d^2 L / dt^2 at pi in the steepest direction of V, of unit Fisher length, by a complex step (error about h^2)."""
    steepest = pi * (q - np.sum(pi * q, axis=-1, keepdims=True))
    unit = steepest / np.sqrt(np.sum(steepest**2 / pi, axis=-1, keepdims=True))
    h = 1e-4
    return 2 * (literal(pi, p, q, lam) - literal(pi + 1j * h * unit, p, q, lam).real) / h**2
