"""The smallest worlds in which controlled decoding has a future: two tokens are drawn, then the reward is known."""

from dataclasses import dataclass

import numpy as np

from theory.arrays import Array, expectation
from theory.claims.optimality import simplex


@dataclass(frozen=True)
class TwoSteps:
    """A batch of base models over strings z1 z2 with a reward, and the values V* of their prefixes under the base.

    log_first: [B, n]; log_second: [B, n, n], given z1; reward: [B, n, n]; values: [B, n], V*(z1); value: [B], V*().
    """

    log_first: Array
    log_second: Array
    reward: Array

    @property
    def values(self) -> Array:
        return expectation(self.log_second, self.reward)

    @property
    def value(self) -> Array:
        return expectation(self.log_first, self.values)


def two_steps(rng: np.random.Generator, batch: int, size: int, floor: float, low: float, high: float) -> TwoSteps:
    """Random worlds with Dirichlet(1/2) steps, no step below `floor`, and rewards uniform in [low, high]."""
    second = simplex(rng, batch * size, size, floor).reshape(batch, size, size)
    reward = rng.uniform(low, high, size=second.shape)
    return TwoSteps(simplex(rng, batch, size, floor), second, reward)
