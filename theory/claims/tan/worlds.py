"""Instances shared by the claims of Tan et al.: priors with rewards, adaptors, and a law over endless strings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom

from theory.adaptors import (
    Adaptor,
    ancestral,
    compose,
    eta,
    locally_typical,
    min_p,
    nucleus,
    temperature,
    top_k,
)
from theory.language_models import Tree, aligned, random_tree

Floats = NDArray[np.float64]

ADAPTORS: tuple[Adaptor, ...] = (
    ancestral(),
    temperature(0.5),
    temperature(1.5),
    top_k(2),
    nucleus(0.8),
    eta(0.2),
    locally_typical(0.7),
    min_p(0.3),
    compose(temperature(1.5), top_k(2)),
    compose(nucleus(0.8), temperature(0.7)),
)


@dataclass(frozen=True, eq=False)
class World:
    """A batch of priors p with rewards r [..., M], and p_plus = p e^(r / beta) / Z with log Z [...]."""

    prior: Tree
    reward: Floats
    beta: float
    aligned: Tree
    log_z: Floats


def random_world(rng: np.random.Generator, n_symbols: int, depth: int, batch: tuple[int, ...], beta: float) -> World:
    """Dirichlet(1) steps and rewards uniform on [-3, 3], independent of the prior."""
    prior = random_tree(n_symbols, depth, rng, batch=batch)
    reward = rng.uniform(-3, 3, prior.log_prob.shape)
    return World(prior, reward, beta, *aligned(prior, reward, beta))


@dataclass(frozen=True)
class Geometric:
    """A model over endless strings: EOS with probability e at every step, else one of m symbols, all alike.

    A string of length n has log-probability log e + n log((1 - e) / m), so a corpus of N strings is known by its total
    length, which is negative binomial.
    """

    m: int
    e: float

    @property
    def log_symbol(self) -> float:
        """log((1 - e) / m), nats."""
        return float(np.log1p(-self.e) - np.log(self.m))

    @property
    def entropy(self) -> float:
        """H = -log e - E[n] log((1 - e) / m), nats."""
        return float(-np.log(self.e) - (1 - self.e) / self.e * self.log_symbol)

    @property
    def varentropy(self) -> float:
        """V = Var[n] log((1 - e) / m)^2, squared nats."""
        return (1 - self.e) / self.e**2 * self.log_symbol**2

    def outside(self, size: int, centre: float, epsilon: float, per_symbol: float, per_string: float) -> float:
        """Exactly P(|per_string + per_symbol L / N - centre| >= epsilon), L the total length of N strings."""
        ends = sorted(size * (centre - per_string + side * epsilon) / per_symbol for side in (-1, 1))
        # A total length within rounding of an end is counted as outside, as the inequality is not strict.
        low, high = np.floor(ends[0] + 1e-9), np.ceil(ends[1] - 1e-9)
        return float(nbinom.cdf(low, size, self.e) + nbinom.sf(high - 1, size, self.e))


def geometric_models(rng: np.random.Generator, batch: int, least: float = 0.05, most: float = 0.9) -> list[Geometric]:
    """Models of 2 to 26 symbols and p(eos) from `least` to `most`, evenly in its logarithm."""
    ends = np.exp(rng.uniform(np.log(least), np.log(most), batch))
    return [Geometric(m, e) for m, e in zip(rng.integers(2, 27, batch).tolist(), ends.tolist(), strict=True)]
