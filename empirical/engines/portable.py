"""An engine for any Hugging Face causal model: prompt by prompt, with the model's own cache."""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from empirical.engines.drawing import extend
from empirical.engines.jobs import Answer, Job
from empirical.engines.steering import Steering
from empirical.models import LanguageModel
from empirical.precision import at_least_float32


class PortableEngine:
    """Rows of one prompt share its cache and every forward pass; a finished row leaves the batch."""

    def __init__(self, model: LanguageModel, rows: int = 64, steering: Steering | None = None) -> None:
        self.model, self.rows, self.steering = model, rows, steering or Steering()

    def stream(self, jobs: Sequence[Job]) -> Iterator[tuple[int, Answer]]:
        """Each job's number and answer. Jobs of one prompt that follow each other are drawn together."""
        self.steering.check(jobs)
        for _, group in groupby(enumerate(jobs), key=lambda numbered: numbered[1].prompt):
            numbered = list(group)
            for first in range(0, len(numbered), self.rows):
                part = numbered[first : first + self.rows]
                yield from zip([number for number, _ in part], self._batch([job for _, job in part]), strict=True)

    @torch.inference_mode()
    def _batch(self, jobs: Sequence[Job]) -> list[Answer]:
        model, answers, rows = self.model, [Answer() for _ in jobs], list(range(len(jobs)))
        head = model.network.get_output_embeddings()
        steered = self.steering.scorer is not None and any(job.control for job in jobs)
        readers = [
            _Reader(one, jobs[0].prompt, len(jobs)) for one in (model, self.steering.base if steered else None) if one
        ]
        while True:
            states = [reader.states for reader in readers]

            def valued(weights: torch.Tensor, read: torch.Tensor = states[-1]) -> torch.Tensor:
                return self.steering.values(at_least_float32(read), weights)

            going_on = [jobs[row] for row in rows]
            drawn = extend(
                [answers[row] for row in rows], going_on, at_least_float32(head(states[0])), model.eos, valued
            )
            going = [place for place, row in enumerate(rows) if not answers[row].ended(len(jobs[row].uniforms))]
            if not going:
                return answers
            for reader in readers:
                reader.step(drawn.tokens, going)
            rows = [rows[place] for place in going]


class _Reader:
    """A network and its cache over some texts of one prompt; `states` [n, hidden] of their last tokens."""

    def __init__(self, model: LanguageModel, prompt: Sequence[int], rows: int) -> None:
        self.decoder, self.device = model.network.get_decoder(), model.device
        self.cache = DynamicCache(config=model.network.config)
        opening = self.decoder(torch.tensor([prompt], device=self.device), past_key_values=self.cache, use_cache=True)
        self.cache.batch_repeat_interleave(rows)
        self.states = opening.last_hidden_state[:, -1].expand(rows, -1)

    def step(self, tokens: NDArray[np.int64], going: Sequence[int]) -> None:
        """Feed the texts that go on their tokens; the others leave."""
        if len(going) < len(tokens):
            self.cache.batch_select_indices(torch.tensor(going, device=self.device))
        ids = torch.as_tensor(tokens[going], device=self.device)
        out = self.decoder(ids[:, None], past_key_values=self.cache, use_cache=True)
        self.states = out.last_hidden_state[:, -1]
