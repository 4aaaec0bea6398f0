"""Blockwise best-of-K on a layered process, exactly: K blocks of M tokens are drawn, the best one stays, until EOS.

The score of a block is the reward collected in it plus the value of the state where it stops (plus the terminal
reward where it ends). The density of the accepted block under the base law of blocks depends on the score alone, so
sums over (state, collected units) give the law of the answer, its KL and its reward. M >= T is best-of-K of answers.
Source: Mudgal et al., equation 7 (equation 10 of the later version).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from theory.arrays import validated
from theory.best_of import best_of_levels
from theory.block_laws import Blocks, Mass, Reward
from theory.information import kl
from theory.layers import Floats

TIES = 12
"""Decimals of a score: values that symmetry makes equal differ by some 1e-15 after a backward induction."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a rule makes of its answers.

    kl: KL(pi || the law that blocks are drawn from), nats. log_law: [T, W], of (tokens, units), units from `lowest`.
    sums: E_pi of each further gain.
    """

    kl: float
    log_law: Floats
    lowest: int
    sums: tuple[float, ...]


def blockwise(blocks: Sequence[Blocks], reward: Reward, values: Floats, K: int) -> Answers:  # noqa: N803
    """Accept the best of K blocks until one ends; ties fall to either by chance.

    values: [T + 1, S], the prefix scores of open blocks, without what was collected before. Raises ValueError unless
    K is an integer >= 1, and on values of another shape or NaN.
    """
    shape = (len(reward.terminal) + 1, blocks[0].mass.open.shape[1])
    if values.shape != shape:
        raise ValueError(f"values must have the shape {shape}, not {values.shape}.")
    if np.isnan(values).any():
        raise ValueError("values contains NaN; check the scorer that produced it.")
    width = sum(block.mass.open.shape[-1] - 1 for block in blocks) + 1
    later = sum(block.lowest for block in blocks)  # the lowest units that the blocks to come may bring
    lowest, reached = later, np.ones((1, 1))  # mass of the next block's starts, by units so far
    law = np.zeros((len(reward.terminal), width))
    divergence, sums = 0.0, np.zeros(len(blocks[0].sums))
    for block in blocks:
        advantage, per_state = _accepted(block, reward, values, K)
        visits = reached.sum(axis=-1)
        divergence += float(visits[visits > 0] @ per_state[visits > 0])
        for i, further in enumerate(block.sums):
            sums[i] += visits @ sum(np.sum(m * a, axis=(1, 2)) for m, a in zip(further, advantage, strict=True))
        ended, still = (m * a for m, a in zip(block.mass, advantage, strict=True))
        extent = reached.shape[-1] + ended.shape[-1] - 1
        finished, onward = np.zeros((ended.shape[1], extent)), np.zeros((still.shape[1], extent))
        for w in range(ended.shape[-1]):
            span = slice(w, w + reached.shape[-1])
            finished[:, span] += ended[:, :, w].T @ reached
            onward[:, span] += still[:, :, w].T @ reached
        later -= block.lowest
        law[block.start : block.start + len(finished), -later : extent - later] += finished
        reached = onward
    log_law = np.log(law, where=law > 0, out=np.full(law.shape, -np.inf))
    return Answers(divergence, log_law, lowest, tuple(sums.tolist()))


def reward_law(answers: Answers, reward: Reward) -> tuple[Floats, Floats]:
    """The law of the reward: its levels, ascending, and their log-probabilities."""
    units = answers.lowest + np.arange(answers.log_law.shape[-1])
    worth = reward.unit * units + reward.terminal[:, None]
    _, first, which = np.unique(np.round(worth, TIES), return_index=True, return_inverse=True)
    mass = np.bincount(which.ravel(), weights=np.exp(answers.log_law).ravel())
    return worth.ravel()[first[mass > 0]], np.log(mass[mass > 0])


def _accepted(block: Blocks, reward: Reward, values: Floats, K: int) -> tuple[Mass, Floats]:  # noqa: N803
    """The density of the accepted block under the base law of blocks, and its KL from each state [A]."""
    ended, open_ = block.mass
    n_steps, width = ended.shape[1:]
    worth = reward.unit * (block.lowest + np.arange(width))
    stop = block.start + n_steps
    scores = [
        (worth + reward.terminal[block.start : stop, None]).ravel(),
        (worth + values[stop, :, None]).ravel(),
    ]
    _, which = np.unique(np.round(np.concatenate(scores), TIES), return_inverse=True)
    order = np.argsort(which, kind="stable")
    first = np.flatnonzero(np.diff(which[order], prepend=-1))
    drawn = np.concatenate([ended.reshape(len(ended), -1), open_.reshape(len(open_), -1)], axis=-1)
    mass = np.add.reduceat(drawn[:, order], first, axis=-1)
    log_mass = np.log(mass, where=mass > 0, out=np.full(mass.shape, -np.inf))
    log_kept = best_of_levels(validated(log_mass), K)
    some = mass > 0
    density = np.exp(np.where(some, log_kept, 0.0) - np.where(some, log_mass, 0.0))[:, which]
    split = n_steps * width
    accepted = Mass(density[:, :split].reshape(ended.shape), density[:, split:].reshape(open_.shape))
    return accepted, kl(log_kept, log_mass)
