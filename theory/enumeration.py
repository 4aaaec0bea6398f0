"""Exact enumeration of long lists of strings: the tree is walked depth first in blocks and never held as a whole."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from theory.arrays import logsumexp, validated

Floats: TypeAlias = NDArray[np.float64]
Tokens: TypeAlias = NDArray[np.int64]
Steps: TypeAlias = Callable[[Tokens], Floats]
"""The model: prefixes of one length, [B, t] symbols, to next-token log-probabilities [B, n + 1], EOS last."""


@dataclass(frozen=True)
class Moments:
    """Sums over the strings of positive mass: their number, sum p, and entropy and varentropy of p (nats, nats^2)."""

    strings: int
    mass: float
    entropy: float
    varentropy: float


def blocks(steps: Steps, n_symbols: int, depth: int, size: int = 1 << 14) -> Iterator[tuple[Tokens, Floats]]:
    """Every string of positive mass and length <= depth, with its log p: pairs ([B, t], [B] nats), B <= size.

    After `depth` symbols EOS is certain and `steps` is not asked. At most (depth + 1) n_symbols size prefixes are held
    at a time, however many strings there are. Raises ValueError on NaN, an un-normalised row or a bad parameter.

    >>> fair = lambda prefixes: np.log(np.full((len(prefixes), 2), 0.5))
    >>> [(string.tolist(), np.exp(log_p).tolist()) for string, log_p in blocks(fair, 1, 2)]
    [([[]], [0.5]), ([[0]], [0.25]), ([[0, 0]], [0.25])]
    """
    if n_symbols < 1 or depth < 0 or size < 1:
        raise ValueError(f"n_symbols and size must be >= 1 and depth >= 0, not {n_symbols}, {size} and {depth}.")
    stack = [(np.zeros((1, 0), dtype=np.int64), np.zeros(1))]
    while stack:
        prefixes, log_prefix = stack.pop()
        if prefixes.shape[1] == depth:
            yield prefixes, log_prefix
            continue
        log_p = log_prefix[:, None] + _rows(steps, prefixes, n_symbols)
        ends = log_p[:, -1] > -np.inf
        if ends.any():
            yield prefixes[ends], log_p[ends, -1]
        parent, symbol = np.nonzero(log_p[:, :-1] > -np.inf)
        for start in range(0, parent.size, size):
            rows, last = parent[start : start + size], symbol[start : start + size]
            stack.append((np.column_stack([prefixes[rows], last]), log_p[rows, last]))


def moments(steps: Steps, n_symbols: int, depth: int, size: int = 1 << 14) -> Moments:
    """Number of strings, mass, entropy -E log p and varentropy Var log p by enumeration; arguments as `blocks`.

    >>> fair = lambda prefixes: np.log(np.full((len(prefixes), 2), 0.5))
    >>> found = moments(fair, 1, 2)
    >>> found.strings, found.mass, round(found.entropy, 6), round(found.varentropy, 6)
    (3, 1.0, 1.039721, 0.120113)
    """
    strings, mass, mean, spread = 0, 0.0, 0.0, 0.0
    for _, log_p in blocks(steps, n_symbols, depth, size):
        p = np.exp(log_p)
        share = float(p.sum())
        strings += log_p.size
        if share == 0:  # every string here underflows
            continue
        # Means and spreads are merged (Chan, Golub and LeVeque), since E log^2 p - (E log p)^2 cancels.
        centre = float(p @ log_p) / share
        moved, mass = centre - mean, mass + share
        mean += moved * share / mass
        spread += float(p @ (log_p - centre) ** 2) + moved**2 * share * (mass - share) / mass
    return Moments(strings, mass, -mean, spread / mass)


def _rows(steps: Steps, prefixes: Tokens, n_symbols: int) -> Floats:
    log_steps: Floats = validated(steps(prefixes), "steps(prefixes)")
    if log_steps.shape != (len(prefixes), n_symbols + 1):
        expected = (len(prefixes), n_symbols + 1)
        raise ValueError(f"steps must return one row a prefix, {expected}, not {log_steps.shape}.")
    # Sums of exponentials of float64 log-probabilities as low as -700 err by 700 ulp, about 1e-13.
    if np.abs(logsumexp(log_steps)).max() > 1e-9:
        raise ValueError("steps returned a row whose probabilities do not sum to 1.")
    return log_steps
