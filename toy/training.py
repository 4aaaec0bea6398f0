"""What on-line training of a tabular softmax policy needs: batches of answers, gradients, advantages, Adam."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from theory.arrays import normalised, shaped
from theory.layers import Floats, Integers, Layers, expected_gain, sample, sequence_kl


@dataclass(frozen=True)
class Training:
    """How long and how fast: `steps` batches of `batch` answers, Adam's step size `rate` falling to 0 linearly.

    reports: rows of history, evenly spaced. For PPO alone: epochs, passes over each batch; clip, the range of the
    ratio; trace, lambda of the generalised advantage. Raises ValueError on a number out of its range.
    """

    steps: int = 600
    batch: int = 256
    rate: float = 0.03
    reports: int = 6
    epochs: int = 4
    clip: float = 0.2
    trace: float = 0.95

    def __post_init__(self) -> None:
        if self.batch < 2 or not 1 <= self.reports <= self.steps or self.epochs < 1:
            raise ValueError("training needs batch >= 2, steps >= reports >= 1 and epochs >= 1.")
        if not (self.rate > 0 and 0 < self.clip < 1 and 0 <= self.trace <= 1):
            raise ValueError("training needs rate > 0, 0 < clip < 1 and 0 <= trace <= 1.")

    @property
    def reported(self) -> list[int]:
        """The steps after which the policy is reported; the last is among them."""
        return [int(k) for k in np.linspace(0, self.steps, self.reports + 1)[1:].round()]


@dataclass(frozen=True, eq=False)
class Trained:
    """The last policy, log_policy [T, S, V], and how it came about: columns step, reward, kl (nats), both exact."""

    log_policy: Floats
    history: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Batch:
    """Sampled answers: cells [n, T], the index (t S + s) V + a of each token; alive [n, T]; paid [n, T], its gain."""

    cells: Integers
    alive: NDArray[np.bool_]
    paid: Floats

    @property
    def reward(self) -> Floats:
        """The reward of each whole answer: [n]."""
        return np.asarray(self.paid.sum(axis=-1))

    def of_tokens(self, table: Floats) -> Floats:
        """A table [T, S, V] read at each token, 0 after the end: [n, T]."""
        return np.where(self.alive, table.ravel()[self.cells], 0.0)


def drawn(layers: Layers, log_policy: Floats, count: int, rng: np.random.Generator) -> Batch:
    """`count` answers of a policy [T, S, V]."""
    tokens, states, lengths = sample(layers, log_policy, count, rng)
    steps = np.arange(layers.horizon)
    alive = steps < lengths[:, None]
    cells = np.ravel_multi_index((np.broadcast_to(steps, tokens.shape), states, tokens), layers.log_p.shape)
    return Batch(cells, alive, np.where(alive, layers.gain.ravel()[cells], 0.0))


def log_ratio(layers: Layers, log_policy: Floats) -> Floats:
    """log pi - log p, 0 for the tokens that the base law forbids: [T, S, V]. Raises ValueError on another shape."""
    shaped(log_policy, layers.log_p.shape, "log_policy")
    possible = layers.log_p > -np.inf
    return np.where(possible, log_policy, 0.0) - np.where(possible, layers.log_p, 0.0)


def logit_gradient(log_policy: Floats, batch: Batch, weights: Floats) -> Floats:
    """sum_i weights_i d log pi(token i) / d logits, the token's weight less pi times its state's: [T, S, V].

    weights: [n, T], or [n, 1] for a weight of the whole answer.
    """
    shared = np.broadcast_to(weights, batch.cells.shape)[batch.alive]
    taken = np.bincount(batch.cells[batch.alive], weights=shared, minlength=log_policy.size)
    taken = taken.reshape(log_policy.shape)
    return np.asarray(taken - np.exp(log_policy) * taken.sum(axis=-1, keepdims=True))


def clipped_slope(ratio: Floats, advantage: Floats, clip: float) -> Floats:
    """d/d log pi of min(ratio A, clip(ratio, 1 - clip, 1 + clip) A): ratio A, or 0 once the clipped term is less.

    Source: Schulman et al. 2017, equation 7.

    >>> clipped_slope(np.array([1.1, 1.3, 1.3, 0.7]), np.array([1.0, 1.0, -1.0, -1.0]), 0.2).tolist()
    [1.1, 0.0, -1.3, 0.0]
    """
    moved_on = np.where(advantage > 0, ratio > 1 + clip, ratio < 1 - clip)
    return np.where(moved_on, 0.0, ratio * advantage)


def advantages(paid: Floats, expected: Floats, trace: float) -> Floats:
    """Generalised advantages sum_k lambda^k delta_(t + k), delta_t = paid_t + V_(t + 1) - V_t, without discount.

    paid: [n, T], what each token earns, 0 after the end; expected: [n, T], V of the state before it, 0 after the end;
    trace: lambda. Returns [n, T]. Raises ValueError on other shapes.
    Source: Schulman et al. 2016 (1506.02438), equation 16.

    >>> advantages(np.array([[0.0, 1.0]]), np.array([[0.5, 0.25]]), 1.0).tolist()
    [[0.5, 0.75]]
    """
    shaped(expected, shaped(paid, (None, None), "paid").shape, "expected")
    surprise = np.subtract(paid, expected, dtype=float)  # of whole numbers as well
    surprise[:, :-1] += expected[:, 1:]
    tail, found = np.zeros(len(paid)), np.zeros_like(surprise)
    for t in reversed(range(paid.shape[1])):
        tail = surprise[:, t] + trace * tail
        found[:, t] = tail
    return found


class Descent:
    """A policy [T, S, V] that starts at the base law and descends by Adam on its logits (Kingma and Ba 2014)."""

    def __init__(self, layers: Layers, rate: float, updates: int) -> None:
        self.log_policy = layers.log_p
        self._forbidden = layers.log_p == -np.inf
        self._logits = np.where(self._forbidden, 0.0, layers.log_p)
        self._mean, self._square = np.zeros_like(self._logits), np.zeros_like(self._logits)
        self._rate, self._updates, self._done = rate, updates, 0

    def step(self, gradient: Floats) -> None:
        """Move the logits against the gradient of a loss, the k-th of K times by rate (1 - k / K) Adam's direction."""
        left = 1 - self._done / self._updates
        self._done += 1
        self._mean += 0.1 * (gradient - self._mean)
        # A memory of 100 steps: with Adam's customary 1,000 a token seen once would jump far.
        self._square += 0.01 * (gradient**2 - self._square)
        mean, square = self._mean / (1 - 0.9**self._done), self._square / (1 - 0.99**self._done)
        self._logits -= self._rate * left * mean / (np.sqrt(square) + 1e-8)
        self.log_policy = normalised(np.where(self._forbidden, -np.inf, self._logits))


def report(layers: Layers, log_policy: Floats, step: int) -> dict[str, float]:
    """One row of history: the exact expected reward and the exact sequence-level KL to the base law, in nats."""
    return {"step": step, "reward": expected_gain(layers, log_policy), "kl": sequence_kl(layers, log_policy)}
