"""What every rule needs of an array: one namespace for NumPy and torch, a border check, a stable sum in log space."""

from typing import Any, TypeAlias

from array_api_compat import array_namespace

Array: TypeAlias = Any
"""A NumPy or torch array of floats; the vocabulary is the last axis."""


def with_axes(array: Array, least: int, name: str) -> Array:
    """Return the array unchanged, or raise a ValueError that names it where it has fewer axes than `least`."""
    if array.ndim < least:
        raise ValueError(f"{name} needs {least} or more axes, not the shape {tuple(array.shape)}.")
    return array


def shaped(array: Array, shape: tuple[int | None, ...], name: str) -> Array:
    """Return the array unchanged, or raise a ValueError that names it where its shape is another; None is any size."""
    fits = array.ndim == len(shape) and all(one in (None, size) for one, size in zip(shape, array.shape, strict=True))
    if not fits:
        asked = ", ".join("*" if one is None else str(one) for one in shape)
        raise ValueError(f"{name} must have the shape [{asked}], not {list(array.shape)}.")
    return array


def validated(log_p: Array, name: str = "log_p") -> Array:
    """Return `log_p` unchanged, or raise a ValueError that names it.

    Refused: no axis at all, NaN, +inf, and a row of -inf alone (it gives no token any mass).
    """
    xp = array_namespace(with_axes(log_p, 1, name))
    if not xp.isdtype(log_p.dtype, "real floating"):
        raise ValueError(f"{name} must hold floating-point log-probabilities, not {log_p.dtype}.")
    if xp.any(xp.isnan(log_p)):
        raise ValueError(f"{name} contains NaN; check the model or the reward that produced it.")
    top = xp.max(log_p, axis=-1)
    if xp.any(top == float("inf")):
        raise ValueError(f"{name} contains +inf, which is no log-probability.")
    if xp.any(top == -float("inf")):
        raise ValueError(f"{name} has a row that is -inf everywhere: no token is allowed there.")
    return log_p


def logsumexp(log_w: Array, keepdims: bool = False) -> Array:
    """Return log sum_a exp(log_w[..., a]); a row of -inf alone gives -inf."""
    xp = array_namespace(log_w)
    top = xp.max(log_w, axis=-1, keepdims=True)
    some = xp.isfinite(top)
    shift = xp.where(some, top, xp.zeros_like(top))
    mass = xp.sum(xp.exp(log_w - shift), axis=-1, keepdims=True)
    # log 0 is what we mean in an empty row, but NumPy warns of it.
    total = xp.where(some, xp.log(xp.where(some, mass, xp.ones_like(mass))) + shift, top)
    return total if keepdims else xp.squeeze(total, axis=-1)


def normalised(log_w: Array) -> Array:
    """Return log_w - log sum_a exp(log_w_a): log-probabilities from log-weights, shape kept."""
    return log_w - logsumexp(log_w, keepdims=True)


def expectation(log_p: Array, values: Array) -> Array:
    """Return sum_a p_a values_a over the last axis, where p_a = 0 contributes 0 whatever values_a is.

    p_a = 0 means log_p_a = -inf: a token whose mass only underflows still carries an infinite value to the sum.
    """
    xp = array_namespace(log_p, values)
    within = xp.where(log_p == -float("inf"), xp.zeros_like(values), values)
    finite = xp.where(xp.isinf(within), xp.zeros_like(within), within)
    return xp.sum(xp.where(xp.isinf(within), within, xp.exp(log_p) * finite), axis=-1)
