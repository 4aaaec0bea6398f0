"""What a guided engine is asked for and what it gives: two prompts a job, and the figures of every step."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from empirical.engines.jobs import Answer
from empirical.guidance.decoder import Prompts
from empirical.guidance.rules import Guidance
from empirical.models import LanguageModel, refuse_long
from empirical.randomness import uniforms

SCHEME = "guidance"
"""The name that keys the uniforms: rules are compared on the same randomness."""


@dataclass(frozen=True)
class GuidedJob:
    """One answer to draw: token ids of the prompts with and without the evidence, its rule, one uniform for each step.

    Raises ValueError on an empty prompt or no step.
    """

    prompt: tuple[int, ...]
    without: tuple[int, ...]
    rule: Guidance
    uniforms: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not self.prompt or not self.without:
            raise ValueError("Both prompts need at least one token; give the model's BOS token where there is no text.")
        if len(self.uniforms) < 1:
            raise ValueError("The number of new tokens must be >= 1.")

    @property
    def longest(self) -> int:
        """Tokens of the longer prompt and the longest answer together."""
        return max(len(self.prompt), len(self.without)) + len(self.uniforms)

    @property
    def reads(self) -> Prompts:
        """Both prompts."""
        return self.prompt, self.without

    def begun(self) -> "GuidedAnswer":
        """The answer before its first token."""
        return GuidedAnswer()


@dataclass
class GuidedAnswer(Answer):
    """A drawn answer with its steps' figures in nats, see `empirical.guidance.kernel.Guided`; no rule cuts."""

    steps: list[dict[str, float]] = field(default_factory=list)

    def record(self, token: int, figures: dict[str, float], eos: int) -> None:
        """Append a token with its step's figures."""
        self.add(token, figures["log_proposal"], 0.0, figures["log_model"], eos, figures["kl"])
        self.steps.append(figures)

    def total(self, figure: str) -> float:
        """A figure summed over the steps, such as the answer's log-probability, or its KL whose mean is unbiased."""
        return float(sum(step[figure] for step in self.steps))


def guided_jobs(
    model: LanguageModel,
    with_evidence: str,
    without_evidence: str,
    samples: int,
    steps: int,
    rule: Guidance,
    seed: int = 0,
) -> list[GuidedJob]:
    """Jobs for `samples` answers of at most `steps` tokens under a rule.

    The uniforms are keyed by the prompt with the evidence and the sample, not by the rule. Raises ModelError where a
    prompt and its answer pass the model's context.
    """
    refuse_long(model, [with_evidence, without_evidence], steps)
    prompts = tuple(model.prompt_ids(with_evidence)), tuple(model.prompt_ids(without_evidence))
    return [
        GuidedJob(*prompts, rule, uniforms(seed, with_evidence, SCHEME, number, steps)) for number in range(samples)
    ]
