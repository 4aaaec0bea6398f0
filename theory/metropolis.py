"""Independence Metropolis-Hastings: the step that sampling code runs, its exact kernel, and what acceptance certifies.

A proposal is drawn from q whatever the state; the weight of a text is w = target / q up to a constant, for a global
adaptor prod_t Z_t. Run it per prompt: one chain over several prompts weighs each prompt by its normaliser.
Source: Tan et al., Algorithm 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.arrays import normalised, validated, with_axes

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chain:
    """A run: the index of the proposal held at each time [..., n], and each move's acceptance [..., n - 1].

    A move is accepted iff it changed the index held; a proposal of the very text held is accepted with certainty.
    """

    states: NDArray[np.int64]
    accepted: NDArray[np.bool_]
    log_acceptance: Floats


def log_acceptance(log_w_state: Floats, log_w_proposal: Floats) -> Floats:
    """log min(1, w(y') / w(y)), broadcast.

    Raises ValueError where a log-weight is not finite: target and proposal then differ in support, or a sum cancelled.

    >>> float(np.exp(log_acceptance(np.log(0.5), np.log(0.2))).round(6))
    0.4
    """
    for name, log_w in (("state", log_w_state), ("proposal", log_w_proposal)):
        if not np.all(np.isfinite(log_w)):
            raise ValueError(f"the {name}'s log-weight must be finite: target and proposal must share their support.")
    return np.minimum(0.0, log_w_proposal - log_w_state)


def step(log_w_state: Floats, log_w_proposal: Floats, uniform: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Decide one move: accept iff uniform < min(1, w(y') / w(y)); returns (accepted, log_acceptance).

    uniform: in [0, 1). Raises ValueError outside it, and as `log_acceptance`.
    """
    if not np.all((np.asarray(uniform) >= 0) & (np.asarray(uniform) < 1)):
        raise ValueError("uniform must lie in [0, 1).")
    log_alpha = log_acceptance(log_w_state, log_w_proposal)
    return np.asarray(uniform < np.exp(log_alpha)), log_alpha


def run(log_w: Floats, uniforms: Floats) -> Chain:
    """Run the chain through proposals in the order drawn, starting at the first; leading axes are separate chains.

    log_w: [..., n] log-weights of the proposals, n >= 1; uniforms: [..., n - 1], of the same batch.
    Raises ValueError on other shapes, and as `step`.
    """
    n = with_axes(log_w, 1, "log_w").shape[-1]
    if n < 1 or uniforms.shape != (*log_w.shape[:-1], n - 1):
        raise ValueError(f"uniforms {uniforms.shape} must hold one number for each move of log_w {log_w.shape}.")
    states = np.zeros(log_w.shape, dtype=np.int64)
    accepted = np.zeros(uniforms.shape, dtype=bool)
    log_alpha = np.zeros(uniforms.shape)
    held = log_w[..., 0]
    for t in range(1, n):
        accepted[..., t - 1], log_alpha[..., t - 1] = step(held, log_w[..., t], uniforms[..., t - 1])
        states[..., t] = np.where(accepted[..., t - 1], t, states[..., t - 1])
        held = np.where(accepted[..., t - 1], log_w[..., t], held)
    return Chain(states, accepted, log_alpha)


def log_weights(log_target: Floats, log_proposal: Floats) -> Floats:
    """log w = log target - log q, [..., M], and -inf where neither has mass.

    log_target need not be normalised. Raises ValueError where only one of the two has mass; nothing is clamped.
    """
    live = validated(log_proposal, "log_proposal") > -np.inf
    if np.any(live != (validated(log_target, "log_target") > -np.inf)):
        raise ValueError("target and proposal differ in support: some text has mass under only one of them.")
    return np.where(live, log_target - np.where(live, log_proposal, 0.0), -np.inf)


def transition_matrix(log_target: Floats, log_proposal: Floats) -> Floats:
    """The exact kernel K(x, y) = q(y) min(1, w(y) / w(x)) for y != x, rest on the diagonal: [..., M] -> [..., M, M].

    Raises ValueError as `log_weights`.
    """
    log_w = log_weights(log_target, log_proposal)
    log_w = np.where(np.isfinite(log_w), log_w, 0.0)  # a text without mass is neither proposed nor held
    moves = np.exp(log_acceptance(log_w[..., :, None], log_w[..., None, :]) + log_proposal[..., None, :])
    same = np.eye(log_w.shape[-1])
    moves = moves * (1 - same)
    return np.asarray(moves + same * (1 - moves.sum(axis=-1, keepdims=True)))


def stationary_acceptance(log_target: Floats, log_proposal: Floats) -> Floats:
    """The acceptance rate at stationarity, a = sum_xy pi(x) q(y) min(1, w(y) / w(x)): [..., M] -> [...].

    Equals 1 - TV(pi x q, q x pi). By sorting, sum_xy q(x) q(y) min(w(x), w(y)) / Z takes O(M log M).
    Raises ValueError as `log_weights`.

    >>> float(stationary_acceptance(np.log([0.5, 0.5]), np.log([0.75, 0.25])).round(6))
    0.75
    """
    log_target, log_proposal = np.broadcast_arrays(log_target, log_proposal)
    log_w = log_weights(log_target, log_proposal)
    order = np.argsort(log_w, axis=-1)
    q = np.take_along_axis(np.exp(log_proposal), order, axis=-1)
    target = np.exp(normalised(np.take_along_axis(log_target, order, axis=-1)))
    heavier = np.cumsum(q[..., ::-1], axis=-1)[..., ::-1] - q
    return np.asarray(np.sum(target * (q + 2 * heavier), axis=-1))


def total_variation(log_p: Floats, log_q: Floats) -> Floats:
    """TV(p, q) = (1/2) sum_y |p(y) - q(y)|: [..., M] -> [...]."""
    return np.asarray(0.5 * np.abs(np.exp(log_p) - np.exp(log_q)).sum(axis=-1))


def certificate(acceptance: Floats) -> tuple[Floats, Floats]:
    """Bounds on TV(target, proposal) from the stationary acceptance a: (1 - a) / 2 <= TV <= 1 - a."""
    return (1 - acceptance) / 2, 1 - acceptance


def convergence_bound(log_target: Floats, log_proposal: Floats, steps: int) -> Floats:
    """TV after n steps from the worst start is at most (1 - 1 / w*)^n, w* = max pi / q: [..., M] -> [...].

    Raises ValueError as `log_weights`. Source: Mengersen and Tweedie 1996, Theorem 2.1.
    """
    log_w_star = np.max(log_weights(normalised(log_target), log_proposal), axis=-1)
    return np.asarray(-np.expm1(-np.maximum(log_w_star, 0.0))) ** steps
