"""What every reward is given: a prompt's answers, with all that a reward may read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from empirical.errors import InputError

Floats = NDArray[np.float64]


class RewardError(InputError):
    """A reward cannot be loaded or does not fit the model; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Scored:
    """A prompt's answers with all that a reward may read: features [n, hidden], log-probabilities [n] in nats."""

    prompt: str
    token_ids: Sequence[Sequence[int]]
    features: torch.Tensor | None
    log_prior: Floats
    log_aligned: Floats


class Reward(Protocol):
    """A reward reads the prior's features of one block (`layer`), or none."""

    @property
    def layer(self) -> int | None: ...

    def score(self, scored: Scored) -> Floats:
        """The reward of each answer, [n]."""
        ...

    def describe(self) -> str:
        """A name that changes when the reward does."""
        ...


def rewards_of(reward: Reward, scored: Scored) -> Floats:
    """The reward of each answer, [n], checked. Raises RewardError unless it is one finite number an answer."""
    values = np.asarray(reward.score(scored), dtype=float)
    if values.shape != (len(scored.token_ids),) or not np.isfinite(values).all():
        raise RewardError(
            f"The reward {reward.describe()} gave {values.size} values, {int(np.isfinite(values).sum())} of them "
            f"finite, to {len(scored.token_ids)} answers; it must give one finite number each."
        )
    return values
