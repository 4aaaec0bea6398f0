"""The default engine: rows of all prompts and schemes share every forward pass, and the batch stays full."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

from empirical.engines.decoder import LlamaDecoder
from empirical.engines.drawing import extend
from empirical.engines.jobs import Answer, Engine, Job, answers
from empirical.engines.llama import check_strict, prepared, supports
from empirical.engines.pairs import PairedDecoder
from empirical.engines.portable import PortableEngine
from empirical.engines.steering import Scorer, Steering, steering
from empirical.models import LanguageModel

ROWS = 64  # texts a step: more gain nothing on two cores, and their caches take 2 GB at 300 tokens of the default model


def engine(
    model: LanguageModel,
    longest: int,
    rows: int = ROWS,
    dtype: torch.dtype | None = None,
    strict: bool = False,
    compiled: bool = False,
    scorer: Scorer | None = None,
    base: LanguageModel | None = None,
) -> Engine:
    """The engine for a model: the fast one where it computes what the network does, else the portable one.

    longest: tokens of the longest prompt and its answer together; rows: texts a step; dtype: what the body runs in, the
    network's own unless given; strict: a text's bits depend on its job alone; compiled: use torch.compile; scorer:
    steers the jobs that ask for control, off the states of `base` if that is another model (`engines.steering`).
    Raises ValueError as `check_strict` and as `steering`.
    """
    steered = steering(model, scorer, base)
    made = decoder(model, rows, longest, dtype, strict, compiled, steered.base)
    if made is not None:
        return TorchEngine(model, made, rows, steered)
    return PortableEngine(model, rows, steered)


def decoder(
    model: LanguageModel,
    slots: int,
    longest: int,
    dtype: torch.dtype | None = None,
    strict: bool = False,
    compiled: bool = False,
    base: LanguageModel | None = None,
) -> LlamaDecoder | PairedDecoder | None:
    """Incremental decoding as `engine` uses it, or None where a network needs the portable engine.

    base: the model whose states a scorer reads, if it is another one. Raises ValueError as `check_strict`.
    """
    models = [model] if base is None else [model, base]
    for one in models:
        if strict:
            check_strict(one.network, one.name)
        elif not supports(one.network):
            return None
    made = [
        LlamaDecoder(prepared(one.network, dtype or one.network.dtype, compiled), slots, longest, strict)
        for one in models
    ]
    return made[0] if base is None else PairedDecoder(*made)


def sample(model: LanguageModel, jobs: Sequence[Job]) -> list[Answer]:
    """The answers to some jobs, in their order, by an engine of their own: for a few jobs, once."""
    return answers(engine(model, max(job.longest for job in jobs), min(ROWS, len(jobs))), jobs)


@dataclass
class _Text:
    """A text that is being written: its job's number, its length so far with the prompt, and its answer."""

    number: int
    job: Job
    length: int
    answer: Answer


class TorchEngine:
    """Continuous batching over a decoder of slots.

    A prompt is read once and copied to each slot that begins with it. When a text ends, the last one moves into its
    slot and a waiting one takes the last: no step has idle rows while any job waits.
    """

    def __init__(
        self, model: LanguageModel, decoder: LlamaDecoder | PairedDecoder, rows: int, steered: Steering | None = None
    ) -> None:
        self.model, self.decoder, self.rows, self.steered = model, decoder, rows, steered or Steering()
        self.sorted = 0
        """Tokens that had to be sorted so far, all rows together."""

    @torch.inference_mode()
    def stream(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Answer]]:
        """Each job's number and answer, as soon as it is done."""
        self._check(jobs)
        waiting, texts = deque(enumerate(jobs)), list[_Text]()
        states = torch.empty(0)
        prefixes: dict[Any, Any] = {}
        while waiting or texts:
            entering = [waiting.popleft() for _ in range(min(len(waiting), self.rows - len(texts)))]
            if entering:
                opened = self._enter(entering, len(texts), prefixes)
                texts += [_Text(number, job, len(job.prompt), job.begun()) for number, job in entering]
                states = torch.cat([states, opened]) if len(states) else opened
                still = {job.reads for _, job in islice(waiting, self.rows)}
                prefixes = {reads: prefix for reads, prefix in prefixes.items() if reads in still}
            tokens = self._draw(texts, states)
            for slot in range(len(texts) - 1, -1, -1):
                if texts[slot].answer.ended(len(texts[slot].job.uniforms)):
                    yield texts[slot].number, texts[slot].answer
                    last = texts.pop()
                    if slot < len(texts):
                        self.decoder.move(len(texts), slot, last.length)
                        texts[slot], tokens[slot] = last, tokens[len(texts)]
            if texts:
                positions = torch.tensor([text.length for text in texts], device=states.device)
                states = self.decoder.step(torch.as_tensor(tokens[: len(texts)], device=states.device), positions)
                for text in texts:
                    text.length += 1
            else:
                states = states[:0]

    def _enter(self, entering: Sequence[tuple[int, Job]], first: int, prefixes: dict[Any, Any]) -> torch.Tensor:
        """Put the jobs' prompts into the slots from `first` on; return their states."""
        slots: dict[Any, list[int]] = {}
        for slot, (_, job) in enumerate(entering, first):
            slots.setdefault(job.reads, []).append(slot)
        for reads, places in slots.items():
            if reads not in prefixes:
                prefixes[reads] = self.decoder.read(reads)
            self.decoder.place(prefixes[reads], places)
        return torch.stack([prefixes[job.reads].state for _, job in entering])

    def _check(self, jobs: Sequence[Job]) -> None:
        """Raise ValueError where a job asks for what this engine cannot give."""
        self.steered.check(jobs)

    def _draw(self, texts: Sequence[_Text], states: torch.Tensor) -> np.ndarray:
        """Draw one token a text and add it to the text's answer."""

        def valued(weights: torch.Tensor) -> torch.Tensor:
            return self.decoder.by_row(self.steered.values, self.decoder.features(states), weights)

        jobs, answers = [text.job for text in texts], [text.answer for text in texts]
        drawn = extend(answers, jobs, self.decoder.logits(states), self.model.eos, valued)
        self.sorted += int(drawn.sorted.sum())
        return drawn.tokens
