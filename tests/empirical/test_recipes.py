"""Recipes: what travels is small words, and what they load is what the command names."""

import pickle

import pytest
import torch

from empirical.errors import InputError
from empirical.presets import PRESETS
from empirical.recipes import Recipe
from empirical.rewards import SecretReward


def test_it_travels():
    recipe = Recipe(PRESETS["smoke"], ("", "prior", "aligned", "secret"), "cuda")
    packed = pickle.dumps(recipe)
    assert pickle.loads(packed) == recipe
    assert len(packed) < 1000


@pytest.mark.parametrize(("strict", "dtype"), [(False, torch.float32), (True, torch.float64)])
def test_strict_is_float64_and_the_same_weights(triple, strict, dtype):
    loaded = Recipe(PRESETS["smoke"]).load(strict)
    for mine, model in ((loaded.prior, triple.prior), (loaded.aligned, triple.aligned)):
        assert mine.sha256 == model.sha256
        for ours, theirs in zip(mine.network.parameters(), model.network.parameters(), strict=True):
            assert ours.dtype == dtype
            assert torch.equal(ours, theirs.to(dtype))
    assert loaded.reward.describe() == triple.reward.describe()


def test_a_users_models(tiny_folder):
    prior, adapter = str(tiny_folder / "prior"), str(tiny_folder / "adapter")
    loaded = Recipe(PRESETS["smoke"], ("", prior, adapter, "secret")).load()
    assert loaded.aligned.sha256 != loaded.prior.sha256
    assert isinstance(loaded.reward, SecretReward)


def test_bad_words_are_one_sentence():
    for recipe, why in (
        (Recipe(PRESETS["smoke"], device="toaster"), "--device"),
        (Recipe(PRESETS["smoke"], ("", "/nowhere", "/nowhere", "secret")), "/nowhere"),
    ):
        with pytest.raises(InputError, match=why):
            recipe.load()


def test_strict_is_for_the_processor():
    """On a graphics card three texts a step drew other bits than 64; "meta" is a device that every machine has."""
    with pytest.raises(InputError, match="leave out --strict or --device"):
        Recipe(PRESETS["smoke"], device="meta").load(strict=True)
