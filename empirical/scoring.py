"""Score answers, token ids in: their log-probability under a model and the features that rewards read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
    """Score several answers to one prompt: log p(answer | prompt) and, for `layer` (1 = first), the features.

    The features are that block's output averaged over the answer without its EOS.
    Raises ValueError on an empty prompt or answer.
    """
    blocks: list[torch.Tensor] = []
    hooks = []
    if layer is not None:
        block = model.network.get_decoder().layers[layer - 1]
        hooks = [block.register_forward_hook(lambda _block, _inputs, out: blocks.append(_first(out)))]
    try:
        log_prob = answer_log_prob(model.network, prompt, answers)
    finally:
        for hook in hooks:
            hook.remove()
    if layer is None:
        return Scores(log_prob, None)
    words = torch.tensor([len(answer) - (answer[-1] == model.eos) for answer in answers], device=model.device)
    states = blocks[-1]  # the hook saw the prompt first, then the answers
    inside = torch.arange(states.shape[1], device=model.device) < words[:, None]
    return Scores(log_prob, (states * inside[..., None]).sum(1) / words.clamp(min=1)[:, None])


def answer_log_prob(network: Any, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> torch.Tensor:
    """sum_t log p(y_t | prompt, y_<t) in nats, [n], float64, differentiable in the network's weights.

    One right-padded pass behind the shared prompt; EOS counts where it was drawn. Lengths, not ids, tell padding from
    text: the pad token may be EOS itself.
    """
    if not prompt or not answers or any(len(answer) == 0 for answer in answers):
        raise ValueError("Scoring needs a prompt and at least one answer, each with at least one token.")
    device = next(network.parameters()).device
    lengths = torch.tensor([len(answer) for answer in answers], device=device)
    padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(answer) for answer in answers], batch_first=True).to(device)
    decoder, cache = network.get_decoder(), DynamicCache(config=network.config)
    opening = decoder(torch.tensor([list(prompt)], device=device), past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(answers))
    states = decoder(padded, past_key_values=cache, use_cache=True).last_hidden_state
    before = torch.cat([opening.last_hidden_state[:, -1:].expand(len(answers), 1, -1), states[:, :-1]], dim=1)
    inside = torch.arange(padded.shape[1], device=device) < lengths[:, None]
    head = network.get_output_embeddings()
    tokens = zip(before[inside].split(CHUNK), padded[inside].split(CHUNK), strict=True)
    log_prob = torch.cat([_token_log_prob(head(chunk).float(), ids) for chunk, ids in tokens])
    rows = torch.arange(len(answers), device=device).repeat_interleave(lengths)
    return torch.zeros(len(answers), dtype=torch.float64, device=device).index_add(0, rows, log_prob.double())


def _token_log_prob(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return logits.gather(1, ids[:, None])[:, 0] - logits.logsumexp(1)


def _first(output: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    return output[0] if isinstance(output, tuple) else output
