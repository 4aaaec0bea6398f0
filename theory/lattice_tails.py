"""Exact tails of the mean surprisal of N strings on a lattice, to a stated relative error however deep the tail.

With P_t(k) = P(k) e^(tk) / M and S the sum of the k of N strings, P(S >= L) = M^N e^(-tL) sum_{k >= L} P_t^{*N}(k)
e^(-t(k-L)), and likewise below. A tilt t that puts the mean of S at L leaves a sum of order 1/(t sqrt N), which a
Fourier transform finds to nearly all its digits; at t = 0 its rounding, 1e-16 of the whole, drowns a small tail.
"""

from dataclasses import dataclass
from math import log2
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from theory.arrays import logsumexp
from theory.concentration import lower_rate, upper_rate
from theory.lattice import Floats, Integers, Lattice
from theory.tail_estimates import bahadur_rao

Number = TypeVar("Number", np.float64, np.complex128)
UNIT = np.finfo(float).eps
FFT = 8.0
"""Rounding of a Fourier transform of n numbers in the 2-norm, in units of log2(n) 2^-53: Higham, 2002, theorem 24.2."""
MOST_SUMS = 2**25
"""Numbers of one Fourier transform, over all tails: 256 MB each of the few arrays that it needs."""
FRACTIONS = 0.9 * 0.5 ** np.arange(12)
STEEPEST = 40.0
"""The steepest tilt per step: it leaves e^-40 of the weight a step further from the end of the range."""


@dataclass(frozen=True, eq=False)
class Tail:
    """log_prob: log of the probability, [...] nats, -inf where it is 0; error: a bound on its relative error, [...]."""

    log_prob: Floats
    error: Floats


def totals(lattice: Lattice, size: int, epsilon: Floats | float) -> tuple[Integers, Integers]:
    """(lower, upper): the sums L nearest to the mean with mean I <= H - epsilon and mean I >= H + epsilon, [...].

    Raises ValueError unless epsilon > 0 and size >= 1.
    """
    if size < 1 or not np.all(np.asarray(epsilon) > 0):
        raise ValueError("a tail needs a corpus size >= 1 and epsilon > 0.")
    centre = (lattice.law.entropy - lattice.offset) * size / lattice.span
    reach = np.asarray(epsilon) * size / lattice.span
    slack = 1e-8  # a sum within rounding of the end is outside, as the inequality is not strict: sums are below 1e7
    return np.floor(centre - reach + slack).astype(np.int64), np.ceil(centre + reach - slack).astype(np.int64)


def excess(lattice: Lattice, size: int, total: Integers) -> Floats:
    """Mean I - H of N strings whose k sum to `total`, [...] nats."""
    return np.asarray(lattice.offset + lattice.span * np.asarray(total) / size - lattice.law.entropy)


def atypical(lattice: Lattice, size: int, epsilon: Floats | float) -> Tail:
    """P(|mean I - H| >= epsilon), both tails, for epsilon [...]. Raises ValueError as `totals`.

    >>> from theory.families import integer_bit_bigram
    >>> from theory.lattice import of_automaton
    >>> float(np.exp(atypical(of_automaton(integer_bit_bigram()), 40, 4 * np.log(2)).log_prob).round(7))
    3.61e-05
    """
    below, above = totals(lattice, size, epsilon)
    tails = log_tail(lattice, size, below, upper=False), log_tail(lattice, size, above)
    log_prob = np.logaddexp(*(tail.log_prob for tail in tails))
    return Tail(log_prob, np.maximum(*(tail.error for tail in tails)))


def lattice_bahadur_rao(lattice: Lattice, size: int, epsilon: Floats | float) -> Floats:
    """Bahadur and Rao's estimate of `atypical`, each tail from the lattice point where it begins, [...].

    A tail that begins beyond the range of I, or within 3 % of its end, where the tilt has no bound, adds 0.
    Raises ValueError as `totals`.
    """
    law = lattice.law
    below, above = (excess(lattice, size, total) for total in totals(lattice, size, epsilon))
    sides = (lower_rate, -below, law.entropy - law.least), (upper_rate, above, law.most - law.entropy)
    estimate = np.zeros(np.shape(epsilon))
    for rate, reach, room in sides:
        within = 1.03 * reach < room
        inside = np.where(within, reach, np.minimum(room, 1.0) / 2)
        estimate = estimate + np.where(within, bahadur_rao(law, size, inside, lattice.span, rate), 0.0)
    return estimate


