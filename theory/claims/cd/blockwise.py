"""Equation 7: K blocks of M tokens are drawn, the one with the best prefix score stays, and so on until EOS."""

from collections.abc import Callable

import numpy as np

from theory.arrays import Array
from theory.best_of import best_of
from theory.claims.cd.best_of_k import tournament
from theory.claims.optimality import ROUNDING
from theory.claims.trees import SYMBOLS, random_world
from theory.language_models import Floats, Tree, strings
from theory.ledger import Evidence, at_most, claim, rejects
from theory.values import hard_values

DEPTH = 2
Winner = Callable[[Array, Array], Array]
"""(probabilities of the blocks, their scores) -> the law of the accepted block."""


def blocks(tree: Tree, state: Floats, reward: Floats, start: int, M: int) -> list[tuple[int, bool, Floats, Floats]]:  # noqa: N803
    """Every block of up to M tokens after prefix `start`: (prefix reached, ended, probability [...], score [...]).

    state, reward: [..., prefixes]. A block stops at EOS, and is then scored by its reward.
    """
    every, found, open_ends = strings(SYMBOLS, DEPTH), [], [(start, np.ones(reward.shape[:-1]))]
    for _ in range(M):
        reached = []
        for s, mass in open_ends:
            steps = np.exp(tree.log_steps[..., s, :])
            found.append((s, True, mass * steps[..., -1], reward[..., s]))
            if len(every[s]) < DEPTH:
                reached += [(every.index((*every[s], a)), mass * steps[..., a]) for a in range(SYMBOLS)]
        open_ends = reached
    return found + [(s, False, mass, state[..., s]) for s, mass in open_ends]


def blockwise(tree: Tree, state: Floats, reward: Floats, M: int, winner: Winner) -> Floats:  # noqa: N803
    """The law of the accepted string, [..., strings], by following every accepted block."""
    law = np.zeros(reward.shape)
    pending = [(0, np.ones(reward.shape[:-1]))]
    while pending:
        start, mass = pending.pop()
        candidates = blocks(tree, state, reward, start, M)
        p, scores = (np.stack([block[column] for block in candidates], axis=-1) for column in (2, 3))
        for (s, ended, _, _), share in zip(candidates, np.moveaxis(winner(p, scores), -1, 0), strict=True):
            if ended:
                law[..., s] += mass * share
            else:
                pending.append((s, mass * share))
    return law


@claim(
    "cd.eq7",
    paper="cd",
    where="Equation 7",
    kind="algorithm",
    statement="Blockwise control accepts the block of M tokens with the best prefix score out of K, until one ends. "
    "With M ≥ |y| and V = r at EOS it is best-of-K of whole answers; with M = 1 it is best-of-K at every token.",
    verdict="holds-with-assumption",
    assumptions="Ties go to either block by chance; a block ends at EOS, where its score is the reward.",
)
def accepted(rng: np.random.Generator) -> Evidence:
    """The closed form of the winner's law against all tuples of drawn blocks; the two extremes."""
    tree, reward = random_world(rng, -1.0, 1.0, DEPTH)
    reward[::2] = np.sign(reward[::2])  # ties
    world = tree, hard_values(tree, reward).state, reward
    exact = {M: blockwise(*world, M, lambda p, scores: tournament(p, scores, 2)) for M in (1, 2, 3)}
    drawn = [_worst(blockwise(*world, M, closed(2)), law) for M, law in exact.items()]
    lowest = _worst(blockwise(*world, 2, lambda p, scores: closed(2)(p, _ranked(scores))), exact[2])
    yield at_most("each block's winner", oracle="all pairs of blocks", residuals=np.ravel(drawn), tolerance=ROUNDING)
    yield rejects("ties to the first block of a list", at_most("", oracle="", residuals=lowest, tolerance=1e-3))

    whole, tokens, crossed = [], [], []
    for K in (1, 2, 4, 16):  # noqa: N806
        answers = np.exp(best_of(tree.log_prob, reward, K))
        each = np.exp(Tree(best_of(tree.log_steps, hard_values(tree, reward).action, K)).log_prob)
        found = blockwise(*world, DEPTH + 1, closed(K))
        whole.append(_worst(found, answers))
        tokens.append(_worst(blockwise(*world, 1, closed(K)), each))
        crossed.append(_worst(found, each))
    yield at_most("M ≥ |y|: best-of-K of answers", oracle="best-of-K", residuals=np.ravel(whole), tolerance=ROUNDING)
    yield at_most("M = 1: best-of-K of tokens", oracle="best-of-K", residuals=np.ravel(tokens), tolerance=ROUNDING)
    yield rejects("both the same", at_most("", oracle="", residuals=np.ravel(crossed), tolerance=1e-3))


def closed(K: int) -> Winner:  # noqa: N803
    """The winner of K blocks by the closed form of best-of-K."""
    return lambda p, scores: np.exp(best_of(np.log(p), scores, K))


def _ranked(scores: Array) -> Array:
    """Scores in which a tie falls to the first of the list."""
    return -np.argsort(np.argsort(-scores, axis=-1, kind="stable"), axis=-1).astype(float)


def _worst(law: Floats, other: Floats) -> Floats:
    return np.asarray(np.abs(law - other).max(axis=-1))
