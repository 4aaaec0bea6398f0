"""Decoding: our engine beside transformers' `generate`: the same prompts, rows and lengths, prefill included."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import torch
from transformers import GenerationConfig

from empirical.engines.jobs import Job, answers
from empirical.engines.torch import engine
from empirical.models import LanguageModel
from empirical.prompts import study_prompts
from empirical.randomness import uniforms
from empirical.schemes import Scheme, study_schemes

ROWS, PROMPTS, STEPS = 64, 2, 64
PLAIN = study_schemes()[:1]


def jobs(model: LanguageModel, schemes: Sequence[Scheme]) -> list[Job]:
    """64 rows of 64 new tokens over two prompts; the schemes take turns within a prompt."""
    return [
        Job(
            tuple(model.prompt_ids(prompt)),
            schemes[row % len(schemes)].adaptor,
            uniforms(0, prompt, schemes[row % len(schemes)].name, row, STEPS),
        )
        for prompt in study_prompts(PROMPTS)
        for row in range(ROWS // PROMPTS)
    ]


def endless(model: LanguageModel) -> LanguageModel:
    """The model with no token that ends a text: every row runs to its last step."""
    return replace(model, tokenizer=SimpleNamespace(eos_token_id=-1))


def contenders(model: LanguageModel, dtype: torch.dtype) -> dict[str, Callable[[], object]]:
    """Ours, plain and with all 31 schemes mixed, and `generate`, plain and with nucleus sampling."""
    plain, mixed = jobs(model, PLAIN), jobs(model, study_schemes())
    ours = engine(endless(model), plain[0].longest + STEPS, ROWS, dtype)
    network = model.network if dtype == model.network.dtype else copy.deepcopy(model.network).to(dtype)
    return {
        "plain": lambda: answers(ours, plain),
        "mixed": lambda: answers(ours, mixed),
        "generate plain": partial(generate, network, plain, top_p=1.0),
        "generate nucleus": partial(generate, network, plain, top_p=0.9),
    }


@torch.inference_mode()
def generate(network: torch.nn.Module, rows: Sequence[Job], top_p: float) -> torch.Tensor:
    """The same rows by transformers: nothing but nucleus sampling on, no end token."""
    prompts = list(dict.fromkeys(job.prompt for job in rows))
    longest = max(map(len, prompts))
    device = next(network.parameters()).device
    ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    settings = GenerationConfig(
        do_sample=True,
        top_k=0,
        top_p=top_p,
        max_new_tokens=STEPS,
        num_return_sequences=len(rows) // len(prompts),
        eos_token_id=None,
        pad_token_id=0,
    )
    return network.generate(ids, attention_mask=mask, generation_config=settings)
