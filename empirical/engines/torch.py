"""Draw answers to one prompt under many schemes at once: one forward pass a step, shared by the rows of all schemes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from empirical.models import LanguageModel
from theory.adaptors import Adaptor, local


@dataclass(frozen=True)
class Request:
    """One answer to draw: its scheme, and one uniform for each of its steps."""

    adaptor: Adaptor
    uniforms: NDArray[np.float64]


@dataclass
class Answer:
    """A drawn answer. The log-probabilities are sums over its tokens, in nats, from the logits that drew it."""

    token_ids: list[int] = field(default_factory=list)
    finished: bool = False
    log_proposal: float = 0.0
    log_kept: float = 0.0
    log_model: float = 0.0


@torch.inference_mode()
def sample(model: LanguageModel, prompt: Sequence[int], requests: Sequence[Request], max_new: int) -> list[Answer]:
    """Draw one answer a request, in request order; an answer ends with EOS or is cut after `max_new` tokens.

    The prompt is read once and its cache shared; finished rows leave the batch. Equal adaptors that follow each other
    are adapted together, so sort the requests by scheme. Raises ValueError where a model emits NaN.
    """
    if max_new < 1:
        raise ValueError(f"The number of new tokens must be >= 1, not {max_new}.")
    answers = [Answer() for _ in requests]
    rows = list(range(len(requests)))
    decoder, head = model.network.get_decoder(), model.network.get_output_embeddings()
    cache = DynamicCache(config=model.network.config)
    opening = decoder(torch.tensor([list(prompt)], device=model.device), past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(rows))
    states = opening.last_hidden_state[:, -1].expand(len(rows), -1)
    for step in range(max_new):
        log_p = head(states).float().log_softmax(-1)
        tokens = _draw_step(log_p, [requests[row] for row in rows], [answers[row] for row in rows], step)
        going = []
        for place, (row, token) in enumerate(zip(rows, tokens.tolist(), strict=True)):
            answers[row].token_ids.append(token)
            answers[row].finished = token == model.eos
            if not answers[row].finished:
                going.append(place)
        if not going or step == max_new - 1:
            break
        if len(going) < len(rows):
            keep = torch.tensor(going, device=model.device)
            cache.batch_select_indices(keep)
            rows, tokens = [rows[place] for place in going], tokens[keep]
        states = decoder(tokens[:, None], past_key_values=cache, use_cache=True).last_hidden_state[:, -1]
    return answers


def _draw_step(log_p: torch.Tensor, requests: list[Request], answers: list[Answer], step: int) -> torch.Tensor:
    """Draw one token a row and add its log-probabilities to the row's answer."""
    drawn, start = [], 0
    for adaptor, group in groupby(requests, key=lambda request: request.adaptor):
        uniforms = torch.tensor([request.uniforms[step] for request in group], device=log_p.device)
        part = slice(start, start + len(uniforms))
        log_q, log_kept = local(adaptor, log_p[part])
        tokens = inverse_cdf(log_q, uniforms)
        figures = torch.stack([_at(log_q, tokens), log_kept, _at(log_p[part], tokens)], dim=1).tolist()
        for answer, (log_proposal, kept, log_model) in zip(answers[part], figures, strict=True):
            answer.log_proposal += log_proposal
            answer.log_kept += kept
            answer.log_model += log_model
        drawn.append(tokens)
        start = part.stop
    return torch.cat(drawn)


def inverse_cdf(log_q: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """The first token whose cumulative probability exceeds u times the total: [rows, V], [rows] -> [rows].

    float64, because float32 cuts the tail at 2^-24; the strict inequality never draws a token of probability 0.
    """
    cumulative = log_q.double().exp().cumsum(-1)
    return torch.searchsorted(cumulative, (uniforms.double() * cumulative[:, -1])[:, None], right=True)[:, 0]


def _at(values: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    return values.gather(1, tokens[:, None])[:, 0]
