"""Exact finite language models: every string up to a length, its probability, and what an adaptor makes of it.

A tree holds one row of next-token log-probabilities per prefix. Tokens 0 .. n-1 are symbols and token n is EOS, the
only token left at the greatest length. A prefix followed by EOS is one complete string, so prefixes and strings share
one axis of length M = 1 + n + ... + n^depth, ordered by length, then lexicographically.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import Adaptor, local
from theory.arrays import logsumexp, normalised, validated, with_axes

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tree:
    """A language model over strings of bounded length, given by its next-token log-probabilities.

    log_steps: [..., M, n + 1] nats, EOS last. Raises ValueError on NaN, a row that is not normalised, a number of
    rows that no depth explains, or a symbol allowed at the greatest length.
    """

    log_steps: Floats

    def __post_init__(self) -> None:
        validated(with_axes(self.log_steps, 2, "log_steps"), "log_steps")
        # Sums of exponentials of float64 log-probabilities as low as -700 err by 700 ulp, about 1e-13.
        if np.abs(logsumexp(self.log_steps)).max() > 1e-9:
            raise ValueError("log_steps has a row whose probabilities do not sum to 1.")
        last = self.level_sizes[-1]
        if np.any(self.log_steps[..., -last:, :-1] > -np.inf):
            raise ValueError("log_steps allows a symbol at the greatest length, where only EOS may follow.")

    @property
    def n_symbols(self) -> int:
        """The size of the alphabet, EOS not counted."""
        return int(self.log_steps.shape[-1]) - 1

    @cached_property
    def level_sizes(self) -> list[int]:
        """The number of prefixes of each length, shortest first."""
        return _level_sizes(self.n_symbols, self.log_steps.shape[-2])

    @cached_property
    def log_prob(self) -> Floats:
        """log p(y) of every complete string y: [..., M] nats; they sum to 1 (a finite tree is tight)."""
        return path_products(self.log_steps)


@dataclass(frozen=True, eq=False)
class Adapted:
    """A tree after an adaptor: the locally normalised model and the globally normalised law.

    log_kept: [..., M], sum_t log Z_t of each string; log_scores: [..., M], sum_t log f(p)(y_t | y_<t), un-normalised.
    """

    local: Tree
    log_kept: Floats
    log_scores: Floats

    @property
    def log_z(self) -> Floats:
        """log Z of the global law, [...]: Z = sum_y prod_t f(p)(y_t | y_<t). Source: Tan et al., equation 7."""
        return np.asarray(logsumexp(self.log_scores))

    @property
    def log_global(self) -> Floats:
        """Log-probabilities of the globally normalised law, [..., M]. Source: Tan et al., equation 6."""
        return np.asarray(normalised(self.log_scores))


def adapted(tree: Tree, adaptor: Adaptor) -> Adapted:
    """Apply an adaptor at every step of every string. Source: Tan et al., equations 5 to 8.

    Raises ValueError where the adaptor leaves no token after some prefix.

    >>> from theory.adaptors import top_k
    >>> tree, _ = from_scores(np.log([0.3, 0.5, 0.2]), 2)
    >>> np.exp(adapted(tree, top_k(2)).log_global).round(3).tolist()
    [0.375, 0.625, 0.0]
    """
    log_w = validated(adaptor(tree.log_steps), f"{adaptor.name} of some step")
    log_q, log_kept = local(adaptor, tree.log_steps)
    every_token = np.broadcast_to(log_kept[..., None], log_q.shape)
    return Adapted(Tree(log_q), path_products(every_token), path_products(log_w))


def aligned(prior: Tree, reward: Floats, beta: float = 1.0) -> tuple[Tree, Floats]:
    """The aligned model as a tree of its own, with log Z: p_plus(y) = p(y) e^(r(y) / beta) / Z.

    reward: [..., M], one a string, -inf allowed. Its steps are p(a | s) E[e^(r/beta) | s a], normalised.
    Raises ValueError on NaN or +inf, on beta <= 0, and where Z = 0. Source: Tan et al., equations 1 and 2.
    """
    if not 0 < beta < np.inf:
        raise ValueError(f"beta must be a positive number, not {beta}.")
    return from_scores(
        validated(prior.log_prob + validated(reward, "reward") / beta, "log p + r/beta"), prior.n_symbols
    )


def from_scores(log_scores: Floats, n_symbols: int) -> tuple[Tree, Floats]:
    """The tree whose law is exp(log_scores) / Z, and log Z: [..., M] -> (Tree, [...]).

    After a prefix of mass zero, which no string visits, EOS is certain. Raises ValueError on NaN or Z = 0.
    """
    sizes = _level_sizes(n_symbols, with_axes(log_scores, 1, "log_scores").shape[-1])
    by_level = np.split(validated(log_scores, "log_scores"), np.cumsum(sizes)[:-1], axis=-1)
    batch = log_scores.shape[:-1]
    inside = np.full((*batch, sizes[-1] * n_symbols), -np.inf)  # log-mass below each child of the level at hand
    steps = []
    for level in reversed(by_level):
        log_w = np.concatenate([inside.reshape(*batch, -1, n_symbols), level[..., None]], axis=-1)
        dead = np.all(log_w == -np.inf, axis=-1)
        log_w[..., -1] = np.where(dead, 0.0, log_w[..., -1])
        log_mass = np.asarray(logsumexp(log_w))
        steps.append(log_w - log_mass[..., None])
        inside = np.where(dead, -np.inf, log_mass)
    return Tree(np.concatenate(steps[::-1], axis=-2)), np.asarray(inside[..., 0])


def path_products(log_steps: Floats) -> Floats:
    """Sum the steps along every complete string, its EOS included: [..., M, n + 1] -> [..., M].

    Raises ValueError where no depth explains the number of rows.
    """
    n_symbols = with_axes(log_steps, 2, "log_steps").shape[-1] - 1
    log_prefix = [np.zeros((*log_steps.shape[:-2], 1))]
    start = 0
    for size in _level_sizes(n_symbols, log_steps.shape[-2])[:-1]:
        children = log_prefix[-1][..., None] + log_steps[..., start : start + size, :-1]
        log_prefix.append(children.reshape(*children.shape[:-2], -1))
        start += size
    return np.asarray(np.concatenate(log_prefix, axis=-1) + log_steps[..., -1])


def strings(n_symbols: int, depth: int) -> list[tuple[int, ...]]:
    """Every string of length <= depth, in the order of the axis M.

    >>> strings(2, 1)
    [(), (0,), (1,)]
    """
    return [string for length in range(depth + 1) for string in product(range(n_symbols), repeat=length)]


def random_tree(
    n_symbols: int, depth: int, rng: np.random.Generator, concentration: float = 1.0, batch: tuple[int, ...] = ()
) -> Tree:
    """A tree with steps drawn from a symmetric Dirichlet; log_steps is [*batch, M, n_symbols + 1].

    Raises ValueError unless n_symbols >= 1, depth >= 0 and 0 < concentration < inf.
    """
    if n_symbols < 1 or depth < 0:
        raise ValueError(f"a tree needs n_symbols >= 1 and depth >= 0, not {n_symbols} and {depth}.")
    n_prefixes = sum(n_symbols**length for length in range(depth + 1))
    log_steps = log_dirichlet(n_symbols + 1, rng, concentration, (*batch, n_prefixes))
    log_steps[..., -(n_symbols**depth) :, :] = [-np.inf] * n_symbols + [0.0]
    return Tree(log_steps)


def log_dirichlet(n: int, rng: np.random.Generator, concentration: float = 1.0, batch: tuple[int, ...] = ()) -> Floats:
    """Log of symmetric Dirichlet draws, [*batch, n]: never -inf, however small the concentration.

    Uses Gamma(a) = Gamma(a + 1) U^(1/a) in log space, where a draw of Gamma(a) itself would underflow.
    Raises ValueError unless 0 < concentration < inf.
    """
    if not 0 < concentration < np.inf:
        raise ValueError(f"concentration must be a positive number, not {concentration}.")
    shape = (*batch, n)
    log_uniform = np.log1p(-rng.random(shape))
    return np.asarray(normalised(np.log(rng.standard_gamma(concentration + 1, shape)) + log_uniform / concentration))


def _level_sizes(n_symbols: int, n_prefixes: int) -> list[int]:
    sizes = [1]
    while n_symbols >= 1 and sum(sizes) < n_prefixes:  # without symbols no level adds a prefix
        sizes.append(sizes[-1] * n_symbols)
    if n_symbols < 1 or sum(sizes) != n_prefixes:
        raise ValueError(f"{n_prefixes} prefixes over {n_symbols} symbols are no tree: 1 + n + ... + n^depth is.")
    return sizes
