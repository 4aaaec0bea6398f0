"""Adapt a batch of logits, each row by its own rule, and draw one token a row."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from empirical.engines import kernel
from empirical.engines.kernel import Drawn
from theory.adaptors import Adaptor, local


def draw(logits: torch.Tensor, adaptors: Sequence[Adaptor], uniforms: NDArray[np.float64]) -> Drawn:
    """One token a row of logits [n, V], each row under its own adaptor, float64 throughout.

    On the CPU the fused kernel takes the rows whose rule it knows. The others go through `theory.adaptors`, one group
    an adaptor; `Drawn.sorted` says that their whole vocabulary was sorted. Raises ValueError on NaN, +inf or a row of
    -inf alone.
    """
    groups: dict[Adaptor | None, list[int]] = defaultdict(list)
    recipes = [kernel.recipe(adaptor) if logits.device.type == "cpu" else None for adaptor in adaptors]
    for row, adaptor in enumerate(adaptors):
        groups[adaptor if recipes[row] is None else None].append(row)
    if list(groups) == [None]:
        return kernel.draw(logits.numpy(), np.array(recipes), uniforms)
    parts = [
        _by_theory(logits[rows], adaptor, uniforms[rows])
        if adaptor
        else kernel.draw(logits[rows].numpy(), np.array([recipes[row] for row in rows]), uniforms[rows])
        for adaptor, rows in groups.items()
    ]
    back = np.argsort(np.concatenate(list(groups.values())))
    return Drawn(
        *(np.concatenate(figures)[back] for figures in zip(*(vars(part).values() for part in parts), strict=True))
    )


def inverse_cdf(log_q: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """The first token whose cumulative probability exceeds u times the total: [rows, V], [rows] -> [rows].

    float64, because float32 cuts the tail at 2^-24; the strict inequality never draws a token of probability 0.
    """
    cumulative = log_q.double().exp().cumsum(-1)
    return torch.searchsorted(cumulative, (uniforms.double() * cumulative[:, -1])[:, None], right=True)[:, 0]


def _by_theory(logits: torch.Tensor, adaptor: Adaptor, uniforms: NDArray[np.float64]) -> Drawn:
    log_p = logits.double().log_softmax(-1)
    log_q, log_kept = local(adaptor, log_p)
    tokens = inverse_cdf(log_q, torch.as_tensor(uniforms, device=logits.device))
    figures = (log_q.gather(1, tokens[:, None])[:, 0], log_kept, log_p.gather(1, tokens[:, None])[:, 0])
    whole = np.full(len(logits), logits.shape[1])
    return Drawn(tokens.cpu().numpy(), *(figure.cpu().numpy() for figure in figures), whole)
