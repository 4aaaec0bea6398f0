"""One fused pass a row on the CPU: adapt, normalise, draw and record, with no sort of the whole vocabulary.

Every rule of `theory.adaptors` keeps a prefix of one order of the tokens. The keys of that order are counted into
buckets; only the bucket in which the prefix ends is sorted. The arithmetic is float64 whatever the logits are, and the
kept sets are those of `theory.adaptors` on the same logits in float64, up to an equality that rounding decides.

The compiler inlines every helper of a kernel: one that stayed a function would be compiled both by itself and within
each caller, and which copy a process runs, and so a sum's last bits, would depend on what its cache held.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from theory.adaptors import Adaptor

Floats = NDArray[np.float64]
KINDS = {"none": 0, "top_k": 1, "nucleus": 2, "locally_typical": 3, "eta": 4, "min_p": 5}
NONE, TOP_K, NUCLEUS, TYPICAL, ETA, MIN_P = KINDS.values()
BUCKETS = 4096
APART = 64  # float64 numbers: more than a compiled loop takes at once, see `line_of`
ROUNDING = 8 * float(np.finfo(np.float64).eps)
"""An equality that rounding blurs counts as reached, by as much as in `theory.adaptors`."""


@dataclass(frozen=True)
class Drawn:
    """One token a row with its log-probabilities in nats, and how many tokens had to be sorted to find it."""

    tokens: NDArray[np.int64]
    log_proposal: Floats
    log_kept: Floats
    log_model: Floats
    sorted: NDArray[np.int64]


def recipe(adaptor: Adaptor) -> tuple[float, int, float] | None:
    """(T, kind, value) of an adaptor that is a temperature, a truncation, or the first followed by the second.

    None for any other: such a row goes through `theory.adaptors` itself.
    """
    parts = list(adaptor.parts)
    T = parts.pop(0)[1] if parts and parts[0][0] == "temperature" else 1.0  # noqa: N806 (the field's symbol)
    if adaptor.parts == () or len(parts) > 1 or (parts and parts[0][0] not in (*KINDS, "ancestral")):
        return None
    kind, value = parts[0] if parts else ("none", 0.0)
    return T, KINDS.get(kind, NONE), value


def draw(logits: NDArray[np.floating], recipes: NDArray[np.float64], uniforms: Floats) -> Drawn:
    """Draw one token a row: logits [R, V], recipes [R, 3] as (T, kind, value), uniforms [R].

    Raises ValueError on NaN, +inf, or a row of -inf alone.
    """
    rows = len(logits)
    tokens, counted, figures = np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty((rows, 3))
    arrays = (logits, recipes, uniforms, tokens, figures, counted)
    in_shares(lambda first, end: _draw(*(array[first:end] for array in arrays)), rows)
    if np.any(tokens < 0):
        raise ValueError("the logits hold NaN, +inf or a row of -inf alone; check the model that gave them.")
    return Drawn(tokens, figures[:, 0], figures[:, 1], figures[:, 2], counted)


def in_shares(work: Callable[[int, int], None], rows: int) -> None:
    """Call work(first, end) on consecutive shares of the rows, one share a thread of torch's.

    The threads sleep while they wait: a compiler's own pool spins, and takes the cores from torch between calls.
    """
    threads = min(torch.get_num_threads(), rows)
    bounds = [rows * share // threads for share in range(threads + 1)]
    others = [_pool(threads - 1).submit(work, *bounds[share : share + 2]) for share in range(1, threads)]
    work(*bounds[:2])
    for other in others:
        other.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


@njit(inline="always")
def room(lines, size):  # pragma: no cover (compiled)
    """Memory for some lines of `size` numbers, see `line_of`."""
    return np.empty(lines * (APART + size))


@njit(inline="always")
def line_of(memory, number, size):  # pragma: no cover (compiled)
    """One of these lines, APART numbers behind whatever lies before it.

    A compiled loop that writes nearer than that behind what it reads falls back from lanes to single numbers, and then
    sums in another order: the last bits would depend on where in memory a short line happens to lie.
    """
    return memory[number * (APART + size) + APART : (number + 1) * (APART + size)]


@njit(nogil=True, cache=True, error_model="numpy")
def _draw(logits, recipes, uniforms, tokens, figures, counted):  # pragma: no cover (compiled)
    V = logits.shape[1]  # noqa: N806
    memory = room(2, V)
    for row in range(len(logits)):
        T, kind, value = recipes[row, 0], int(recipes[row, 1]), recipes[row, 2]  # noqa: N806
        scaled, weight = line_of(memory, 0, V), line_of(memory, 1, V)
        valid, base, mass, cross, least = weigh(logits[row], T, scaled, weight)
        tokens[row], counted[row] = -1, 0
        if not valid:
            continue
        counted[row] = truncate(kind, value, scaled, weight, mass, cross, least)
        total = sum_of(weight)
        token = pick(weight, uniforms[row] * total)
        tokens[row] = token
        figures[row, 0] = scaled[token] - np.log(total)
        figures[row, 1] = np.log(total) - np.log(base) / T
        figures[row, 2] = scaled[token] * T - np.log(base)


@njit(inline="always")
def truncate(kind, value, scaled, weight, mass, cross, least):  # pragma: no cover (compiled)
    """Set the weights of the tokens that a rule cuts to 0; return how many were sorted. Arguments as `weigh` leaves."""
    log_mass = np.log(mass)
    entropy = log_mass - cross / mass
    found = 0
    if kind == ETA:
        bar = min(np.log(value), -entropy + 0.5 * np.log(value))
        _cut_below(scaled, weight, min(bar + log_mass, 0.0))
    elif kind == MIN_P:
        _cut_below(scaled, weight, np.log(value))
    elif (kind == TOP_K and value < len(weight)) or (kind in (NUCLEUS, TYPICAL) and value < 1):
        centre = log_mass - entropy if kind == TYPICAL else 0.0
        target = value if kind == TOP_K else (value - ROUNDING) * mass
        found = _keep_prefix(scaled, weight, centre, least, target, kind == TOP_K)
    return found


@njit(inline="always")
def pick(weight, goal):  # pragma: no cover (compiled)
    """The first token at which the cumulative weight exceeds the goal, never one of weight 0."""
    cumulative, token = 0.0, 0
    for a in range(len(weight)):
        if weight[a] > 0:
            cumulative += weight[a]
            token = a
            if cumulative > goal:
                break
    return token


@njit(inline="always")
def exponential(x):  # pragma: no cover (compiled)
    """e^x for x <= 0 to 2e-16, 0 below e^-700: plain arithmetic, which the compiler spreads over vector lanes."""
    clamped = max(x, -700.0)
    k = np.floor(clamped * 1.4426950408889634 + 0.5)
    r = (clamped - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10
    high = 1 / 5040 + r * (1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800 + r / 479001600))))
    series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * high))))))
    power = np.int64((np.int64(k) + 1023) << 52).view(np.float64)
    return series * power if x >= -700.0 else 0.0


@njit(forceinline=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def weigh(line, T, scaled, weight):  # noqa: N803  # pragma: no cover (compiled)
    """Fill log-weights and weights, both relative to the top; (valid, sum p e^-top, mass, sum w log w, least log w)."""
    top, faults = -np.inf, 0
    for a in range(len(line)):
        faults += line[a] != line[a]
        top = max(top, np.float64(line[a]))
    base, mass, cross, least = 0.0, 0.0, 0.0, 0.0
    if faults or not np.isfinite(top):
        return False, base, mass, cross, least
    for a in range(len(line)):
        excess = np.float64(line[a]) - top
        scaled[a] = excess / T
        weight[a] = exponential(scaled[a])
        base += exponential(excess)
    for a in range(len(line)):
        mass += weight[a]
        allowed = scaled[a] > -np.inf
        cross += weight[a] * scaled[a] if allowed else 0.0
        least = min(least, scaled[a] if allowed else 0.0)
    return True, base, mass, cross, least


@njit(forceinline=True, fastmath={"reassoc"})
def sum_of(weight):  # pragma: no cover (compiled)
    total = 0.0
    for a in range(len(weight)):
        total += weight[a]
    return total


@njit(inline="always")
def _cut_below(scaled, weight, bar):  # pragma: no cover (compiled)
    for a in range(len(weight)):
        if scaled[a] < bar:
            weight[a] = 0.0


@njit(forceinline=True)
def _keep_prefix(scaled, weight, centre, least, target, by_count):  # pragma: no cover (compiled)
    """Cut all but the shortest prefix, in the order of |scaled - centre|, whose mass or count reaches the target."""
    width = max(abs(least - centre), abs(centre)) / (BUCKETS - 1) + 1e-300
    masses, counts = np.zeros(BUCKETS), np.zeros(BUCKETS, np.int64)
    for a in range(len(weight)):
        if scaled[a] > -np.inf:
            bucket = int(abs(scaled[a] - centre) / width)
            masses[bucket] += weight[a]
            counts[bucket] += 1
    reached, last = 0.0, 0
    while last < BUCKETS - 1:
        gain = float(counts[last]) if by_count else masses[last]
        if reached + gain >= target:
            break
        reached += gain
        last += 1
    inside = np.empty(counts[last], np.int64)
    found = 0
    for a in range(len(weight)):
        if scaled[a] > -np.inf:
            bucket = int(abs(scaled[a] - centre) / width)
            if bucket > last:
                weight[a] = 0.0
            elif bucket == last:
                inside[found] = a
                found += 1
    order = np.argsort(np.abs(scaled[inside] - centre), kind="mergesort")  # stable: ties to the lower token id
    for place in order:
        a = inside[place]
        if reached >= target:
            weight[a] = 0.0
        else:
            reached += 1.0 if by_count else weight[a]
    return found
