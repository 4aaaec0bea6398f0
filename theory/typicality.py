"""Typical corpora: the mean information content of N strings, how surely it is near the entropy, and its exact law.

Source: Tan et al., section 5.1 (equations 9 to 12).
"""

from itertools import combinations
from math import ceil, comb

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from theory.arrays import validated

Floats = NDArray[np.float64]


def mean_information(log_q: Floats) -> Floats:
    """The mean information content of a corpus, -(1/N) sum_n log q(y_n): [..., N] -> [...] nats.

    Raises ValueError on NaN or on a string that q cannot produce. Source: Tan et al., equation 10.
    """
    if not np.all(np.isfinite(log_q)):
        raise ValueError("log_q holds NaN or an infinity: a corpus from q has only strings that q can produce.")
    return np.asarray(-np.mean(log_q, axis=-1))


def is_typical(mean_information: Floats, entropy: Floats | float, epsilon: float) -> NDArray[np.bool_]:
    """Membership in the typical set: |mean information - H(q)| < epsilon, strictly.

    Raises ValueError unless 0 < epsilon < inf. Source: Tan et al., equation 10.
    """
    _positive("epsilon", epsilon)
    return np.asarray(np.abs(mean_information - entropy) < epsilon)


def chebyshev_bound(varentropy: Floats | float, size: int, epsilon: Floats | float) -> Floats:
    """Bound on P(a corpus is not typical): min(1, V / (N epsilon^2)).

    Raises ValueError unless epsilon > 0, size >= 1 and 0 <= varentropy < inf. Source: Tan et al., equation 11.

    >>> float(chebyshev_bound(2.0, 100, 0.5))
    0.08
    """
    _positive("epsilon", epsilon)
    _positive("size", size)
    _variance(varentropy)
    # Below the least normal float the bound is 1 for any V > 0, and 0 / 0 where V = 0.
    return np.asarray(np.minimum(1.0, varentropy / np.maximum(size * np.square(epsilon), np.finfo(float).tiny)))


def corpus_size(varentropy: float, epsilon: float, delta: float) -> int:
    """The least N >= 1 with V / (N epsilon^2) <= delta. Source: Tan et al., Proposition 1.

    Raises ValueError unless epsilon > 0, delta > 0 and 0 <= varentropy < inf, and where N is beyond the largest float.

    >>> corpus_size(2.0, 0.5, 0.08)
    100
    """
    _positive("epsilon", epsilon)
    _positive("delta", delta)
    _variance(varentropy)
    delta, epsilon = np.float64(delta), np.float64(epsilon)  # where they overflow, Python's own floats raise
    with np.errstate(all="ignore"):
        if not np.isfinite(varentropy / (delta * epsilon**2)):
            raise ValueError(f"no float holds the size that epsilon = {epsilon} and delta = {delta} need.")
        # A quotient that rounding lifts just above an integer must not cost one more string.
        return max(1, ceil(varentropy / (delta * epsilon**2) * (1 - 4 * np.finfo(float).eps)))


def trade_off_constant(log_z: Floats, entropy: Floats) -> Floats:
    """C = log Z - H(p_plus): where the mean of log p + r / beta concentrates. Source: Tan et al., Proposition 1."""
    return np.asarray(log_z - entropy)


def corpus_types(n_strings: int, size: int) -> NDArray[np.int64]:
    """Every way to compose a corpus: all count vectors of `size` draws over `n_strings` strings, [C, n_strings].

    C = comb(size + n_strings - 1, n_strings - 1): meant for a handful of strings.

    >>> corpus_types(2, 2).tolist()
    [[0, 2], [1, 1], [2, 0]]
    """
    _positive("size", size)
    _positive("n_strings", n_strings)
    slots = size + n_strings - 1
    n_types = comb(slots, size)
    bars = np.fromiter(
        (bar for chosen in combinations(range(slots), n_strings - 1) for bar in chosen),
        dtype=np.int64,
        count=n_types * (n_strings - 1),
    ).reshape(n_types, n_strings - 1)
    edges = np.pad(bars, ((0, 0), (1, 1)), constant_values=((0, 0), (-1, slots)))
    return np.diff(edges, axis=-1) - 1


def type_log_probs(log_q: Floats, counts: NDArray[np.int64]) -> Floats:
    """The exact law of the composition of a corpus: log multinomial(counts; q), [..., M] and [C, M] -> [..., C].

    Raises ValueError on NaN or an all -inf row, and on counts below 0 or above 2^53.
    """
    validated(log_q, "log_q")
    if np.any((counts < 0) | (counts > 2**53)):  # beyond, a float no longer tells one count from the next
        raise ValueError("counts must lie between 0 and 2^53.")
    log_orders = gammaln(counts.sum(-1) + 1.0) - gammaln(counts + 1.0).sum(-1)
    return np.asarray(log_orders + counted(log_q, counts))


def counted(values: Floats, counts: NDArray[np.int64]) -> Floats:
    """sum_y c_y values_y of each composition, a count of 0 giving 0 even at -inf: [..., M], [C, M] -> [..., C]."""
    with_mass = np.where(np.isfinite(values), values, 0.0) @ counts.T
    return np.where(~np.isfinite(values) @ (counts.T > 0), -np.inf, with_mass)


def atypical_probability(
    log_q: Floats, counts: NDArray[np.int64], statistic: Floats, centre: Floats, epsilon: Floats
) -> Floats:
    """Exactly P(|statistic - centre| >= epsilon) over all corpora: statistic [..., C] -> [...].

    centre, epsilon: [...]. Raises ValueError as `type_log_probs`.
    """
    outside = np.abs(statistic - centre[..., None]) >= epsilon[..., None]
    log_mass = np.where(outside, type_log_probs(log_q, counts), -np.inf)
    return np.asarray(np.exp(log_mass).sum(axis=-1))


def _positive(name: str, value: Floats | float) -> None:
    if not np.all((np.asarray(value) > 0) & np.isfinite(value)):
        raise ValueError(f"{name} must be positive and finite, not {np.min(value)}.")


def _variance(varentropy: Floats | float) -> None:
    if not np.all((np.asarray(varentropy) >= 0) & np.isfinite(varentropy)):
        raise ValueError("varentropy must be a finite number >= 0: Chebyshev's inequality says nothing without it.")
