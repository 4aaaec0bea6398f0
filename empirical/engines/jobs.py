"""What an engine is asked for and what it gives: an answer a job, with its log-probability under its own law."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import Adaptor


@dataclass(frozen=True)
class Job:
    """One answer to draw: its prompt's token ids, its adaptor, and one uniform for each step it may take.

    Raises ValueError on an empty prompt or no step.
    """

    prompt: tuple[int, ...]
    adaptor: Adaptor
    uniforms: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not self.prompt:
            raise ValueError("A prompt needs at least one token; give the model's BOS token where there is no text.")
        if len(self.uniforms) < 1:
            raise ValueError("The number of new tokens must be >= 1.")

    @property
    def longest(self) -> int:
        """Tokens of the prompt and the longest answer together."""
        return len(self.prompt) + len(self.uniforms)


@dataclass
class Answer:
    """A drawn answer. The log-probabilities are sums over its tokens, in nats, from the logits that drew it."""

    token_ids: list[int] = field(default_factory=list)
    finished: bool = False
    log_proposal: float = 0.0
    log_kept: float = 0.0
    log_model: float = 0.0

    def add(self, token: int, log_proposal: float, log_kept: float, log_model: float, eos: int) -> None:
        """Append a token with its log-probabilities."""
        self.token_ids.append(token)
        self.finished = token == eos
        self.log_proposal += float(log_proposal)
        self.log_kept += float(log_kept)
        self.log_model += float(log_model)

    def ended(self, longest: int) -> bool:
        """Whether it is finished, or cut at the length limit."""
        return self.finished or len(self.token_ids) >= longest


class Engine(Protocol):
    """Draws answers; which one a job gets depends on the job alone, not on the others or their order."""

    def stream(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Answer]]:
        """Each job's number and answer, as soon as it is done. An answer ends with EOS or where its uniforms end."""
        ...


def answers(engine: Engine, jobs: Sequence[Job]) -> list[Answer]:
    """The answers in the order of the jobs."""
    done = dict(engine.stream(jobs))
    return [done[number] for number in range(len(jobs))]
