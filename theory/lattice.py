"""Surprisals that live on a lattice: the exact law of one string's information where every p is a power of one number.

I = -log p(Y) = offset + span k, k = 0, 1, 2, ...: whole bits (span = log 2) where every probability is a power of 1/2.
The lattice is the coarsest, as estimates that correct for it need: strings of 2, 4, 6, ... bits have span 2 log 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory import concentration
from theory.arrays import validated
from theory.automata import Automaton
from theory.concentration import Surprisal

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


MOST_STEPS = 2**24
"""Steps of the finest lattice that is laid out in memory: 128 MB of them."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """The law of k in I = offset + span k; nats.

    law: entropies, and the sums that bound what is left out; log_mass: log P(k), [K]; whole: no string has k >= K;
    rounding: a bound on the relative rounding error of P(k) for each unit of k + 1.
    """

    law: Surprisal
    offset: float
    span: float
    log_mass: Floats
    whole: bool
    rounding: float

    @property
    def surprisal(self) -> Floats:
        """The values of I, [K] nats."""
        return self.offset + self.span * np.arange(float(self.log_mass.size))

    def log_moment(self, tilt: Floats) -> Floats:
        """log E e^(tilt k), over all strings, the shape of tilt (per step of the lattice); +inf where it diverges."""
        t = np.asarray(tilt) / self.span
        return np.asarray(self.law.log_power_sum(1 - t) - t * self.offset)

    @property
    def end(self) -> float:
        """The tilt per step at and above which E e^(tilt k) diverges."""
        return float(self.span * (1 - self.law.critical_alpha))


def of_law(log_p: Floats, span: float = np.log(2)) -> Lattice:
    """The coarsest lattice of a finite law, [M] log-probabilities whose surprisals differ by multiples of span.

    Raises ValueError on NaN, an all -inf row, a surprisal off the lattice, or more than `MOST_STEPS` steps.

    >>> np.exp(of_law(np.log([0.5, 0.25, 0.25])).log_mass).round(9).tolist()
    [0.5, 0.5]
    """
    live = validated(log_p)[log_p > -np.inf]
    offset = float(-live.max())
    steps = _steps(-live - offset, span)
    mass = np.zeros(steps.max() + 1)
    np.add.at(mass, steps, np.exp(live))
    # A sum of so many exponentials of float64 logarithms.
    rounding = (live.size + float(-live.min()) + 2) * np.finfo(float).eps
    return _coarsest(Lattice(concentration.of_law(log_p), offset, span, _log(mass), True, rounding))


def of_automaton(model: Automaton, span: float = np.log(2), length: int | None = None) -> Lattice:
    """The law of a tight automaton [S states]: P(k) for the first `length` multiples of span, by recursion over paths.

    length: by default so long that at 3/4 of the steepest tilt e^-45 of the mass or less is left out.

    The recursion runs on p^alpha_c, whose sums neither grow nor decay, so that nothing underflows; every term is
    positive, so that nothing cancels. Raises ValueError if the automaton is not tight, if an arc's surprisal, or the
    difference of two stops', is no multiple of span, or if `length` is too short to tell the coarsest lattice.

    >>> from theory.families import geometric
    >>> np.exp(of_automaton(geometric(1, 0.5)).log_mass[:4]).round(9).tolist()
    [0.5, 0.25, 0.125, 0.0625]
    """
    law = concentration.of_automaton(model)
    alpha, states = float(law.critical_alpha), np.flatnonzero(model.reachable)
    log_arcs, log_stop = model.log_arcs[np.ix_(states, states)], model.log_stop[states]
    offset = float(-log_stop.max())
    arcs, stops = _by_step(log_arcs, 0.0, span, alpha), _by_step(log_stop[..., None], offset, span, alpha)
    # A way to a cycle, the cycle and a way to an end show every common divisor: each has at most S arcs.
    least = 3 * states.size * (len(arcs) - 1) + len(stops)
    length = max(least, int(np.ceil(200 / (span * (1 - alpha))))) if length is None else length
    if length < least:
        raise ValueError(
            f"length must be at least {least} to show the coarsest lattice of this automaton, not {length}."
        )
    visits = np.zeros((length + max(len(arcs), len(stops)), states.size))  # rows before k = 0 stay empty
    first = len(visits) - length
    # Arcs of probability 1 cost nothing: they are gone through at once, and form no cycle in a tight automaton.
    at_once = np.linalg.inv(np.eye(states.size) - arcs[0])
    ending, back = np.zeros(length), arcs[:0:-1]
    for k in range(length):
        row = first + k
        arriving = np.einsum("ks,kst->t", visits[row - len(back) : row], back)
        arriving[0] += k == 0
        visits[row] = arriving @ at_once
        ending[k] = np.sum(visits[row - len(stops) + 1 : row + 1] * stops[::-1])
    surprisal = offset + span * np.arange(length)
    terms = arcs.size + stops.size + states.size**2
    rounding = (terms + span + offset + 4) * np.finfo(float).eps
    return _coarsest(Lattice(law, offset, span, _log(ending) - (1 - alpha) * surprisal, False, rounding))


def absolute_third(lattice: Lattice) -> float:
    """E|I - H|^3 over the strings of k < K, cubed nats."""
    return float(np.exp(lattice.log_mass) @ np.abs(lattice.surprisal - lattice.law.entropy) ** 3)


def _coarsest(fine: Lattice) -> Lattice:
    """The same law, its k counted from the least one on in units of their greatest common divisor."""
    first, *others = np.flatnonzero(fine.log_mass > -np.inf)
    period = int(np.gcd.reduce(np.array(others) - first)) if others else 1
    offset, span = fine.offset + fine.span * float(first), fine.span * period
    rounding = fine.rounding * float(first + period)
    return Lattice(fine.law, offset, span, fine.log_mass[first::period], fine.whole, rounding)


def _by_step(log_p: Floats, offset: float, span: float, alpha: float) -> Floats:
    """sum p^alpha over the last axis by its number of steps, [..., m] -> [J, ...]."""
    live = log_p > -np.inf
    steps = _steps(np.where(live, -log_p - offset, 0.0), span)
    weight = np.where(live, np.exp(alpha * np.where(live, log_p, 0.0)), 0.0)
    return np.stack([np.where(steps == j, weight, 0.0).sum(axis=-1) for j in range(steps.max() + 1)])


def _steps(surprisal: Floats, span: float) -> Integers:
    steps = np.rint(surprisal / span)
    # Logarithms of float64 numbers, up to 745 nats: rounding is 1e-13.
    if not (span > 0 and np.all(np.abs(surprisal - span * steps) <= 1e-9)):
        raise ValueError(f"the surprisals are no multiples of {span} nats, from the least one on.")
    if np.any(steps >= MOST_STEPS):
        raise ValueError(f"the surprisals reach over {np.max(steps):.3g} steps of {span} nats: choose a wider span.")
    return steps.astype(np.int64)


def _log(mass: Floats) -> Floats:
    return np.log(mass, where=mass > 0, out=np.full(mass.shape, -np.inf))
