"""Guided answers by continuous batching: each text is two rows of one forward pass, with and without the evidence."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from empirical.engines.decoder import LlamaDecoder
from empirical.engines.jobs import answers
from empirical.engines.llama import prepared, supports
from empirical.engines.torch import ROWS, TorchEngine
from empirical.errors import InputError
from empirical.guidance import kernel
from empirical.guidance.decoder import EvidenceDecoder
from empirical.guidance.jobs import GuidedAnswer, GuidedJob
from empirical.models import LanguageModel

LogSuccess = Callable[[torch.Tensor], torch.Tensor]
"""Final normalised states of the rows with the evidence [n, hidden] -> log Q of every next token [n, V], <= 0."""


def guided(
    model: LanguageModel,
    jobs: Sequence[GuidedJob],
    log_success: LogSuccess | None = None,
    rows: int = ROWS,
    strict: bool = False,
) -> list[GuidedAnswer]:
    """Each job's answer, in their order; which it is depends on the job alone. Arguments as `engine`.

    Raises InputError as `engine`, and ValueError on a rule without a law or a classifier that is missing.
    """
    return answers(engine(model, jobs, log_success, rows, strict), jobs)


def engine(
    model: LanguageModel,
    jobs: Sequence[GuidedJob],
    log_success: LogSuccess | None = None,
    rows: int = ROWS,
    strict: bool = False,
) -> "GuidedEngine":
    """An engine with room for these jobs, and for others of their lengths.

    log_success: what classifier guidance reads; rows: of a step, two a text; strict: as `empirical.engines.torch`.
    Raises InputError on a network that is no Llama or Mistral: guide those by `empirical.guidance_processors` inside
    `generate`.
    """
    if not supports(model.network) or model.device.type != "cpu":
        raise InputError(
            f"{model.name} has no guided engine here; use the logits processors of empirical.guidance_processors."
        )
    texts, longest = max(1, min(rows // 2, len(jobs))), max(job.longest for job in jobs)
    made = LlamaDecoder(prepared(model.network, model.network.dtype), 2 * texts, longest, strict)
    return GuidedEngine(model, EvidenceDecoder(made, texts), texts, log_success)


class GuidedEngine(TorchEngine):
    """The engine of slots over a decoder of both prompts; a step draws by each text's rule."""

    def __init__(
        self, model: LanguageModel, decoder: EvidenceDecoder, texts: int, log_success: LogSuccess | None = None
    ) -> None:
        super().__init__(model, decoder, texts)
        self.log_success = log_success

    def _check(self, jobs: Sequence[GuidedJob]) -> None:
        if self.log_success is None and any(job.rule.kind == "classifier" and job.rule.strength for job in jobs):
            raise ValueError("Classifier guidance needs log Q of every next token; pass log_success.")

    def _draw(self, texts: Sequence[Any], states: torch.Tensor) -> np.ndarray:
        """Draw one token a text by its rule and add it, with its figures, to the text's answer."""
        jobs, drawing = [text.job for text in texts], [text.answer for text in texts]
        logits, without = self.decoder.logits(states)
        success = logits[:0]
        if self.log_success is not None and any(job.rule.kind == "classifier" for job in jobs):
            success = self.decoder.by_row(self.log_success, self.decoder.features(states))
        recipes = np.array([kernel.recipe(job.rule) for job in jobs])
        uniforms = np.array([job.uniforms[len(one.token_ids)] for job, one in zip(jobs, drawing, strict=True)])
        drawn = kernel.draw(logits.numpy(), without.numpy(), success.numpy(), recipes, uniforms)
        figures = np.stack([getattr(drawn, name) for name in kernel.FIGURES], axis=1)
        for one, token, line in zip(drawing, drawn.tokens, figures, strict=True):
            one.record(int(token), dict(zip(kernel.FIGURES, map(float, line), strict=True)), self.model.eos)
        return drawn.tokens
