"""Random finite worlds, and the enumeration and linear algebra that backward induction is checked against."""

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from theory.arrays import normalised
from theory.language_models import Floats, Tree, random_tree, strings
from theory.values import Values

SYMBOLS, DEPTH, BATCH = 2, 3, 1000


def random_world(
    rng: np.random.Generator, low: float, high: float, depth: int = DEPTH, batch: int = BATCH
) -> tuple[Tree, Floats]:
    """Dirichlet(1) steps over two symbols and EOS, and rewards uniform in [low, high]: [batch, M]."""
    tree = random_tree(SYMBOLS, depth, rng, batch=(batch,))
    return tree, rng.uniform(low, high, size=tree.log_steps.shape[:-1])


def hard_worlds(rng: np.random.Generator) -> dict[str, tuple[Tree, Floats]]:
    """Worlds in which a rule may break: rewards that tie, steps that are impossible or all but, rewards of any size."""
    tree, reward = random_world(rng, -1.0, 1.0)
    chosen_out = rng.random(tree.log_steps.shape) < 0.25
    chosen_out[..., -1] = False  # every string may end
    return {
        "rewards tie": (tree, np.sign(np.round(reward))),
        "some steps have probability 0": (Tree(normalised(np.where(chosen_out, -np.inf, tree.log_steps))), reward),
        "some steps have e^-200 of theirs": (Tree(normalised(tree.log_steps - 200.0 * chosen_out)), reward),
        "rewards of up to 300": (tree, 300.0 * reward),
    }


def random_grader(rng: np.random.Generator, depth: int = DEPTH, batch: int = BATCH, share: float = 0.4) -> Floats:
    """log D of a grader D in {0, 1} that passes each string with probability `share`, the last one always."""
    passed = rng.random((batch, len(strings(SYMBOLS, depth)))) < share
    passed[:, -1] = True
    return np.where(passed, 0.0, -np.inf)


@cache
def passing(depth: int = DEPTH) -> NDArray[np.float64]:
    """1 where string y runs through prefix s, else 0: [M strings, M prefixes]."""
    every = strings(SYMBOLS, depth)
    return np.array([[float(y[: len(s)] == s) for s in every] for y in every])


def given_prefix(law: Floats, x: Floats, depth: int = DEPTH) -> Floats:
    """E[x | s] at every prefix s by summing over all strings: law and x [..., M] -> [..., M]."""
    through = passing(depth)
    mass = law @ through
    # A prefix that no string of the law has leaves the mean undefined.
    return np.asarray(np.divide((law * x) @ through, mass, out=np.full_like(mass, np.nan), where=mass > 0))


def enumerated(law: Floats, reward: Floats, depth: int = DEPTH) -> Values:
    """V(s) = E[r | s] and Q(s, a) = E[r | s a] under a law of strings, by summing over them."""
    state = given_prefix(law, reward, depth)
    inner = (state.shape[-1] - 1) // SYMBOLS
    symbols = np.zeros((*state.shape, SYMBOLS))
    # Prefixes are ordered by length, then lexicographically, so the children of all inner ones are 1, 2, 3, ...
    symbols[..., :inner, :] = state[..., 1:].reshape(*state.shape[:-1], inner, SYMBOLS)
    return Values(state, np.concatenate([symbols, reward[..., None]], axis=-1))


def transitions(tree: Tree) -> Floats:
    """A[s, s a] = p(a | s) over the prefixes; what a row lacks is P(EOS | s). [..., M, M]."""
    steps = np.exp(tree.log_steps)
    matrix = np.zeros((*steps.shape[:-1], steps.shape[-2]))
    for s in range((steps.shape[-2] - 1) // SYMBOLS):
        matrix[..., s, 1 + SYMBOLS * s : 1 + SYMBOLS * (s + 1)] = steps[..., s, :SYMBOLS]
    return matrix


def solved(tree: Tree, reward: Floats) -> Floats:
    """V = (I - A)^(-1) (P(EOS | s) r(s)): [..., M]."""
    ended = np.exp(tree.log_steps[..., -1]) * reward
    return np.asarray(np.linalg.solve(np.eye(ended.shape[-1]) - transitions(tree), ended[..., None])[..., 0])


def apart(a: Tree, b: Tree) -> Floats:
    """The largest difference of any string's probability: [...]."""
    return np.asarray(np.abs(np.exp(a.log_prob) - np.exp(b.log_prob)).max(axis=-1))


def chosen(choice: NDArray[np.int64]) -> Tree:
    """The deterministic policy that takes token choice[..., s] after prefix s: [..., M] integers."""
    return Tree(np.where(np.arange(SYMBOLS + 1) == choice[..., None], 0.0, -np.inf))


def all_policies(depth: int) -> Tree:
    """Every deterministic policy over strings of length <= depth, as one batch: 3^(inner prefixes) of them."""
    size = len(strings(SYMBOLS, depth))
    inner = (size - 1) // SYMBOLS
    choices = np.full((SYMBOLS + 1) ** inner * size, SYMBOLS).reshape(-1, size)
    choices[:, :inner] = list(product(range(SYMBOLS + 1), repeat=inner))
    return chosen(choices)
