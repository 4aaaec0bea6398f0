"""Hostile and odd checkpoints: nothing in them runs, overrides a setting or turns a figure into NaN unnoticed."""

import json
import os
import pickle
import shutil

import pytest
import torch
from huggingface_hub.errors import GatedRepoError
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

from empirical.errors import InputError
from empirical.models import ModelError, load, with_adapter
from empirical.rewards import RewardError, load_reward
from tests.empirical.spoiling import PROMPT, edit, rows


class Payload:
    """An object whose unpickling makes a file: what a malicious checkpoint would do, made harmless."""

    def __init__(self, file):
        self.file = str(file)

    def __reduce__(self):
        return os.mkdir, (self.file,)


def test_the_payload_works(folder, tmp_path, monkeypatch):
    """The control of the tests below: without the weights-only reader, the same load does run it."""
    weights, planted = load_file(folder / "model.safetensors"), tmp_path / "planted"
    (folder / "model.safetensors").unlink()
    torch.save(weights | {"model.norm.weight": Payload(planted)}, folder / "pytorch_model.bin")
    trusting = torch.load
    monkeypatch.setattr(torch, "load", lambda *args, **known: trusting(*args, **known | {"weights_only": False}))
    with pytest.raises(ModelError):
        load(folder)
    assert planted.exists()


@pytest.mark.parametrize("hidden_in", ["a state dict", "a bare pickle"])
def test_a_malicious_pickle_is_refused_unread(triple, folder, tmp_path, hidden_in):
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    planted = tmp_path / "planted"
    if hidden_in == "a state dict":
        torch.save(weights | {"model.norm.weight": Payload(planted)}, folder / "pytorch_model.bin")
    else:
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(planted)))
    with pytest.raises(ModelError, match=r"^Cannot read a causal language model from .*save_pretrained"):
        load(folder)
    with pytest.raises(ModelError, match=r"^Cannot read a score model"):
        load_reward(str(folder), triple.prior)
    edit(folder / "config.json", architectures=["LlamaForSequenceClassification"])
    with pytest.raises(ModelError, match=r"^Cannot read a sequence classifier"):
        load_reward(str(folder), triple.prior)
    assert not planted.exists()


def test_a_pickle_of_tensors_is_read_and_named_by_its_bytes(folder):
    before = load(folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    after = load(folder)
    assert rows(after) == rows(before)
    assert after.sha256 not in (before.sha256, "None")


def test_a_pickled_adapter_is_refused_unread(tiny_folder, adapter, tmp_path):
    prior = load(tiny_folder / "prior")
    tensors = load_file(adapter / "adapter_model.safetensors")
    (adapter / "adapter_model.safetensors").unlink()
    planted = tmp_path / "planted"
    for content in (tensors | {"more": Payload(planted)}, tensors):
        torch.save(content, adapter / "adapter_model.bin")
        with pytest.raises(ModelError, match=r"no adapter_model\.safetensors, and a pickle is not read"):
            with_adapter(prior, adapter, "aligned")
    assert not planted.exists()


@pytest.mark.parametrize("model_type", ["llama", "unheard-of"])
def test_code_that_a_checkpoint_brings_is_never_run(triple, folder, tmp_path, model_type):
    """A known type is loaded by transformers' own class; an unknown one is refused."""
    planted = tmp_path / "planted"
    (folder / "evil.py").write_text(f"import os\nos.mkdir({str(planted)!r})\n")
    names = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model", "AutoTokenizer": ["evil.Tok", None]}
    names["AutoModelForSequenceClassification"] = "evil.Model"
    edit(folder / "config.json", auto_map=names, model_type=model_type)
    edit(folder / "tokenizer_config.json", auto_map=names)
    if model_type == "llama":
        assert rows(load(folder)) == rows(triple.prior)
        (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": names, "tokenizer_class": "Tok"}))
    with pytest.raises((ModelError, RewardError)):
        load_reward(str(folder), triple.prior)
    if model_type == "unheard-of":
        with pytest.raises(ModelError, match=r"^Cannot read a causal language model"):
            load(folder)
    assert not planted.exists()


HOSTILE = {
    "do_sample": True,
    "temperature": 0.01,
    "top_k": 1,
    "top_p": 0.1,
    "typical_p": 0.2,
    "repetition_penalty": 9.0,
    "max_length": 3,
    "max_new_tokens": 1,
    "min_new_tokens": 9,
    "suppress_tokens": list(range(10, 200)),
    "begin_suppress_tokens": list(range(10, 200)),
    "forced_bos_token_id": 7,
    "forced_eos_token_id": 7,
    "bad_words_ids": [[5], [6]],
    "num_beams": 4,
    "eos_token_id": [9, 10, 11],
}


def test_a_hostile_generation_config_has_no_influence(triple, folder):
    plain = rows(triple.prior)
    edit(folder / "generation_config.json", **HOSTILE)
    model = load(folder)
    assert rows(model) == plain
    assert model.eos == triple.prior.eos
    ids = torch.tensor([model.prompt_ids(PROMPT)])
    ours, theirs = (one.network.generate(ids, max_new_tokens=8, do_sample=False) for one in (model, triple.prior))
    assert torch.equal(ours, theirs), "nor on a peer that is timed beside us"
    assert AutoModelForCausalLM.from_pretrained(folder).generation_config.top_k == 1, "the control: transformers obeys"


def test_weights_under_a_name_of_their_own_are_refused(folder):
    """What a manifest calls the model by would be the hash of the file that was not read."""
    shutil.copy(folder / "model.safetensors", folder / "other.safetensors")
    edit(folder / "config.json", transformers_weights="other.safetensors")
    with pytest.raises(ModelError, match="names its own file of weights"):
        load(folder)


def test_generation_settings_in_the_model_config_have_no_influence(triple, folder):
    edit(
        folder / "config.json", **{name: HOSTILE[name] for name in ("temperature", "top_k", "max_length", "num_beams")}
    )
    model = load(folder)
    assert rows(model) == rows(triple.prior)
    assert (
        model.network.generation_config.to_diff_dict().keys()
        <= GenerationConfig(eos_token_id=0, pad_token_id=0).to_diff_dict().keys()
    )


@pytest.mark.parametrize(
    "template", ["{{ ''.__class__.__mro__ }}", "{{ cycler.__init__.__globals__ }}", "{{ messages.clear() }}"]
)
def test_a_malicious_chat_template_is_refused_at_load(folder, template):
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelError, match=r"^The chat template of"):
        load(folder)


def test_no_chat_template(folder):
    (folder / "chat_template.jinja").unlink()
    model = load(folder)
    assert model.tokenizer.decode(model.prompt_ids("Hello")) == "Human: Hello Assistant:"


def test_a_licence_that_is_not_accepted_says_where(monkeypatch, triple):
    gated = GatedRepoError.__new__(GatedRepoError)  # its constructor wants a whole HTTP reply

    def refuse(*_, **__):
        raise OSError("You are trying to access a gated repo.\nMore") from gated

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", refuse)
    monkeypatch.setattr(AutoConfig, "from_pretrained", refuse)
    for read in (load, lambda where: load_reward(where, triple.prior)):
        with pytest.raises(InputError, match=r"accept its licence at https://huggingface\.co/me/x and log in") as told:
            read("me/x")
        assert "\n" not in str(told.value)
