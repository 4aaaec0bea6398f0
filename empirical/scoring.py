"""Score answers, token ids in: their log-probability under a model and the features that rewards read."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import DynamicCache

from empirical.engines.decoder import LlamaDecoder
from empirical.engines.llama import check_strict, prepared, supports
from empirical.engines.reading import read_answers, token_log_prob
from empirical.models import LanguageModel
from empirical.precision import at_least_float32, one_thread

CHUNK = 512  # positions per vocabulary-wide product: 100 MB of float32 logits at 49,152 tokens


@dataclass(frozen=True)
class Scores:
    """One row an answer: log_prob [n] in nats, and the mean hidden state over its words [n, hidden] if asked for.

    states: if asked for, the final normalised state that each token was drawn from, one answer after the other
    [tokens, hidden], at least in float32.
    """

    log_prob: torch.Tensor
    features: torch.Tensor | None
    states: torch.Tensor | None = None


@torch.inference_mode()
def score(
    model: LanguageModel,
    prompt: Sequence[int],
    answers: Sequence[Sequence[int]],
    layer: int | None = None,
    strict: bool = False,
    states: bool = False,
) -> Scores:
    """Score several answers to one prompt: log p(answer | prompt) and, for `layer` (1 = first), the features.

    The features are that block's output averaged over the answer without its EOS. strict: every answer is read on its
    own by one thread, so that its bits depend on nothing else. states: return them too.
    Raises ValueError on an empty prompt or answer, and on strict as `check_strict`.
    """
    _check(prompt, answers)
    if strict:
        check_strict(model.network, model.name)
    if supports(model.network):
        with one_thread() if strict else nullcontext():
            return _by_llama(model, prompt, answers, layer, strict, states)
    scores = _by_network(model, prompt, answers, layer)
    if states:
        before, _, inside = answer_states(model.network, prompt, answers)
        return replace(scores, states=at_least_float32(before[inside]))
    return scores


def _by_llama(
    model: LanguageModel,
    prompt: Sequence[int],
    answers: Sequence[Sequence[int]],
    layer: int | None,
    alone: bool,
    keep: bool,
) -> Scores:
    """By the decoder that also draws: the prompt read once, no padding in any product."""
    llama = prepared(model.network, model.network.dtype)
    prefix = LlamaDecoder(llama, 0, len(prompt)).read(prompt)
    opening = llama.logits(prefix.state[None]).double().log_softmax(1)[0]
    log_prob = opening[[answer[0] for answer in answers]]
    words = _words(model, answers)
    features = None
    starts = torch.tensor([0, *map(len, answers)], device=model.device).cumsum(0)
    states = torch.empty(int(starts[-1]), len(prefix.state), dtype=llama.head_dtype, device=model.device)
    states[starts[:-1]] = llama.normed(prefix.state[None])
    for read, after in read_answers(llama, prefix, answers, layer, alone):
        later = read.places[1:] > 0  # a token's law is read off the state of the one before it
        rows = read.rows[1:][later]
        log_prob.index_add_(0, rows, token_log_prob(llama, read.states[:-1][later], read.ids[1:][later]).double())
        if keep:
            states[starts[rows] + read.places[1:][later]] = llama.normed(read.states[:-1][later])
        if after is not None:
            features = after.new_zeros(len(answers), after.shape[1]) if features is None else features
            inside = read.places < words[read.rows]
            features.index_add_(0, read.rows[inside], after[inside])
    means = None if features is None else features / words.clamp(min=1)[:, None]
    return Scores(log_prob, means, states if keep else None)


def _by_network(
    model: LanguageModel, prompt: Sequence[int], answers: Sequence[Sequence[int]], layer: int | None
) -> Scores:
    """By transformers' own forward pass."""
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
    words = _words(model, answers)
    states = blocks[-1]  # the hook saw the prompt first, then the answers
    inside = torch.arange(states.shape[1], device=model.device) < words[:, None]
    return Scores(log_prob, (states * inside[..., None]).sum(1) / words.clamp(min=1)[:, None])


def _words(model: LanguageModel, answers: Sequence[Sequence[int]]) -> torch.Tensor:
    """The number of tokens of each answer without its EOS."""
    return torch.tensor([len(answer) - (answer[-1] == model.eos) for answer in answers], device=model.device)


def _check(prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> None:
    if not prompt or not answers or any(len(answer) == 0 for answer in answers):
        raise ValueError("Scoring needs a prompt and at least one answer, each with at least one token.")


def answer_log_prob(network: Any, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> torch.Tensor:
    """sum_t log p(y_t | prompt, y_<t) in nats, [n], float64, differentiable in the network's weights.

    One right-padded pass behind the shared prompt; EOS counts where it was drawn. Lengths, not ids, tell padding from
    text: the pad token may be EOS itself.
    """
    states, ids, inside = answer_states(network, prompt, answers)
    head = network.get_output_embeddings()
    tokens = zip(states[inside].split(CHUNK), ids[inside].split(CHUNK), strict=True)
    log_prob = torch.cat([_token_log_prob(at_least_float32(head(chunk)), some) for chunk, some in tokens])
    rows = torch.arange(len(answers), device=ids.device).repeat_interleave(inside.sum(1))
    return torch.zeros(len(answers), dtype=torch.float64, device=ids.device).index_add(0, rows, log_prob.double())


def answer_states(
    network: Any, prompt: Sequence[int], answers: Sequence[Sequence[int]]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The states that every token was drawn from [n, longest, hidden], the tokens, and which are text [n, longest].

    Differentiable in the network's weights; the output embeddings turn a state into logits.
    """
    _check(prompt, answers)
    device = next(network.parameters()).device
    lengths = torch.tensor([len(answer) for answer in answers], device=device)
    padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(answer) for answer in answers], batch_first=True).to(device)
    decoder, cache = network.get_decoder(), DynamicCache(config=network.config)
    opening = decoder(torch.tensor([list(prompt)], device=device), past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(answers))
    states = decoder(padded, past_key_values=cache, use_cache=True).last_hidden_state
    before = torch.cat([opening.last_hidden_state[:, -1:].expand(len(answers), 1, -1), states[:, :-1]], dim=1)
    return before, padded, torch.arange(padded.shape[1], device=device) < lengths[:, None]


def _token_log_prob(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    return logits.gather(1, ids[:, None])[:, 0] - logits.logsumexp(1)


def _first(output: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    return output[0] if isinstance(output, tuple) else output
