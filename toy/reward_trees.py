"""Finite worlds in which everything is known: a prior tree, a reward of each string, and the aligned law they make.

X = log p and R = r / beta, both in nats, so that log p_plus = X + R - log Z string by string.
"""

from dataclasses import dataclass

import numpy as np

from theory.arrays import expectation, shaped
from theory.language_models import Floats, Tree, aligned, random_tree


@dataclass(frozen=True, eq=False)
class RewardTree:
    """A batch of priors p with rewards r [..., M] and their aligned models p_plus = p e^(r / beta) / Z."""

    prior: Tree
    reward: Floats
    beta: float
    aligned: Tree

    @property
    def x(self) -> Floats:
        """log p(y) of every string, [..., M] nats."""
        return self.prior.log_prob

    @property
    def r(self) -> Floats:
        """r(y) / beta of every string, [..., M] nats."""
        return np.asarray(self.reward / self.beta)


def reward_tree(prior: Tree, reward: Floats, beta: float = 1.0) -> RewardTree:
    """The world of a prior and a reward, [..., M]. Raises ValueError as `theory.language_models.aligned`."""
    return RewardTree(prior, reward, beta, aligned(prior, reward, beta)[0])


def random_worlds(
    rng: np.random.Generator,
    worlds: int,
    n_symbols: int = 3,
    depth: int = 3,
    strength: float = 1.0,
    correlation: float = 0.0,
) -> RewardTree:
    """Dirichlet(1) priors and Gaussian rewards of a given strength and correlation with log p; beta = 1.

    R = strength (rho x + sqrt(1 - rho^2) u), x = log p standardised under p and u standard normal, one a string: under
    the prior, strength is the standard deviation of R in nats and rho its correlation with X, both in expectation.
    Raises ValueError unless worlds >= 1, strength >= 0 and -1 <= rho <= 1, and as `random_tree`.

    >>> random_worlds(np.random.default_rng(0), 5).reward.shape
    (5, 40)
    """
    if worlds < 1:
        raise ValueError(f"there must be at least one world, not {worlds}.")
    if not 0 <= strength < np.inf:
        raise ValueError(f"the reward's strength must be a number >= 0, not {strength}.")
    if not -1 <= correlation <= 1:
        raise ValueError(f"the correlation must lie in [-1, 1], not {correlation}.")
    prior = random_tree(n_symbols, depth, rng, batch=(worlds,))
    x = prior.log_prob
    centred = x - np.asarray(expectation(x, x))[:, None]
    standardised = centred / np.sqrt(np.asarray(expectation(x, centred**2)))[:, None]
    own = np.sqrt(1 - correlation**2) * rng.standard_normal(x.shape)
    return reward_tree(prior, strength * (correlation * standardised + own))


def single(worlds: RewardTree, number: int) -> RewardTree:
    """One world of a batch, without the batch axis. Raises ValueError unless it is one of 0..B - 1."""
    batch = len(shaped(worlds.reward, (None, None), "a batch of rewards"))
    if not 0 <= number < batch:
        raise ValueError(f"the world's number must lie in 0..{batch - 1}, not {number}.")
    prior, plus = (Tree(tree.log_steps[number]) for tree in (worlds.prior, worlds.aligned))
    return RewardTree(prior, worlds.reward[number], worlds.beta, plus)
