"""Blockwise best-of-K through any engine: each round asks it for K continuations of every text that is under way.

Slower than `BlockEngine`, as every block reads its prefix anew, and free of all its book-keeping.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from empirical.control.asking import BlockJob, Chosen
from empirical.control.choosing import Choosing, Judge, reward_whole
from empirical.engines.jobs import Answer, Engine, Job, answers
from empirical.engines.steering import Steering
from empirical.models import LanguageModel
from empirical.precision import at_least_float32
from empirical.scoring import answer_states


class Rounds:
    """Blocks drawn by `engine`, valued by a pass of transformers over the texts."""

    def __init__(self, model: LanguageModel, engine: Engine, steered: Steering, judge: Judge | None = None) -> None:
        self.engine, self.steered, self.judge = engine, steered, judge
        self.reads = steered.base or model

    def stream(self, jobs: Sequence[BlockJob]) -> Iterator[tuple[int, Chosen]]:
        """Each job's number and answer, as soon as it is done."""
        texts = [Choosing(number, job) for number, job in enumerate(jobs)]
        while texts:
            for text in texts:
                text.open()
            drawn = iter(answers(self.engine, [job for text in texts for job in _block(text)]))
            for text in texts:
                text.candidates = [_joined(text.accepted, next(drawn)) for _ in text.candidates]
                text.values = self._values(text)
            if self.judge is not None:
                reward_whole(texts, self.judge)
            for text in texts:
                text.accept()
            yield from ((text.number, text.result()) for text in texts if text.ended())
            texts = [text for text in texts if not text.ended()]

    @torch.no_grad()
    def _values(self, text: Choosing) -> list[float]:
        """What each candidate is worth: the value of its last token behind all the others."""
        token_ids = [candidate.token_ids for candidate in text.candidates]
        states, ids, inside = answer_states(self.reads.network, text.job.prompt, token_ids)
        rows, last = torch.arange(len(ids), device=ids.device), inside.sum(1) - 1
        values = self.steered.value_of(at_least_float32(states[rows, last]), ids[rows, last])
        weights = torch.tensor(text.job.weights, dtype=torch.float64)
        return (values.double().cpu() @ weights).tolist()


def _block(text: Choosing) -> list[Job]:
    """The jobs of a text's present block."""
    job, done = text.job, text.accepted.token_ids
    return [Job((*job.prompt, *done), job.adaptor, row[len(done) : text.stop]) for row in job.uniforms]


def _joined(text: Answer, block: Answer) -> Answer:
    """A text that goes on with a block."""
    figures = {name: getattr(text, name) + getattr(block, name) for name in ("log_proposal", "log_kept", "log_model")}
    return replace(block, token_ids=[*text.token_ids, *block.token_ids], **figures)
