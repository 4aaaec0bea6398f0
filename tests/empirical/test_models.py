"""Loading: what is saved comes back, adapters merge as W + (alpha / r) B A, and bad checkpoints are one sentence."""

import shutil

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from empirical import models
from empirical.fetch import sha256
from empirical.models import ModelError, load, refuse_long, with_adapter


def test_a_saved_model_comes_back(tiny_folder):
    model = load(tiny_folder / "prior", name="tiny")
    assert model.sha256 == sha256(tiny_folder / "prior" / "model.safetensors")
    assert model.network.dtype == torch.float32
    assert not any(weight.requires_grad for weight in model.network.parameters())
    assert not model.network.training
    assert model.eos == 0


def test_adapter_is_w_plus_scaled_ba(tiny_folder):
    prior = load(tiny_folder / "prior")
    before = {name: weight.clone() for name, weight in prior.network.state_dict().items()}
    aligned = with_adapter(prior, tiny_folder / "adapter", "aligned")
    tensors = load_file(tiny_folder / "adapter" / "adapter_model.safetensors")
    stem = "model.layers.0.self_attn.q_proj"
    b, a = (tensors[f"base_model.model.{stem}.lora_{letter}.weight"] for letter in "BA")
    merged = aligned.network.state_dict()[f"{stem}.weight"]
    torch.testing.assert_close(merged, before[f"{stem}.weight"] + 8 / 2 * b @ a)  # PEFT's default alpha is 8, r is 2
    assert all(torch.equal(weight, before[name]) for name, weight in prior.network.state_dict().items())
    assert aligned.sha256 == f"{prior.sha256}+{sha256(tiny_folder / 'adapter' / 'adapter_model.safetensors')}"


def test_prompt_ends_where_the_answer_starts(triple):
    text = triple.prior.tokenizer.decode(triple.prior.prompt_ids("Hello"))
    assert text.endswith("assistant: ")
    assert "Hello" in text


def test_prompt_without_a_chat_template(tiny_folder):
    model = load(tiny_folder / "prior")
    model.tokenizer.chat_template = None
    assert model.tokenizer.decode(model.prompt_ids("Hello")) == "Human: Hello Assistant:"


def test_an_answer_may_fill_the_context_and_no_more(triple):
    limit = triple.prior.network.config.max_position_embeddings
    rest = limit - len(triple.prior.prompt_ids("Hello"))
    refuse_long(triple.prior, ["Hello"], rest)
    with pytest.raises(ModelError, match=f"reads {limit} tokens but the prompt 'Hello' .* may take {limit + 1};"):
        refuse_long(triple.prior, ["Hello"], rest + 1)


def test_the_revision_that_was_asked_for_is_read(tiny_folder, monkeypatch):
    asked = []

    def read(kind, where, what, dtype, revision=None):
        asked.append(revision)
        return pretrained(kind, where, what, dtype)

    pretrained = models.pretrained
    monkeypatch.setattr(models, "pretrained", read)
    load(tiny_folder / "prior", revision="v2")
    load(tiny_folder / "prior")
    assert asked == ["v2", None]


def test_missing_directory():
    with pytest.raises(ModelError, match="Cannot read a causal language model from /nowhere"):
        load("/nowhere")


def test_truncated_weights(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder / "prior", tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="save_pretrained"):
        load(folder)


def test_tokenizer_larger_than_the_model(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder / "prior", tmp_path / "mixed")
    config = load(folder).network.config
    config.vocab_size = 100
    LlamaForCausalLM(config).save_pretrained(folder)
    with pytest.raises(ModelError, match="257 tokens but the model only 100"):
        load(folder)


def test_tokenizer_without_an_end(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder / "prior", tmp_path / "endless")
    tokenizer = load(folder).tokenizer
    tokenizer.eos_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(ModelError, match="no end-of-sequence"):
        load(folder)


def test_not_an_adapter(tiny_folder, tmp_path):
    with pytest.raises(ModelError, match="PEFT folder"):
        with_adapter(load(tiny_folder / "prior"), tmp_path, "aligned")


def test_unpacked_checkpoint_is_made_once_and_repaired(monkeypatch, tiny_folder, tmp_path):
    made = []

    def dequantise(gguf, folder):
        made.append(folder)
        shutil.copytree(tiny_folder / "prior", folder)

    gguf = tmp_path / models.SMOLLM2.name / "file.gguf"
    gguf.parent.mkdir()
    monkeypatch.setattr(models, "fetch", lambda source, cache: gguf)
    monkeypatch.setattr(models, "_dequantise", dequantise)
    folder = models.unpacked(models.SMOLLM2, tmp_path)
    assert models.unpacked(models.SMOLLM2, tmp_path) == folder
    assert len(made) == 1
    (folder / "model.safetensors").write_bytes(b"damaged")
    assert load(models.unpacked(models.SMOLLM2, tmp_path)).eos == 0
    assert len(made) == 2
