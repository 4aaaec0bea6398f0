"""The exact law of a block of M tokens on a layered process, by the state where it stops and the reward collected.

A reward is counted in whole units along the string, so that sums over (state, units) stand for sums over V^M blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from theory.layers import EOS, Floats, Integers, Layers, checked_policy


@dataclass(frozen=True, eq=False)
class Reward:
    """A reward of strings, r = unit * (sum of units along the string) + terminal[n - 1], n its tokens with EOS.

    units: [T, S, V] integers; unit: the worth of one; terminal: [T]. Raises ValueError on other units or NaN.
    """

    units: Integers
    unit: float
    terminal: Floats

    def __post_init__(self) -> None:
        if not np.issubdtype(self.units.dtype, np.integer) or self.terminal.shape != self.units.shape[:1]:
            raise ValueError(f"units must be integers [T, S, V] and terminal [T], not {self.units.dtype} and "
                             f"{self.units.shape}, {self.terminal.shape}.")  # fmt: skip
        if not (np.isfinite(self.unit) and np.isfinite(self.terminal).all()):
            raise ValueError("unit and terminal must be finite; check the reward that produced them.")

    @property
    def gain(self) -> Floats:
        """The same reward as the gain of `theory.layers.Layers`: [T, S, V]."""
        gain: Floats = self.unit * self.units.astype(np.float64)
        gain[:, :, EOS] += self.terminal[:, None]
        return gain


class Mass(NamedTuple):
    """What blocks from each of the states A bring: by tokens and units where they end, by state and units if not."""

    ended: Floats
    """[A, M, W]"""
    open: Floats
    """[A, S, W]"""


@dataclass(frozen=True, eq=False)
class Blocks:
    """The base law of the blocks drawn from step `start` in each of `states`.

    lowest: the units of the first entry of the axis W. sums: for each further gain f, the expectation of f's sum along
    the block times the indicator of the entry.
    """

    start: int
    states: Integers
    lowest: int
    mass: Mass
    sums: tuple[Mass, ...]


def block_laws(
    layers: Layers, log_policy: Floats, reward: Reward, M: int, further: Sequence[Floats] = ()  # noqa: N803
) -> list[Blocks]:  # fmt: skip
    """The laws of all blocks of M tokens under log_policy; further: gains [T, S, V] whose sums are wanted.

    Raises ValueError unless M is an integer >= 1, and on a bad policy.
    """
    if not isinstance(M, int) or M < 1:
        raise ValueError(f"the block size M must be an integer >= 1, not {M}.")
    pi = np.exp(checked_policy(layers, log_policy))
    if reward.units.shape != pi.shape:
        raise ValueError(f"the reward's units must have the shape {pi.shape}, not {reward.units.shape}.")
    every = np.arange(layers.n_states)
    return [
        _blocks(layers.successor, pi, reward.units, (start, min(M, layers.horizon - start)),
                every if start else every[:1], further)
        for start in range(0, layers.horizon, M)
    ]  # fmt: skip


def _blocks(
    successor: Integers, pi: Floats, units: Integers, span: tuple[int, int], states: Integers, further: Sequence[Floats]
) -> Blocks:
    """Push the mass of every start, and its sums of the further gains, through the steps of one block."""
    start, n_steps = span
    steps = range(start, start + n_steps)
    lowest = sum(min(0, int(units[t].min())) for t in steps)
    width = sum(max(0, int(units[t].max())) for t in steps) - lowest + 1
    n_states, n_starts = pi.shape[1], len(states)
    here = np.zeros((1 + len(further), n_states, n_starts, width))
    here[0, states, np.arange(n_starts), -lowest] = 1.0
    ended = np.zeros((1 + len(further), n_starts, n_steps, width))
    for t in steps:
        ahead = np.zeros((len(here), n_states + 1, n_starts, width))  # the state after EOS is the last
        for g in np.unique(units[t][pi[t] > 0]).tolist():
            moved = _carried(here, np.where(units[t] == g, pi[t], 0.0), successor, [f[t] for f in further])
            ahead[..., max(g, 0) : width + min(g, 0)] += moved[..., max(-g, 0) : width - max(g, 0)]
        ended[:, :, t - start] = ahead[:, -1]
        here = ahead[:, :-1]
    masses = [Mass(done, open_.swapaxes(0, 1)) for done, open_ in zip(ended, here, strict=True)]
    return Blocks(start, states, lowest, masses[0], tuple(masses[1:]))


def _carried(here: Floats, pi: Floats, successor: Integers, gains: Sequence[Floats]) -> Floats:
    """Mass [S, ...] and sums after one token, [S + 1, ...]: a sum grows by its gain times the mass that moves."""
    source, token = np.nonzero(pi)
    goal = np.where(token == EOS, len(pi), successor[source, token])
    flat = here.reshape(*here.shape[:2], -1)

    def move(weight: Floats, amount: Floats) -> Floats:
        step = csr_array((weight[source, token], (goal, source)), shape=(len(pi) + 1, len(pi)))
        return np.asarray(step @ amount)

    moved = [move(pi, amount) for amount in flat]
    for i, gain in enumerate(gains):
        moved[1 + i] += move(pi * gain, flat[0])
    return np.stack(moved).reshape(len(here), len(pi) + 1, *here.shape[2:])
