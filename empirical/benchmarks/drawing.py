"""Adapting and drawing one token a row: our kernel beside transformers' warpers, softmax and multinomial."""

from collections.abc import Callable

import numpy as np
import torch
from transformers import TopPLogitsWarper, TypicalLogitsWarper

from empirical.engines.drawing import draw
from theory.adaptors import Adaptor, locally_typical, nucleus

RULES: dict[str, tuple[Adaptor, object]] = {
    "nucleus": (nucleus(0.9), TopPLogitsWarper(0.9)),
    "typical": (locally_typical(0.9), TypicalLogitsWarper(0.9)),
}


def contenders(logits: torch.Tensor) -> dict[str, Callable[[], object]]:
    """Both ways to draw a token from each row of logits [n, V], for each rule."""
    uniforms = np.random.default_rng(0).random(len(logits))
    ways: dict[str, Callable[[], object]] = {}
    for name, (adaptor, warper) in RULES.items():
        ways[name] = lambda adaptor=adaptor: draw(logits, [adaptor] * len(logits), uniforms)
        ways[f"transformers {name}"] = lambda warper=warper: torch.multinomial(warper(None, logits).softmax(-1), 1)
    return ways


def largest_difference(logits: torch.Tensor) -> float:
    """Over all rows and rules, how far the masses of the two kept sets differ, both decided in float64.

    In float32 transformers' running sum over a vocabulary of 49,152 is off by 1e-5, and so can its cut be by a token.
    """
    logits, uniforms = logits.double(), np.zeros(len(logits))
    differences = [
        np.abs(
            np.exp(draw(logits, [adaptor] * len(logits), uniforms).log_kept)
            - (logits.softmax(-1) * torch.isfinite(warper(None, logits))).sum(-1).cpu().numpy()
        ).max()
        for adaptor, warper in RULES.values()
    ]
    return float(max(differences))
