"""Tails of a corpus whose strings have whole bits, in rational arithmetic without rounding: an oracle."""

from itertools import accumulate
from math import log

import numpy as np

from theory.automata import Automaton

BIT = log(2)


def log_rational_tails(model: Automaton, size: int, bits: list[int]) -> list[float]:
    """log P(the strings of a corpus have >= b bits in all), for each b of `bits`, nats.

    One less the chance of fewer bits, a finite sum of counts of strings over powers of 2, so that nothing is cut off
    and nothing rounds before the logarithm. model: one automaton, its probabilities powers of 1/2.
    """
    top = max(bits)
    slot = top + 1  # the counts stand side by side in one number: a count of corpora of k bits is at most 2^k
    packed = sum(count << (slot * k) for k, count in enumerate(string_counts(model, top)))
    corpora, kept = 1, (1 << (slot * top)) - 1
    for bit in bin(size)[2:]:
        corpora = (corpora * corpora) & kept
        if bit == "1":
            corpora = (corpora * packed) & kept
    counts = [(corpora >> (slot * k)) & ((1 << slot) - 1) for k in range(top)]
    below = [0, *accumulate(count << (top - k) for k, count in enumerate(counts))]
    return [log((1 << top) - below[b]) - top * BIT for b in bits]


def string_counts(model: Automaton, length: int) -> list[int]:
    """How many strings have k bits, for k < length; no arc of `model` may be sure."""
    arcs, stops = np.rint(-model.log_arcs / BIT), np.rint(-model.log_stop / BIT)
    states = range(stops.size)
    steps = [(s, t, int(b)) for s in states for t in states for b in arcs[s, t] if np.isfinite(b)]
    visits = [[int(s == k == 0) for s in states] for k in range(length)]
    for k in range(length):
        for s, t, b in steps:
            if b <= k:
                visits[k][t] += visits[k - b][s]
    return [sum(visits[k - int(stops[s])][s] for s in states if stops[s] <= k) for k in range(length)]
