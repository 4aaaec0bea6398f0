"""A weaker prior of the same architecture: the model with noise in its weights."""

import copy
from dataclasses import replace

import torch

from empirical.models import LanguageModel


def weakened(model: LanguageModel, noise: float, seed: int = 0) -> LanguageModel:
    """The model with W + noise std(W) N(0, 1) in place of every matrix W of its blocks; its embeddings are shared.

    Raises ValueError unless 0 <= noise < inf.
    """
    if not 0 <= noise < float("inf"):
        raise ValueError(f"The noise must be a number of at least 0, in standard deviations of a weight, not {noise}.")
    shared = {
        id(weight): weight
        for module in (model.network.get_input_embeddings(), model.network.get_output_embeddings())
        for weight in module.parameters()
    }
    network = copy.deepcopy(model.network, shared)
    generator = torch.Generator().manual_seed(seed)
    kept = set(shared)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 2 and id(weight) not in kept:
                drawn = torch.randn(weight.shape, generator=generator).to(weight)
                weight.add_(noise * weight.std() * drawn)
    return replace(
        model,
        name=f"{model.name} with noise {noise:g}",
        network=network,
        sha256=f"{model.sha256}+noise {noise:g}, seed {seed}",
    )
