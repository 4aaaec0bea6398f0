"""Theorem 3.1 as printed, solved: the policy that maximises L(pi) = lambda E_pi log(Q / <pi, Q>) - KL(pi || p).

The denominator moves with the policy, so p Q^lambda is not the answer. But -log V = max_v (1 - log v - V / v), hence

    max_pi L(pi) = max_v lambda (1 - log v) + log sum_a p_a Q_a^lambda e^(-lambda Q_a / v),    min Q <= v <= max Q:

one number is sought instead of a policy, and pi(v) ~ p Q^lambda e^(-lambda Q / v) at the best v, where v = <pi(v), Q>.
Only the ratios of the Q matter. Source: Chang et al., Theorem 3.1 and equation 1.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from theory.arrays import logsumexp, normalised
from theory.guidance import classifier_guidance

Floats: TypeAlias = NDArray[np.float64]

POINTS = 256
"""Points of the grid on log v that separates the local maxima; two maxima inside one cell count as one."""


def literal_guidance(log_p: Floats, log_success: Floats, lam: float) -> Floats:
    """The global maximiser of the printed objective of Theorem 3.1.

    log_p, log_success: [..., V] nats, log Q(s, a) in [-inf, 0] up to a constant. Returns the log-policy [..., V].
    Raises ValueError unless 0 <= lambda < inf, on NaN, and where no token that p allows can succeed.

    >>> np.exp(literal_guidance(np.log([0.6, 0.4]), np.log([0.1, 0.9]), 1.0)).round(4).tolist()
    [0.9977, 0.0023]
    """
    if not 0 <= lam < np.inf:
        raise ValueError(f"lambda must be a finite number >= 0 for the printed objective to be bounded, not {lam}.")
    guided = classifier_guidance(log_p, log_success, lam)
    log_q = np.where(np.isneginf(guided), -np.inf, log_success)
    log_q = log_q - log_q.max(axis=-1, keepdims=True)
    spread = -np.where(np.isneginf(log_q), 0.0, log_q).min(axis=-1)
    open_rows = spread > 0  # else every token does equally well and the printed formula is p itself
    if lam == 0 or not open_rows.any():
        return np.asarray(guided)
    policy = guided.copy()
    policy[open_rows] = _best(guided[open_rows], np.exp(log_q[open_rows]), spread[open_rows], lam)
    return np.asarray(policy)


def concavity_threshold(log_success: Floats) -> Floats:
    """lambda_c = 4 m M / (M - m)^2, m and M the extreme Q: the printed objective is concave for every p iff below it.

    log_success: [..., V] nats. Returns [...], inf where all Q are equal.

    >>> float(concavity_threshold(np.log([0.1, 0.9])).round(4))
    0.5625
    """
    ratio = np.exp(log_success.min(axis=-1) - log_success.max(axis=-1))
    with np.errstate(divide="ignore"):  # equal Q: 4 / 0 is the infinity that is meant
        return np.asarray(4 * ratio / (1 - ratio) ** 2)


def _best(guided: Floats, q: Floats, spread: Floats, lam: float) -> Floats:
    """Rows [R, V] of log p Q^lambda and of Q / max Q; spread [R] = log(max Q / min Q) > 0."""
    guided, q = np.ascontiguousarray(guided.T), np.ascontiguousarray(q.T)  # NumPy reduces a short last axis slowly
    falling = np.empty((POINTS + 1, spread.size), dtype=bool)
    for point in range(1, POINTS):
        falling[point] = _is_falling(guided, q, spread * (point / POINTS - 1), lam)
    falling[0], falling[-1] = False, True  # min Q < <pi, Q> < max Q, however little
    cell, row = np.nonzero(~falling[:-1] & falling[1:])
    low, high = (spread[row] * ((cell + side) / POINTS - 1) for side in (0, 1))
    for _ in range(60):  # halvings: more than a float64 has bits
        middle = (low + high) / 2
        down = _is_falling(guided[:, row], q[:, row], middle, lam)
        low, high = np.where(down, low, middle), np.where(down, middle, high)
    log_w = (guided[:, row] - lam * q[:, row] / np.exp(low)).T
    height = logsumexp(log_w) - lam * low
    order = np.lexsort((-height, row))  # each row's highest maximum first
    first = order[np.unique(row[order], return_index=True)[1]]
    return np.asarray(normalised(log_w[first]))


def _is_falling(guided: Floats, q: Floats, log_v: Floats, lam: float) -> NDArray[np.bool_]:
    """Whether <pi(v), Q> < v, where the one-number objective falls; [V, R] and [R] -> [R]."""
    v = np.exp(log_v)
    log_w = guided - lam * q / v
    return np.asarray(np.sum(np.exp(log_w - log_w.max(axis=0)) * (q - v), axis=0) < 0)
