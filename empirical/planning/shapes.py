"""The dimensions of a Llama-like network, from its configuration alone: named ones, a config.json, a cached hub id."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from empirical.errors import InputError

KINDS = ("llama", "mistral")


@dataclass(frozen=True)
class Shape:
    """Gated feed-forward blocks with grouped queries and no biases; `width` is that of one attention head."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    width: int
    vocabulary: int
    tied: bool = False

    @property
    def blocks(self) -> int:
        """Entries of all blocks' matrices: layers (2 hidden width (heads + kv heads) + 3 hidden intermediate)."""
        attention = 2 * self.hidden * self.width * (self.heads + self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.intermediate)

    @property
    def head(self) -> int:
        """Entries of the output matrix, vocabulary x hidden; the embedding has as many."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """All of the checkpoint's parameters; a tied head is the embedding and counts once.

        >>> NAMED["llama-2-7b"].parameters
        6738415616
        """
        return self.blocks + (1 if self.tied else 2) * self.head + (2 * self.layers + 1) * self.hidden

    @property
    def cached(self) -> int:
        """Numbers that one token leaves in the cache: 2 layers kv heads width."""
        return 2 * self.layers * self.kv_heads * self.width


NAMED = {
    # Allal et al. 2025 (arXiv:2502.02737) and the checkpoint's config.json.
    "smollm2-135m": Shape(576, 1536, 30, 9, 3, 64, 49152, tied=True),
    # Touvron et al. 2023 (arXiv:2307.09288) and the checkpoint's config.json.
    "llama-2-7b": Shape(4096, 11008, 32, 32, 32, 128, 32000),
    # Jiang et al. 2023 (arXiv:2310.06825), Table 1; v0.2, as the DPO triple uses it, has the same dimensions.
    "mistral-7b": Shape(4096, 14336, 32, 32, 8, 128, 32000),
}
# What scores answers beside the prior: the RLHF triple's reward model is a Llama-2-7B; the others' rewards are free.
REWARDS = {"llama-2-7b": "llama-2-7b"}


def shape_of(model: str) -> Shape:
    """A named shape, or that of a folder, a config.json or a hub id in the local cache; raises InputError."""
    if model in NAMED:
        return NAMED[model]
    try:
        return from_config(json.loads(_config(model).read_text(encoding="utf-8")), model)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as problem:
        raise InputError(
            f"Cannot read the configuration of {model} ({problem}); pass a config.json, its folder, a hub id that is "
            f"cached here, or one of {', '.join(NAMED)}."
        ) from problem


def from_config(config: dict[str, Any], name: str) -> Shape:
    """The shape that a transformers configuration describes; raises InputError where the formulas would not hold."""
    if not isinstance(config, dict) or config.get("model_type") not in KINDS:
        raise InputError(f"{name} is no configuration of {' or '.join(KINDS)}, the only ones that can be priced.")
    if config.get("attention_bias") or config.get("mlp_bias"):
        raise InputError(f"{name} has biases in its blocks, which the formulas leave out; it cannot be priced.")
    try:
        heads = config["num_attention_heads"]
        shape = Shape(
            hidden=config["hidden_size"],
            intermediate=config["intermediate_size"],
            layers=config["num_hidden_layers"],
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            width=config.get("head_dim") or config["hidden_size"] // heads,
            vocabulary=config["vocab_size"],
            tied=bool(config.get("tie_word_embeddings", False)),
        )
    except (KeyError, TypeError, ZeroDivisionError) as problem:
        raise InputError(f"The configuration of {name} lacks {problem}; complete it.") from problem
    if not all(isinstance(size, int) and size > 0 for size in list(vars(shape).values())[:-1]):
        raise InputError(f"The configuration of {name} has a dimension that is no positive integer; correct it.")
    return shape


def _config(model: str) -> Path:
    path = Path(model)
    if path.exists():
        return path / "config.json" if path.is_dir() else path
    try:
        found = try_to_load_from_cache(model, "config.json")
    except HFValidationError:
        found = None
    if not isinstance(found, str):
        raise FileNotFoundError("it is neither a file or folder, nor in the cache")
    return Path(found)
