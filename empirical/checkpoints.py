"""Read a checkpoint's weights: nothing in it may run, none may be missing, none may be infinite or NaN."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import GatedRepoError
from transformers import AutoTokenizer, GenerationConfig

from empirical.errors import InputError, first_line
from empirical.fetch import sha256

# A cap or scale behind the head moves logits by far more; the same product of the same states by nothing at all.
HEAD_ERROR = 1e-4


class ModelError(InputError):
    """A checkpoint cannot be used; the message is one sentence that says what is wrong and what to do."""


def pretrained(
    kind: Any, where: str | Path, what: str, dtype: torch.dtype = torch.float32, revision: str | None = None
) -> tuple[Any, Any]:
    """A frozen network of the transformers class `kind` and its tokenizer, from a directory or a hub id.

    A pickle goes through torch's weights-only reader, which runs nothing; code that the checkpoint brings is never
    run. Raises ModelError in one sentence.
    """
    try:
        for index in Path(where).glob("*.index.json"):
            shards(index)
        network, found = kind.from_pretrained(
            where,
            dtype=dtype,
            revision=revision or "main",
            trust_remote_code=False,
            output_loading_info=True,
            generation_config=GenerationConfig(),  # the checkpoint's own, with its sampling settings, is never read
        )
        tokenizer = AutoTokenizer.from_pretrained(where, revision=revision or "main", trust_remote_code=False)
    except Exception as problem:  # transformers raises anything from OSError to a bare safetensors error here
        otherwise = "pass a directory written by save_pretrained, or a hub id that this machine can reach."
        raise ModelError(
            f"Cannot read {what} from {where!s} ({first_line(problem)}); {advice(where, problem, otherwise)}"
        ) from problem
    if getattr(network, "_hf_peft_config_loaded", False):
        raise ModelError(f"{where!s} holds an adapter; pass a folder of it as --aligned, with its base as --prior.")
    if getattr(network.config, "transformers_weights", None):  # `digest` would hash another file than was read
        raise ModelError(
            f"The configuration of {where!s} names its own file of weights (transformers_weights); save the model anew "
            "with save_pretrained."
        )
    if found["missing_keys"]:
        raise ModelError(
            f"The checkpoint {where!s} lacks {', '.join(sorted(found['missing_keys'])[:3])}, which {what} needs and "
            "transformers would draw at random; pass the checkpoint of such a model."
        )
    refuse_nan(network, where)
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest >= network.config.vocab_size:
        raise ModelError(
            f"The tokenizer of {where!s} has {largest + 1} tokens but the model only {network.config.vocab_size}; "
            "use the tokenizer the model was trained with."
        )
    return network.eval().requires_grad_(False), tokenizer


def shards(index: Path) -> list[Path]:
    """The files that an index of shards names; ValueError if one does not lie beside it."""
    names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    for name in names:  # transformers would follow them; on Windows a backslash leads outside, too
        if "/" in name or "\\" in name:
            raise ValueError(f"its index of shards names {name}, which is no file of it")
    return [index.with_name(name) for name in sorted(names)]


def refuse_nan(network: Any, where: str | Path) -> None:
    """Raise ModelError if a weight is NaN or infinite; aminmax propagates NaN and needs no memory of its own."""
    for name, weight in network.named_parameters():
        if not torch.isfinite(torch.stack(torch.aminmax(weight))).all():
            raise ModelError(f"The weights {name} of {where!s} are not all finite numbers; fetch the checkpoint anew.")


@torch.inference_mode()
def refuse_hidden_steps(network: Any, where: str | Path) -> None:
    """Raise ModelError if the logits are more than the output embedding of the decoder's last state.

    The engines and `scoring` split a model there; a cap (Gemma 2) or a scale (Granite, Cohere) would go unnoticed.
    """
    head, ids = network.get_output_embeddings(), torch.arange(4, device=network.device)[None]
    if head is not None:
        whole = network(ids).logits.double()
        split = head(network.get_decoder()(ids).last_hidden_state).double()
        if (whole - split).abs().max() <= HEAD_ERROR * whole.abs().max():
            return
    raise ModelError(
        f"The model {where!s} ({network.config.model_type}) caps or scales its logits behind its output embedding, "
        "which is not supported here; use a model that does not, such as Llama, Mistral or Qwen."
    )


def digest(where: str | Path, network: Any) -> str:
    """The SHA-256 of a directory's weights (of several shards: of their SHA-256s), or the hub's commit."""
    files: list[Path] = []
    for name in ("model.safetensors", "pytorch_model.bin"):
        file, index = Path(where) / name, Path(where) / f"{name}.index.json"
        files = files or ([file] if file.is_file() else shards(index) if index.is_file() else [])
    if len(files) == 1:
        return sha256(files[0])
    if files:
        return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest()
    return str(getattr(network.config, "_commit_hash", None))


def advice(where: str | Path, problem: BaseException, otherwise: str) -> str:
    """What to do about a checkpoint that cannot be had: accept its licence if that is what the hub asks for."""
    if isinstance(problem.__cause__, GatedRepoError):
        return f"accept its licence at https://huggingface.co/{where} and log in with `hf auth login`."
    return otherwise
