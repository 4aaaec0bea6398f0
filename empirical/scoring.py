"""Score answers, token ids in: their log-probability under a model and the features that rewards read."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import DynamicCache

from empirical.models import LanguageModel

CHUNK = 512  # positions per vocabulary-wide product: 100 MB of float32 logits at 49,152 tokens


@dataclass(frozen=True)
class Scores:
    """One row an answer: log_prob [n] in nats, and the mean hidden state over its words [n, hidden] if asked for."""

    log_prob: torch.Tensor
    features: torch.Tensor | None


@torch.inference_mode()
def score(
    model: LanguageModel, prompt: Sequence[int], answers: Sequence[Sequence[int]], layer: int | None = None
) -> Scores:
    """Score several answers to one prompt in a single right-padded pass behind the shared prompt.

    log_prob = sum_t log p(y_t | prompt, y_<t) over the natural tokens of each answer, EOS included where it was
    drawn. `layer` names the block (1 = first) whose output is averaged over the answer without its EOS.
    Lengths, not ids, tell padding from text: the pad token may be EOS itself.
    Raises ValueError on an empty prompt or answer.
    """
    if not prompt or not answers or any(len(answer) == 0 for answer in answers):
        raise ValueError("Scoring needs a prompt and at least one answer, each with at least one token.")
    lengths = torch.tensor([len(answer) for answer in answers], device=model.device)
    padded = torch.full((len(answers), int(lengths.max())), model.eos, dtype=torch.long, device=model.device)
    for row, answer in zip(padded, answers, strict=True):
        row[: len(answer)] = torch.tensor(answer)
    decoder = model.network.get_decoder()
    cache = DynamicCache(config=model.network.config)
    opening = decoder(torch.tensor([list(prompt)], device=model.device), past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(answers))
    blocks: list[torch.Tensor] = []
    if layer is not None:
        hook = decoder.layers[layer - 1].register_forward_hook(lambda _block, _inputs, out: blocks.append(_first(out)))
    states = decoder(padded, past_key_values=cache, use_cache=True).last_hidden_state
    before = torch.cat([opening.last_hidden_state[:, -1:].expand(len(answers), 1, -1), states[:, :-1]], dim=1)
    inside = torch.arange(padded.shape[1], device=model.device) < lengths[:, None]
    log_prob = torch.zeros(padded.shape, dtype=torch.float64, device=model.device)
    log_prob[inside] = _token_log_prob(model, before[inside], padded[inside]).double()
    if layer is None:
        return Scores(log_prob.sum(1), None)
    hook.remove()
    ended = padded.gather(1, lengths[:, None] - 1)[:, 0] == model.eos
    words = torch.arange(padded.shape[1], device=model.device) < (lengths - ended.long())[:, None]
    features = (blocks[0] * words[..., None]).sum(1) / words.sum(1).clamp(min=1)[:, None]
    return Scores(log_prob.sum(1), features)


def _first(output: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    return output[0] if isinstance(output, tuple) else output


def _token_log_prob(model: LanguageModel, states: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    head = model.network.get_output_embeddings()
    parts = []
    for chunk, ids in zip(states.split(CHUNK), tokens.split(CHUNK), strict=True):
        logits = head(chunk).float()
        parts.append(logits.gather(1, ids[:, None])[:, 0] - logits.logsumexp(1))
    return torch.cat(parts)
