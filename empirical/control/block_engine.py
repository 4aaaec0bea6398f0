"""Blockwise best-of-K over a decoder of slots, batched continuously: each candidate that is still being drawn is a row.

A text has K slots, which hold the same prefix. Where a block begins, the text is one row: its state is computed once
and K tokens are drawn from it. Then the candidates part, each in its own slot; one that ends leaves the batch. Of the
winner's keys and values only those of this block are copied to the other slots. With M = 1 nothing ever parts, and a
text has one slot.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch

from empirical.control.asking import BlockJob, Chosen
from empirical.control.choosing import Choosing, Judge, reward_whole
from empirical.engines.decoder import LlamaDecoder
from empirical.engines.drawing import extend
from empirical.engines.jobs import Answer
from empirical.engines.pairs import PairedDecoder
from empirical.engines.steering import Steering
from empirical.models import LanguageModel


@dataclass
class _Text(Choosing):
    """A text with its slots: `root` holds all that is accepted, the others the positions below `shared`."""

    slots: list[int] = field(default_factory=list)
    root: int = 0
    shared: int = 0
    parted: bool = False


@dataclass(frozen=True)
class _Row:
    """A slot, the text in it as far as its last token, and the candidates that are drawn from the state there."""

    text: _Text
    slot: int
    candidates: list[int]
    answer: Answer


class BlockEngine:
    """Draws and chooses; which answer a job gets depends on the job alone, not on the others or their order."""

    def __init__(
        self,
        model: LanguageModel,
        decoder: LlamaDecoder | PairedDecoder,
        slots: int,
        steered: Steering,
        judge: Judge | None = None,
    ) -> None:
        self.model, self.decoder, self.slots, self.steered, self.judge = model, decoder, slots, steered, judge

    @torch.inference_mode()
    def stream(self, jobs: Sequence[BlockJob]) -> Iterator[tuple[int, Chosen]]:
        """Each job's number and answer, as soon as it is done. Raises ValueError where a text needs more slots."""
        most = max(map(needed, jobs), default=0)
        if most > self.slots:
            raise ValueError(f"A text with {most} candidates needs as many slots, not {self.slots}.")
        waiting, free = deque(enumerate(jobs)), list(range(self.slots))
        rows, states = list[_Row](), torch.empty(0)
        prefixes: dict[tuple[int, ...], Any] = {}
        while waiting or rows:
            entering = self._enter(waiting, free, prefixes)
            if entering:
                opened = torch.stack([prefixes[row.text.job.prompt].state for row in entering])
                rows, states = rows + entering, torch.cat([states, opened]) if len(states) else opened
                still = {job.prompt for _, job in islice(waiting, self.slots)}
                prefixes = {prompt: prefix for prompt, prefix in prefixes.items() if prompt in still}
            self._draw(rows, states)
            texts, rows = list({row.text.number: row.text for row in rows}.values()), []
            if self.judge is not None:
                reward_whole([text for text in texts if not text.going()], self.judge)
            for text in texts:
                if text.going():
                    rows += self._parted(text)
                    continue
                winner = text.accept()
                if text.ended():
                    yield text.number, text.result()
                    free += text.slots
                else:
                    text.root = text.slots[winner] if text.parted else text.root
                    rows.append(self._root(text))
            states = self._step(rows) if rows else states[:0]

    def _enter(
        self,
        waiting: deque[tuple[int, BlockJob]],
        free: list[int],
        prefixes: dict[tuple[int, ...], Any],
    ) -> list[_Row]:
        """Give waiting jobs, in their order, the free slots that they need; return their rows."""
        rows, places = [], dict[tuple[int, ...], list[int]]()
        while waiting and len(free) >= needed(waiting[0][1]):
            number, job = waiting.popleft()
            slots = [free.pop(0) for _ in range(needed(job))]
            places.setdefault(job.prompt, []).extend(slots)
            text = _Text(number, job, slots=slots, root=slots[0], shared=len(job.prompt))
            rows.append(self._root(text))
        for prompt, slots in places.items():
            if prompt not in prefixes:
                prefixes[prompt] = self.decoder.read(list(prompt))
            self.decoder.place(prefixes[prompt], slots)
        return rows

    def _root(self, text: _Text) -> _Row:
        """Begin a block: the row of which all its candidates are drawn."""
        text.open()
        text.parted = False
        return _Row(text, text.root, list(range(text.job.K)), text.accepted)

    def _parted(self, text: _Text) -> list[_Row]:
        """A row for each candidate that goes on, in its own slot."""
        if not text.parted:
            end = len(text.job.prompt) + len(text.accepted.token_ids)
            others = [slot for slot in text.slots if slot != text.root]
            if others and end > text.shared:
                self.decoder.copy(text.root, others, text.shared, end)
            text.shared, text.parted = end, True
        return [_Row(text, text.slots[k], [k], text.candidates[k]) for k in text.going()]

    def _draw(self, rows: Sequence[_Row], states: torch.Tensor) -> None:
        """Draw a token for each candidate of each row, and value the candidates whose block stops with it."""
        logits = self.decoder.logits(states)
        draws = [(place, row.text, k) for place, row in enumerate(rows) for k in row.candidates]
        for first in range(0, len(draws), self.slots):  # so that few lines of logits are copied at a time
            some = draws[first : first + self.slots]
            places = [place for place, _, _ in some]
            lines = logits if places == list(range(len(logits))) else logits[places]
            answers = [text.candidates[k] for _, text, k in some]
            jobs = [text.job.candidates[k] for _, text, k in some]
            extend(answers, jobs, lines, self.model.eos, _no_values)
        stopped = [(place, text, k) for place, text, k in draws if text.candidates[k].ended(text.stop)]
        if stopped:
            read = self.decoder.features(states[[place for place, _, _ in stopped]])
            tokens = torch.tensor([text.candidates[k].token_ids[-1] for _, text, k in stopped], device=states.device)
            weights = np.array([text.job.weights for _, text, _ in stopped])
            values = self.decoder.by_row(self.steered.value_of, read, tokens).double().cpu().numpy()
            for (_, text, k), value in zip(stopped, (values * weights).sum(axis=1), strict=True):
                text.values[k] = float(value)

    def _step(self, rows: Sequence[_Row]) -> torch.Tensor:
        """Feed each row the last token of its text; return the states."""
        device = self.model.device
        tokens = torch.tensor([row.answer.token_ids[-1] for row in rows], device=device)
        lengths = [len(row.text.job.prompt) + len(row.answer.token_ids) for row in rows]
        slots = [row.slot for row in rows]
        return self.decoder.step(tokens, torch.tensor(lengths, device=device) - 1, slots)


def _no_values(weights: torch.Tensor) -> torch.Tensor:
    raise AssertionError("candidates are drawn without tokenwise control")


def needed(job: BlockJob) -> int:
    """How many slots a text takes."""
    return job.K if job.M > 1 else 1
