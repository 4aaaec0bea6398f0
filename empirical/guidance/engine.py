"""Guided answers by continuous batching: each text is two rows of one forward pass, with and without the evidence."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch

from empirical.engines.decoder import LlamaDecoder
from empirical.engines.llama import prepared, supports
from empirical.engines.slots import Prefix
from empirical.engines.torch import ROWS
from empirical.errors import InputError
from empirical.guidance import kernel
from empirical.guidance.jobs import GuidedAnswer, GuidedJob, checked
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
    """Each job's answer, in their order; which it is depends on the job alone.

    log_success: what classifier guidance reads; rows: of a step, two a text; strict: as `empirical.engines.torch`.
    Raises ValueError on a rule without a law or a classifier that is missing, InputError on a network that is no Llama
    or Mistral: guide those by `empirical.guidance_processors` inside `generate`.
    """
    checked(jobs, log_success is not None)
    if not supports(model.network) or model.device.type != "cpu":
        raise InputError(
            f"{model.name} has no guided engine here; use the logits processors of empirical.guidance_processors."
        )
    texts = max(1, min(rows // 2, len(jobs)))
    longest = max(job.longest for job in jobs)
    made = LlamaDecoder(prepared(model.network, model.network.dtype), 2 * texts, longest, strict)
    done = dict(GuidedEngine(model, made, texts, log_success).stream(jobs))
    return [done[number] for number in range(len(jobs))]


class GuidedEngine:
    """Text i has slot i with the evidence and slot `texts` + i without it; both are fed every token that is drawn."""

    def __init__(
        self, model: LanguageModel, decoder: LlamaDecoder, texts: int, log_success: LogSuccess | None = None
    ) -> None:
        self.model, self.decoder, self.texts, self.log_success = model, decoder, texts, log_success

    @torch.inference_mode()
    def stream(self, jobs: Sequence[GuidedJob]) -> Iterator[tuple[int, GuidedAnswer]]:
        """Each job's number and answer, as soon as it is done."""
        waiting, live = deque(enumerate(jobs)), list[tuple[int, GuidedJob, GuidedAnswer]]()
        states = torch.empty(0, 2, 0)
        read: dict[tuple[int, ...], Prefix] = {}
        while waiting or live:
            entering = [waiting.popleft() for _ in range(min(len(waiting), self.texts - len(live)))]
            if entering:
                opened = self._enter([job for _, job in entering], len(live), read)
                live += [(number, job, GuidedAnswer()) for number, job in entering]
                states = torch.cat([states, opened]) if len(states) else opened
                still = {prompt for _, job in islice(waiting, self.texts) for prompt in (job.prompt, job.without)}
                read = {prompt: prefix for prompt, prefix in read.items() if prompt in still}
            self._draw([(job, one) for _, job, one in live], states)
            for slot in range(len(live) - 1, -1, -1):
                number, job, one = live[slot]
                if one.ended(len(job.uniforms)):
                    yield number, one
                    last = live.pop()
                    if slot < len(live):
                        self._move(len(live), slot, last[1], last[2])
                        live[slot] = last
            states = self._step([(job, one) for _, job, one in live]) if live else states[:0]

    def _enter(self, jobs: Sequence[GuidedJob], first: int, read: dict[tuple[int, ...], Prefix]) -> torch.Tensor:
        """Put the jobs' prompts into the slots from `first` on; return their states [n, 2, hidden]."""
        slots: dict[tuple[int, ...], list[int]] = {}
        for slot, job in enumerate(jobs, first):
            slots.setdefault(job.prompt, []).append(slot)
            slots.setdefault(job.without, []).append(self.texts + slot)
        for prompt, places in slots.items():
            if prompt not in read:
                read[prompt] = self.decoder.read(list(prompt))
            self.decoder.place(read[prompt], places)
        return torch.stack([torch.stack([read[job.prompt].state, read[job.without].state]) for job in jobs])

    def _draw(self, live: Sequence[tuple[GuidedJob, GuidedAnswer]], states: torch.Tensor) -> None:
        """Draw one token a text and add it to the text's answer."""
        pairs = states.transpose(0, 1).contiguous()
        logits, without = self.decoder.logits(pairs.flatten(0, 1)).split(len(live))
        success = logits[:0]
        if self.log_success is not None and any(job.rule.kind == "classifier" for job, _ in live):
            success = self.decoder.by_row(self.log_success, self.decoder.features(pairs[0]))
        recipes = np.array([kernel.recipe(job.rule) for job, _ in live])
        uniforms = np.array([job.uniforms[len(one.token_ids)] for job, one in live])
        drawn = kernel.draw(logits.numpy(), without.numpy(), success.numpy(), recipes, uniforms)
        figures = np.stack([getattr(drawn, name) for name in kernel.FIGURES], axis=1)
        for (_, one), token, line in zip(live, drawn.tokens, figures, strict=True):
            one.add(int(token), dict(zip(kernel.FIGURES, map(float, line), strict=True)), self.model.eos)

    def _step(self, live: Sequence[tuple[GuidedJob, GuidedAnswer]]) -> torch.Tensor:
        """Feed both rows of every text the token that was drawn; return their states [n, 2, hidden]."""
        count = len(live)
        tokens = torch.tensor([one.token_ids[-1] for _, one in live] * 2)
        lengths = [len(one.token_ids) - 1 for _, one in live]
        ends = [len(job.prompt) for job, _ in live] + [len(job.without) for job, _ in live]
        positions = torch.tensor([end + told for end, told in zip(ends, lengths * 2, strict=True)])
        slots = [*range(count), *range(self.texts, self.texts + count)]
        return self.decoder.step(tokens, positions, slots).unflatten(0, (2, count)).transpose(0, 1)

    def _move(self, source: int, target: int, job: GuidedJob, one: GuidedAnswer) -> None:
        """Move a text, whose last token no row has been fed yet, to another place."""
        told = len(one.token_ids) - 1
        self.decoder.move(source, target, len(job.prompt) + told)
        self.decoder.move(self.texts + source, self.texts + target, len(job.without) + told)