def log_tail(
    lattice: Lattice, size: int, total: Integers | int, upper: bool = True, tilt: Floats | float | None = None
) -> Tail:
    """P(S >= total), or P(S <= total) if not `upper`, S the sum of the k of `size` strings: log and error, [...].

    tilt: t per step, >= 0 for an upper and <= 0 for a lower tail; by default the one of `saddle`. The error counts the
    strings of k >= K, the sums that wrap around the transform, and rounding; inf where it is no bound.
    Raises ValueError unless size >= 1 and the tilt has its sign and is below the end of the range, and where so many
    sums would have to be held that they pass `MOST_SUMS`.
    """
    if size < 1:
        raise ValueError(f"a corpus has at least one string, not {size}.")
    if not np.all(np.abs(np.asarray(total, dtype=float)) < 2**53):
        raise ValueError("total must hold sums of steps, integers below 2^53.")
    shape, start = np.shape(total), np.ravel(total).astype(np.int64)
    t = np.ravel(saddle(lattice, size, start, upper) if tilt is None else np.broadcast_to(tilt, start.shape))
    if not np.all((t < lattice.end) & ((t >= 0) if upper else (t <= 0))):
        raise ValueError("the tilt of an upper tail lies in [0, end of the range), that of a lower one is at most 0.")
    steps = np.arange(lattice.log_mass.size)
    log_w = lattice.log_mass + t[:, None] * steps
    log_m = np.asarray(logsumexp(log_w))
    mass = np.exp(log_w - log_m[:, None])
    n = _grid(lattice, size, mass, t, start)
    if n * start.size > MOST_SUMS:
        raise ValueError(f"{start.size} tails of {n} sums each are too many to hold; ask for fewer, or smaller totals.")
    frequency = np.fft.rfft(mass, n)
    sums = np.fft.irfft(_power(frequency, size), n)
    distance = (np.arange(n) - start[:, None]) * (1 if upper else -1)
    weight = np.where(distance >= 0, np.exp(-np.abs(t)[:, None] * np.maximum(distance, 0)), 0.0)
    tilted = np.sum(weight * sums, axis=-1)
    # A sum's error is at most N times that of one transform, weighted by |frequency|^(N-1), by Cauchy and Schwarz.
    rest = np.sqrt(np.mean(_power(np.abs(frequency), size - 1) ** 2, axis=-1))
    spread = FFT * log2(n) * (size * rest * np.linalg.norm(mass, axis=-1) + np.linalg.norm(sums, axis=-1))
    absolute = UNIT * (spread + 3 * size * rest) * weight.sum(axis=-1)
    if not lattice.whole:  # at least one of the N strings is left out
        absolute += np.expm1(np.minimum(size * np.exp(_log_beyond(lattice, 1, t, steps.size, log_m)), 20.0))
    if not (lattice.whole and n > size * steps[-1]):
        absolute += np.exp(_log_beyond(lattice, size, t, n, log_m))
    log_prob = size * log_m - t * start + np.log(tilted, where=tilted > 0, out=np.full(t.shape, -np.inf))
    # The k + 1 of the N strings of a sum add up to less than n + N. Then the rounding of the logarithms themselves.
    logs = 4 * UNIT * (size * np.abs(log_m) + np.abs(t * start) + log2(n))
    relative = (lattice.rounding + UNIT * np.abs(t)) * (n + size) + logs
    sound = tilted > absolute
    error = np.where(sound, absolute / np.where(sound, tilted - absolute, 1.0) + relative, np.inf)
    possible = np.flatnonzero(lattice.log_mass > -np.inf)
    empty = (start > size * possible[-1]) & lattice.whole if upper else start < size * possible[0]
    return Tail(np.where(empty, -np.inf, log_prob).reshape(shape), np.where(empty, 0.0, error).reshape(shape))


def saddle(lattice: Lattice, size: int, total: Integers, upper: bool) -> Floats:
    """The tilt per step at which the mean of S is `total`, [...]; 0 on the near side of the mean, held within reach."""
    goal, steps = np.asarray(total)[..., None] / size, np.arange(lattice.log_mass.size)
    # Nearer to the end the strings left out would carry more than e^-45 of the weight.
    top = STEEPEST if lattice.whole else max(lattice.end - 50 / steps.size, lattice.end / 2)
    low, high = np.full(goal.shape, 0.0 if upper else -STEEPEST), np.full(goal.shape, top if upper else 0.0)
    for _ in range(16):  # any tilt is right: 2^-16 of the range is near enough to lose no digit
        middle = (low + high) / 2
        log_w = lattice.log_mass + middle * steps
        weight = np.exp(log_w - log_w.max(axis=-1, keepdims=True))
        above = (weight @ steps > goal[..., 0] * weight.sum(axis=-1))[..., None]
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray((low + high)[..., 0] / 2)


def _grid(lattice: Lattice, size: int, mass: Floats, t: Floats, start: Integers) -> int:
    """A power of 2 beyond which the tilted sums have next to no mass: the error says how much."""
    steps = np.arange(mass.shape[-1])
    mean = mass @ steps
    sd = np.sqrt(np.sum(mass * (steps - mean[:, None]) ** 2, axis=-1))
    reach = size * mean + 12 * np.sqrt(size) * sd + 40 / (lattice.end - t)
    if lattice.whole:
        reach = np.minimum(reach, size * steps[-1])
    return int(2 ** np.ceil(np.log2(max(reach.max(), start.max(), steps[-1]) + 1)))


def _log_beyond(lattice: Lattice, size: int, t: Floats, least: int, log_m: Floats) -> Floats:
    """Chernoff's bound on the log of the tilted mass of sums >= least over `size` strings, in units of M^size, [E].

    Held to at most 20: a bound above 1 says nothing, and must not overflow.
    """
    further = t[:, None] + FRACTIONS * (min(lattice.end, STEEPEST + 64) - t)[:, None]
    log_bound = size * (lattice.log_moment(further) - log_m[:, None]) - (further - t[:, None]) * least
    return np.asarray(np.minimum(log_bound.min(axis=-1), 20.0))


def _power(base: NDArray[Number], exponent: int) -> NDArray[Number]:
    """base^exponent by repeated squaring: a relative error of sqrt(5) 2^-53 for each unit of the exponent."""
    result = np.ones_like(base)
    for bit in bin(exponent)[2:]:
        result = result * result
        if bit == "1":
            result = result * base
    return result
