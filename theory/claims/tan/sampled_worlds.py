"""Worlds in which a sampler's output is held against the exact law, by one test of known size and power."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from theory.adaptors import compose, temperature, top_k
from theory.language_models import Adapted, Tree, adapted, random_tree
from theory.ledger import Check, at_most

Floats = NDArray[np.float64]
WORLDS = 12
SIZE = 1e-6
"""The probability that a right sampler fails in any of the worlds, by the chi-square limit of the test."""
RARE = 0.05
"""Rarest strings are lumped up to this mass, so that every cell expects a hundred draws or more."""
ADAPTOR = compose(temperature(0.7), top_k(2))


@dataclass(frozen=True, eq=False)
class World:
    """One tree, its log-weights log w = Σ log Z_t [M], its law p_glob [M] and the cell of every string [M]."""

    prior: Tree
    run: Adapted
    log_w: Floats
    law: Floats
    cells: NDArray[np.int64]

    @property
    def z(self) -> float:
        """Z = Σ_y Π_t f(p)(y_t | y_<t)."""
        return float(np.exp(self.run.log_z))

    def counts(self, strings: NDArray[np.int64], weights: Floats | float = 1.0) -> Floats:
        """The mass in every cell, of each string on its own: [..., cells]."""
        inside = self.cells[strings][..., None] == np.arange(self.cells.max() + 1)
        return np.asarray(inside * np.asarray(weights)[..., None])

    def expected(self, law: Floats) -> Floats:
        """A law on strings as one on cells."""
        return np.asarray(np.bincount(self.cells, weights=law), dtype=np.float64)


Sampler = Callable[[World, np.random.Generator], tuple[Floats, Floats]]
"""A world and a generator -> independent vectors [n, cells], and the exact mean that they should have [cells]."""


def random_sampled_world(rng: np.random.Generator) -> World:
    """A tree of depth 2 over two symbols, no token below probability 1/5 before the adaptor cuts."""
    steps = np.log(0.2 + 0.4 * np.exp(random_tree(2, 2, rng).log_steps[:-4]))
    prior = Tree(np.concatenate([steps, random_tree(2, 2, rng).log_steps[-4:]]))
    one = adapted(prior, ADAPTOR)
    law = np.exp(one.log_global)
    order = np.argsort(law)
    lumped = np.cumsum(law[order]) - law[order] < RARE
    lumped[-1] = False  # else a string with nearly all the mass would leave one cell and nothing to test
    cells = np.zeros(law.size, dtype=np.int64)
    cells[order] = np.where(lumped, 0, np.cumsum(~lumped))
    return World(prior, one, one.log_kept, law, cells)


def agrees(name: str, sampler: Sampler, worlds: list[World], rng: np.random.Generator) -> Check:
    """T² = n (mean - μ)ᵀ S⁺ (mean - μ) over its critical value, S the covariance of n independent vectors."""
    ratios = []
    for world in worlds:
        vectors, mean = sampler(world, rng)
        gap = vectors.mean(axis=0) - mean
        spread = np.cov(vectors, rowvar=False)
        # Counts that always sum to 1 have one direction without variance, at the level of rounding.
        rank = int(np.linalg.matrix_rank(spread, rtol=1e-9, hermitian=True))
        distance = len(vectors) * gap @ np.linalg.pinv(spread, rcond=1e-9, hermitian=True) @ gap
        ratios.append(float(distance) / _critical(rank))
    oracle = f"enumeration, one test of size {SIZE:g} over {WORLDS} worlds"
    return at_most(f"{name}: T² over its critical value", oracle=oracle, residuals=ratios, tolerance=1.0)


def second_kind(world: World, draws: int) -> float:
    """The chance that n draws of p_loc pass for draws of p_glob in this world."""
    wrong, right = (world.expected(law) for law in (np.exp(world.run.local.log_prob), world.law))
    live = wrong > 0
    shift = draws * float(((wrong - right)[live] ** 2 / wrong[live]).sum())
    return float(stats.ncx2.cdf(_critical(int(live.sum()) - 1), int(live.sum()) - 1, shift))


def _critical(degrees: int) -> float:
    return float(stats.chi2.isf(SIZE / WORLDS, degrees))
