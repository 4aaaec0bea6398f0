"""Odd checkpoints: each is read for what it is, or refused in one sentence."""

import json
import re
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from transformers import CohereConfig, Gemma2Config, GraniteConfig

from empirical.models import ModelError, load, with_adapter
from empirical.tiny import ARCHITECTURES, write_tiny_checkpoint
from tests.empirical.spoiling import edit, rows


@pytest.mark.parametrize("pad", [None, "A"])
def test_the_pad_token_moves_nothing(triple, folder, pad):
    """pad = EOS, as in the tiny tokenizer, no pad, or a pad that is a letter: lengths tell text from padding."""
    assert triple.prior.tokenizer.pad_token_id == triple.prior.eos
    edit(folder / "tokenizer_config.json", pad_token=pad)
    edit(folder / "config.json", pad_token_id=load(folder).tokenizer.pad_token_id)
    assert load(folder).tokenizer.pad_token == pad
    assert rows(load(folder)) == rows(triple.prior)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused(folder, adapter, value):
    prior = load(folder)
    for file, name, read in (
        (folder / "model.safetensors", "model.layers.1.mlp.up_proj.weight", lambda: load(folder)),
        (
            adapter / "adapter_model.safetensors",
            "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight",
            lambda: with_adapter(prior, adapter, "aligned"),
        ),
    ):
        tensors = load_file(file)
        tensors[name][1, 1] = value
        save_file(tensors, file, {"format": "pt"})
        where = re.escape(str(file.parent))
        with pytest.raises(ModelError, match=f" of {where} are not all finite numbers; fetch the checkpoint anew"):
            read()


def test_missing_weights_are_refused(folder, adapter):
    """transformers and PEFT draw them at random, with a warning at most."""
    prior = load(folder)
    for file, name, what in (
        (folder / "model.safetensors", "lm_head.weight", lambda: load(folder)),
        (
            adapter / "adapter_model.safetensors",
            "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight",
            lambda: with_adapter(prior, adapter, "aligned"),
        ),
    ):
        tensors = load_file(file)
        del tensors[name]
        save_file(tensors, file, {"format": "pt"})
        with pytest.raises(ModelError, match=name.split(".")[-2]):
            what()


def test_tied_heads_are_not_missing(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    untied = rows(load(folder))
    del tensors["lm_head.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    edit(folder / "config.json", tie_word_embeddings=True)
    assert rows(load(folder)) == untied


def test_an_adapter_is_no_model(adapter, folder):
    edit(adapter / "adapter_config.json", base_model_name_or_path=str(folder))
    shutil.copy(folder / "tokenizer.json", adapter)
    shutil.copy(folder / "tokenizer_config.json", adapter)
    with pytest.raises(ModelError, match="holds an adapter"):
        load(adapter)


def test_ids_beyond_the_model_count_even_where_the_tokenizer_is_short(folder):
    """257 tokens, but one of them has an id far out: its embedding does not exist."""
    file = folder / "tokenizer.json"
    described = json.loads(file.read_text(encoding="utf-8"))
    described["model"]["vocab"]["A"] = 400
    file.write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(ModelError, match="401 tokens but the model only 257"):
        load(folder)


def test_two_sharded_checkpoints_have_two_names(folder, tmp_path):
    model = load(folder)
    names = set()
    for number in range(2):
        where = Path(shutil.copytree(folder, tmp_path / str(number)))
        (where / "model.safetensors").unlink()
        model.network.get_output_embeddings().weight.mul_(1 + number)
        model.network.save_pretrained(where, max_shard_size="50KB")
        assert len(list(where.glob("model-*.safetensors"))) > 1
        names.add(load(where).sha256)
    assert len(names) == 2
    assert "None" not in names


@pytest.mark.parametrize("kind", [Gemma2Config, CohereConfig, GraniteConfig])
def test_logits_that_are_capped_or_scaled_behind_the_head_are_refused(kind, tmp_path, monkeypatch):
    """The engines split the model at its head; taken through them, these three would give another law."""
    extra = {"logits_scaling": 4.0} if kind is GraniteConfig else {"head_dim": 8}
    monkeypatch.setitem(ARCHITECTURES, "capped", (kind, {"vocab_size": 264, **extra}))
    with pytest.raises(ModelError, match="caps or scales its logits"):
        load(write_tiny_checkpoint(tmp_path, architecture="capped"))
