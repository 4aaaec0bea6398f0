"""What an engine is asked for and what it gives: an answer a job, with its log-probability under its own law."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import Adaptor


@dataclass(frozen=True)
class Control:
    """Tokenwise control of each step, pi ~ p e^(lambda V) with V = sum_i w_i V_i over the rewards of a prefix scorer.

    The adaptor comes after it. Raises ValueError unless lambda and the weights are finite. Source: Mudgal et al.,
    Theorem 2.1.
    """

    lam: float
    weights: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not math.isfinite(self.lam):
            raise ValueError(f"lambda must be a finite number, not {self.lam}.")
        if not self.weights or not all(map(math.isfinite, self.weights)):
            raise ValueError(f"The rewards' weights must be finite numbers, one a reward, not {self.weights}.")


@dataclass(frozen=True)
class Job:
    """One answer to draw: its prompt's token ids, its adaptor, one uniform for each step it may take, and its control.

    Raises ValueError on an empty prompt or no step.
    """

    prompt: tuple[int, ...]
    adaptor: Adaptor
    uniforms: NDArray[np.float64]
    control: Control | None = None

    def __post_init__(self) -> None:
        if not self.prompt:
            raise ValueError("A prompt needs at least one token; give the model's BOS token where there is no text.")
        if len(self.uniforms) < 1:
            raise ValueError("The number of new tokens must be >= 1.")

    @property
    def longest(self) -> int:
        """Tokens of the prompt and the longest answer together."""
        return len(self.prompt) + len(self.uniforms)

    @property
    def reads(self) -> tuple[int, ...]:
        """What the decoder reads before it draws; jobs that read the same share it."""
        return self.prompt

    def begun(self) -> "Answer":
        """The answer before its first token."""
        return Answer()


@dataclass
class Answer:
    """A drawn answer. The log-probabilities are sums over its tokens, in nats, from the logits that drew it.

    kl: sum_t KL(pi_t || p_t) over the steps taken, pi_t the law that drew and p_t the model's own, so that its mean is
    an unbiased estimate of KL(pi || p) (Rao and Blackwell); None where no control was asked for.
    """

    token_ids: list[int] = field(default_factory=list)
    finished: bool = False
    log_proposal: float = 0.0
    log_kept: float = 0.0
    log_model: float = 0.0
    kl: float | None = None

    def add(
        self, token: int, log_proposal: float, log_kept: float, log_model: float, eos: int, kl: float | None = None
    ) -> None:
        """Append a token with its log-probabilities and, under control, its step's KL."""
        self.token_ids.append(token)
        self.finished = token == eos
        self.log_proposal += float(log_proposal)
        self.log_kept += float(log_kept)
        self.log_model += float(log_model)
        if kl is not None:
            self.kl = (self.kl or 0.0) + float(kl)

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
