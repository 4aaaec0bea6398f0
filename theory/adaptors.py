"""Sampling adaptors: scale or truncate a step's weights, then normalise locally and keep the normaliser.

Every adaptor maps log-weights [..., V] to un-normalised log-weights [..., V] in which -inf marks a cut token.
Truncations decide on the normalised weights and leave the kept ones as they are; each keeps a prefix of one
order of the tokens, ties going to the lower token id. Source: Tan et al., section 4 and examples 3 to 7.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from theory.arrays import Array, logsumexp, normalised, validated
from theory.information import entropy

NEVER = -float("inf")


@dataclass(frozen=True)
class Adaptor:
    """A named transform of one step's log-weights; picklable, so it can travel to a worker.

    parts: what it does in order, as (rule, parameter), for engines that have a kernel of their own; empty: unknown.
    """

    name: str
    rule: Callable[[Array], Array]
    parts: tuple[tuple[str, float], ...] = ()

    def __call__(self, log_p: Array) -> Array:
        """Return the un-normalised log-weights [..., V]; raises ValueError on NaN or an all -inf row."""
        return self.rule(validated(log_p))


def local(adaptor: Adaptor, log_p: Array) -> tuple[Array, Array]:
    """Normalise one adapted step: log_q = log f(p) - log Z_t and log_kept = log Z_t = log sum_a f(p)_a.

    log_p: [..., V]. Returns log_q [..., V] and log_kept [...] in nats; sum_t log_kept is the log-weight of a
    string under the globally normalised adaptor. Source: Tan et al., equations 5 to 8.

    >>> import numpy as np
    >>> log_q, log_kept = local(top_k(2), np.log([0.5, 0.3, 0.2]))
    >>> np.exp(log_q).round(3).tolist(), float(np.exp(log_kept).round(3))
    ([0.625, 0.375, 0.0], 0.8)
    """
    log_w = validated(adaptor(log_p), f"the output of {adaptor.name}")
    log_kept = logsumexp(log_w, keepdims=True)
    return log_w - log_kept, log_kept[..., 0]


def ancestral() -> Adaptor:
    """Leave the weights alone: f(p) = p."""
    return Adaptor("ancestral", _identity, (("ancestral", 0.0),))


def temperature(T: float) -> Adaptor:  # noqa: N803 (the field's symbol)
    """Scale: f(p) = p^(1/T). Raises ValueError unless 0 < T < inf."""
    if not 0 < T < float("inf"):
        raise ValueError(f"temperature T must be a positive number, not {T}.")
    return Adaptor(f"temperature({T:g})", partial(_temperature, T=T), (("temperature", T),))


def top_k(k: int) -> Adaptor:
    """Keep the k most probable tokens (all, if there are fewer). Raises ValueError unless k is an integer >= 1."""
    if not isinstance(k, int) or k < 1:
        raise ValueError(f"top-k's k must be an integer >= 1, not {k}.")
    return Adaptor(f"top_k({k})", partial(_top_k, k=k), (("top_k", k),))


def nucleus(pi: float) -> Adaptor:
    """Keep the smallest set of most probable tokens with mass >= pi. Raises ValueError unless 0 < pi <= 1."""
    _fraction("nucleus mass pi", pi)
    return Adaptor(f"nucleus({pi:g})", partial(_nucleus, pi=pi), (("nucleus", pi),))


def locally_typical(tau: float) -> Adaptor:
    """Keep the tokens nearest the step's entropy, in the order of |log p + H|, up to mass >= tau.

    The standard sorted greedy; it is not the minimiser of the knapsack that defines typical sampling.
    Raises ValueError unless 0 < tau <= 1.
    """
    _fraction("locally typical mass tau", tau)
    return Adaptor(f"locally_typical({tau:g})", partial(_locally_typical, tau=tau), (("locally_typical", tau),))


def eta(epsilon: float) -> Adaptor:
    """Keep p_a >= min(epsilon, sqrt(epsilon) e^(-H)). Raises ValueError unless 0 < epsilon <= 1."""
    _fraction("eta's epsilon", epsilon)
    return Adaptor(f"eta({epsilon:g})", partial(_eta, epsilon=epsilon), (("eta", epsilon),))


def min_p(rho: float) -> Adaptor:
    """Keep p_a >= rho max_b p_b. Raises ValueError unless 0 < rho <= 1."""
    _fraction("min-p's rho", rho)
    return Adaptor(f"min_p({rho:g})", partial(_min_p, rho=rho), (("min_p", rho),))


def compose(first: Adaptor, second: Adaptor) -> Adaptor:
    """Apply `first`, then `second`: f = f_second after f_first. The order matters for all but top-k.

    >>> import numpy as np
    >>> p = np.log([0.5, 0.3, 0.2])
    >>> temper_then_cut = compose(temperature(2.0), nucleus(0.75))
    >>> cut_then_temper = compose(nucleus(0.75), temperature(2.0))
    >>> int(np.isfinite(temper_then_cut(p)).sum()), int(np.isfinite(cut_then_temper(p)).sum())
    (3, 2)
    """
    parts = (*first.parts, *second.parts) if first.parts and second.parts else ()
    return Adaptor(f"{first.name}+{second.name}", partial(_compose, first=first, second=second), parts)


def _fraction(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise ValueError(f"{name} must lie in (0, 1], not {value}.")


def _identity(log_w: Array) -> Array:
    return log_w


def _temperature(log_w: Array, T: float) -> Array:  # noqa: N803
    return log_w / T


def _compose(log_w: Array, first: Adaptor, second: Adaptor) -> Array:
    return second(first(log_w))


def _cut(log_w: Array, kept: Array) -> Array:
    xp = array_namespace(log_w)
    return xp.where(kept, log_w, xp.full_like(log_w, NEVER))


def _kth_smallest(key: Array, k: int) -> Array:
    """The k-th smallest key of each row, [..., 1], by partial selection (the array API has only full sorts)."""
    if is_torch_array(key):
        return cast(Array, key.topk(k, dim=-1, largest=False).values[..., -1:])
    return np.partition(key, k - 1, axis=-1)[..., k - 1 : k]


def _first(key: Array, threshold: Array, count: Array | int) -> Array:
    """Mark the `count` smallest keys, ties to the lower index, where `threshold` is the count-th smallest key."""
    xp = array_namespace(key)
    below, tied = key < threshold, key == threshold
    room = count - xp.sum(xp.astype(below, xp.int64), axis=-1, keepdims=True)
    return below | (tied & (xp.cumulative_sum(xp.astype(tied, xp.int64), axis=-1) <= room))


def _up_to_mass(log_w: Array, key: Array, log_p: Array, mass: float) -> Array:
    """Keep the shortest prefix, in the order of `key`, whose probability reaches `mass`."""
    if mass == 1:
        return log_w
    xp = array_namespace(log_w)
    order = xp.argsort(key, axis=-1, stable=True)
    # float64: a running sum over a whole vocabulary saturates in half precision.
    cumulative = xp.cumulative_sum(xp.exp(xp.astype(xp.take_along_axis(log_p, order, axis=-1), xp.float64)), axis=-1)
    # An equality that rounding of the inputs blurs counts as reached, else one token too many is kept.
    # (Not more than one in a million: eight rounding errors of bfloat16 would be a sixteenth of all the mass.)
    short = cumulative < mass - min(8 * xp.finfo(log_p.dtype).eps, 1e-6)
    count = xp.sum(xp.astype(short, xp.int64), axis=-1, keepdims=True) + 1
    count = xp.minimum(count, xp.full_like(count, key.shape[-1]))
    threshold = xp.take_along_axis(key, xp.take_along_axis(order, count - 1, axis=-1), axis=-1)
    return _cut(log_w, _first(key, threshold, count))


def _top_k(log_w: Array, k: int) -> Array:
    if k >= log_w.shape[-1]:
        return log_w
    return _cut(log_w, _first(-log_w, _kth_smallest(-log_w, k), k))


def _nucleus(log_w: Array, pi: float) -> Array:
    return _up_to_mass(log_w, -log_w, normalised(log_w), pi)


def _locally_typical(log_w: Array, tau: float) -> Array:
    xp = array_namespace(log_w)
    log_p = normalised(log_w)
    return _up_to_mass(log_w, xp.abs(log_p + xp.expand_dims(entropy(log_p), axis=-1)), log_p, tau)


def _eta(log_w: Array, epsilon: float) -> Array:
    xp = array_namespace(log_w)
    log_p = normalised(log_w)
    log_threshold = -xp.expand_dims(entropy(log_p), axis=-1) + 0.5 * float(np.log(epsilon))
    log_threshold = xp.minimum(log_threshold, xp.full_like(log_threshold, float(np.log(epsilon))))
    # In exact arithmetic the top token always stays; at epsilon = 1 rounding of H could cut a whole uniform row.
    return _cut(log_w, log_p >= xp.minimum(log_threshold, xp.max(log_p, axis=-1, keepdims=True)))


def _min_p(log_w: Array, rho: float) -> Array:
    xp = array_namespace(log_w)
    return _cut(log_w, log_w >= xp.max(log_w, axis=-1, keepdims=True) + float(np.log(rho)))
