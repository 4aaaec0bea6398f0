"""What control is asked for and what it gives: jobs whose uniforms are keyed by all that names an answer."""

import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from empirical.engines.jobs import Answer, Control, Job
from empirical.models import LanguageModel
from empirical.randomness import uniforms
from theory.adaptors import Adaptor, ancestral

SCHEME = "control"
"""The name that keys the uniforms: rules that share it are compared on the same randomness."""


@dataclass(frozen=True)
class BlockJob:
    """One answer to be chosen, block by block, among K candidates of M tokens each.

    prompt: token ids; text: the prompt as rewards read it; uniforms: [K, T_max], a row a candidate and a column a step
    of the answer; weights: of the scorer's rewards. K = 1 is the plain job with the first row, M >= T_max best-of-K.
    Raises ValueError on K < 1, M < 1, weights that are not finite, and as `Job`.
    """

    prompt: tuple[int, ...]
    text: str
    adaptor: Adaptor
    uniforms: NDArray[np.float64]
    M: int
    weights: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        _whole("The number of candidates K", len(self.uniforms))
        _whole("The block size M", self.M)
        Control(0.0, self.weights)  # its checks
        Job(self.prompt, self.adaptor, self.uniforms[0])

    @property
    def K(self) -> int:  # noqa: N802 (the field's symbol)
        """The number of candidates."""
        return int(self.uniforms.shape[0])

    @property
    def longest_answer(self) -> int:
        """T_max."""
        return int(self.uniforms.shape[1])

    @property
    def longest(self) -> int:
        """Tokens of the prompt and the longest answer together."""
        return len(self.prompt) + self.longest_answer

    @cached_property
    def candidates(self) -> list[Job]:
        """The plain jobs of K whole answers."""
        return [Job(self.prompt, self.adaptor, row) for row in self.uniforms]


@dataclass
class Chosen(Answer):
    """An answer that was chosen among candidates.

    log_model: under the model that drew the candidates. log_proposal: NaN where K > 1, as the winner's law has no
    closed form. scores: of each block's K candidates, by which
    the winner was chosen; winners: its number in each block; drawn: tokens of all candidates together.
    """

    scores: list[list[float]] = field(default_factory=list)
    winners: list[int] = field(default_factory=list)
    drawn: int = 0


def chosen(answer: Answer, K: int, scores: list[list[float]], winners: list[int], drawn: int) -> Chosen:  # noqa: N803
    """A winner with the figures of its choice."""
    log_proposal = answer.log_proposal if K == 1 else math.nan
    return Chosen(**vars(replace(answer, log_proposal=log_proposal)), scores=scores, winners=winners, drawn=drawn)


def token_jobs(
    model: LanguageModel,
    prompt: str,
    samples: int,
    steps: int,
    control: Control | None = None,
    adaptor: Adaptor | None = None,
    scheme: str = SCHEME,
    seed: int = 0,
) -> list[Job]:
    """Jobs for `samples` answers of at most `steps` tokens to a prompt, under `control`; none: plain sampling."""
    ids, rule = tuple(model.prompt_ids(prompt)), adaptor or ancestral()
    return [Job(ids, rule, uniforms(seed, prompt, scheme, number, steps), control) for number in range(samples)]


def block_jobs(
    model: LanguageModel,
    prompt: str,
    samples: int,
    steps: int,
    K: int,  # noqa: N803
    M: int | None = None,  # noqa: N803
    weights: tuple[float, ...] = (1.0,),
    adaptor: Adaptor | None = None,
    scheme: str = SCHEME,
    seed: int = 0,
) -> list[BlockJob]:
    """Jobs for `samples` answers, each chosen among K candidates at every M tokens (none: whole answers).

    The first candidate has the uniforms of the plain job; those of K candidates are the first K of any more. Raises
    ValueError as `BlockJob`.
    """
    _whole("The number of candidates K", K)
    ids, rule = tuple(model.prompt_ids(prompt)), adaptor or ancestral()
    names = [scheme, *(f"{scheme}, candidate {k}" for k in range(1, K))]
    return [
        BlockJob(
            ids,
            prompt,
            rule,
            np.stack([uniforms(seed, prompt, name, number, steps) for name in names]),
            steps if M is None else M,
            weights,
        )
        for number in range(samples)
    ]


def _whole(what: str, number: int) -> None:
    if not isinstance(number, int) or number < 1:
        raise ValueError(f"{what} must be an integer >= 1, not {number}.")
