"""Scoring: our reader beside one forward pass with log_softmax, the same texts of uneven lengths."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from empirical.engines.reading import TOKENS, groups
from empirical.models import LanguageModel
from empirical.prompts import study_prompts
from empirical.scoring import score

TEXTS, PROMPTS, BATCH = 128, 4, 16


def texts(model: LanguageModel) -> list[tuple[list[int], list[list[int]]]]:
    """Prompts with 128 answers of 32 to 96 tokens in all, from a fixed seed; scoring costs the same for any words."""
    rng = np.random.default_rng(0)
    vocabulary = model.network.config.vocab_size
    return [
        (
            model.prompt_ids(prompt),
            [rng.integers(0, vocabulary, rng.integers(32, 97)).tolist() for _ in range(TEXTS // PROMPTS)],
        )
        for prompt in study_prompts(PROMPTS)
    ]


def contenders(model: LanguageModel) -> dict[str, Callable[[], object]]:
    """Both ways to the log-probability of every answer."""
    cells = texts(model)
    return {
        "reader": lambda: [score(model, prompt, answers).log_prob for prompt, answers in cells],
        "forward": lambda: [forward(model, prompt, answers) for prompt, answers in cells],
    }


@torch.inference_mode()
def forward(model: LanguageModel, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> torch.Tensor:
    """log p of each answer by whole forward passes over right-padded texts, 16 at a time, and log_softmax."""
    found = []
    for first in range(0, len(answers), BATCH):
        some = [torch.tensor([*prompt, *answer], device=model.device) for answer in answers[first : first + BATCH]]
        ids = torch.nn.utils.rnn.pad_sequence(some, batch_first=True)
        log_p = model.network(ids, use_cache=False).logits[:, len(prompt) - 1 : -1].log_softmax(-1)
        lengths = torch.tensor([len(text) - len(prompt) for text in some], device=model.device)
        inside = torch.arange(log_p.shape[1], device=model.device) < lengths[:, None]
        found.append((log_p.gather(2, ids[:, len(prompt) :, None])[..., 0] * inside).sum(1))
    return torch.cat(found)


def padding(model: LanguageModel) -> dict[str, float]:
    """The share of padding in attention, the only place where a text is padded, and in all multiply-adds together."""
    config, cells = model.network.config, texts(model)
    products = sum(weight.numel() for weight in model.network.parameters())  # a token; a tied head is counted once
    attention = 2 * config.num_hidden_layers * config.hidden_size  # a token and position that it looks at
    padded = needed = tokens = 0
    for prompt, answers in cells:
        lengths = [len(answer) for answer in answers]
        tokens += sum(lengths)
        for group in groups(lengths, TOKENS):
            longest = lengths[group[0]]
            padded += len(group) * longest * (len(prompt) + longest)
            needed += sum(lengths[row] * (len(prompt) + lengths[row]) for row in group)
    return {
        "attention": 1 - needed / padded,
        "all": attention * (padded - needed) / (attention * padded + products * tokens),
    }
