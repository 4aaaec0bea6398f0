"""Where a decoding step's time goes: each part alone, on the engine's own objects, 64 rows half-way through a text."""

import statistics
from collections.abc import Callable

import numpy as np
import torch

from empirical.benchmarks import decoding
from empirical.benchmarks.measuring import seconds_of
from empirical.engines.decoder import LlamaDecoder
from empirical.engines.drawing import draw
from empirical.engines.llama import prepared
from empirical.models import LanguageModel
from empirical.schemes import study_schemes


@torch.inference_mode()
def parts(model: LanguageModel, dtype: torch.dtype, repeats: int = 9) -> dict[str, float]:
    """Median seconds of a whole step, and of its products, attention, head and drawing (all 31 schemes) alone."""
    rows = decoding.jobs(model, study_schemes())
    llama = prepared(model.network, dtype)
    decoder = LlamaDecoder(llama, len(rows), max(job.longest for job in rows))
    prefixes = {job.prompt: decoder.read(job.prompt) for job in rows}
    for slot, job in enumerate(rows):
        decoder.place(prefixes[job.prompt], [slot])
    positions = torch.tensor([len(job.prompt) + decoding.STEPS // 2 for job in rows], device=model.device)
    tokens = torch.tensor([job.prompt[0] for job in rows], device=model.device)
    states = decoder.step(tokens, positions)
    cos, sin = decoder.cos[positions], decoder.sin[positions]
    heads = llama.blocks[0].before(states).unflatten(-1, (-1, llama.width))
    mixed = decoder.kept.attend(0, heads, cos, sin, positions)
    logits = decoder.logits(states)
    adaptors, uniforms = [job.adaptor for job in rows], np.full(len(rows), 0.5)

    def products() -> None:
        for block in llama.blocks:
            block.after(block.before(states)[:, : states.shape[1]], mixed)

    def attention() -> None:
        for layer in range(len(llama.blocks)):
            decoder.kept.attend(layer, heads, cos, sin, positions)

    return {
        "step": _median(lambda: draw(decoder.logits(decoder.step(tokens, positions)), adaptors, uniforms), repeats),
        "products": _median(products, repeats),
        "attention": _median(attention, repeats),
        "head": _median(lambda: decoder.logits(states), repeats),
        "draw": _median(lambda: draw(logits, adaptors, uniforms), repeats),
    }


def _median(work: Callable[[], object], repeats: int) -> float:
    return statistics.median(seconds_of(work) for _ in range(repeats))
