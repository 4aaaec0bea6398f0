"""The triples that a command names."""

import copy
import shutil

import pytest

from empirical import triples
from empirical.errors import InputError
from empirical.models import load
from empirical.presets import PRESETS
from empirical.rewards import LengthReward, SecretReward, load_head
from empirical.training import Recipe, save_adapter, with_new_adapter
from empirical.triples import check_device, default_triple, matched, shipped, users_triple


def test_smoke_is_tiny(tmp_path):
    triple = default_triple(PRESETS["smoke"], tmp_path, "cpu")
    assert triple.prior.network.num_parameters() < 100_000


def test_what_ships_fits_together(monkeypatch, tiny_folder, tmp_path):
    """The shipped head has the default prior's width; the real preset loads adapter and head by their folders."""
    head = load_head(shipped("reward"))
    assert head.weight.shape == (576,)
    asked = []
    prior = load(tiny_folder / "prior")
    monkeypatch.setattr(triples, "default_prior", lambda device: prior)
    monkeypatch.setattr(triples, "with_adapter", lambda base, folder, name: asked.append(folder) or base)
    triple = default_triple(PRESETS["default"], tmp_path, "cpu")
    assert asked == [shipped("adapter")]
    assert triple.reward.describe() == head.describe()


def test_a_users_models(tiny_folder):
    prior = str(tiny_folder / "prior")
    adapted = users_triple(prior, str(tiny_folder / "adapter"), "", "cpu")
    assert adapted.aligned.sha256 != adapted.prior.sha256
    assert isinstance(adapted.reward, SecretReward)
    assert users_triple(prior, str(tiny_folder / "adapter"), "length", "cpu", 7).reward == LengthReward(7)


def test_what_is_not_named_is_the_default(monkeypatch, tiny_folder):
    prior, asked = load(tiny_folder / "prior"), []
    monkeypatch.setattr(triples, "default_prior", lambda device: prior)
    monkeypatch.setattr(triples, "shipped", lambda name: asked.append(name) or tiny_folder / "adapter")
    triple = users_triple("", "", "", "cpu")
    assert asked == ["adapter"]
    assert triple.prior is prior
    assert isinstance(triple.reward, SecretReward)
    with pytest.raises(InputError, match=r"Pass --aligned.*empirical\.align"):
        users_triple(str(tiny_folder / "prior"), "", "secret", "cpu")


def test_a_pad_token_that_training_added_is_cut_away(triple):
    aligned = copy.deepcopy(triple.aligned)
    aligned.tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    aligned.network.resize_token_embeddings(258)
    assert max(aligned.tokenizer.get_vocab().values()) == 257 == triple.prior.network.config.vocab_size
    assert matched("padded", triple.prior, aligned, SecretReward()).aligned.network.config.vocab_size == 257


def test_nothing_was_aligned(tiny_folder, tmp_path):
    """Equal weights, or an adapter whose B is still zero: one law, whatever the files' hashes."""
    prior = load(tiny_folder / "prior")
    save_adapter(with_new_adapter(prior, Recipe(beta=1.0)), tmp_path)
    for other in (tiny_folder / "prior", tmp_path):
        with pytest.raises(InputError, match="nothing was aligned"):
            users_triple(str(tiny_folder / "prior"), str(other), "secret", "cpu")


def test_tokenizers_must_agree(tiny_folder, tmp_path):
    other = shutil.copytree(tiny_folder / "prior", tmp_path / "other")
    tokenizer = load(other).tokenizer
    vocabulary = (other / "tokenizer.json").read_text(encoding="utf-8")
    (other / "tokenizer.json").write_text(vocabulary.replace('"A":', '"\\u4e00":'), encoding="utf-8")
    assert load(other).tokenizer.get_vocab() != tokenizer.get_vocab()
    with pytest.raises(InputError, match=r"tokenizers .* differ"):
        users_triple(str(tiny_folder / "prior"), str(other), "secret", "cpu")


def test_answers_must_end_alike(tiny_folder, tmp_path):
    """Texts that end with another token are other strings to the prior."""
    other = shutil.copytree(tiny_folder / "prior", tmp_path / "other")
    tokenizer = load(other).tokenizer
    tokenizer.eos_token = "A"
    tokenizer.save_pretrained(other)
    with pytest.raises(InputError, match=r"tokenizers .* differ"):
        users_triple(str(tiny_folder / "prior"), str(other), "secret", "cpu")


def test_device():
    assert check_device("cpu") == "cpu"
    for name in ("cuda:99", "toaster"):
        with pytest.raises(InputError, match="--device"):
            check_device(name)
