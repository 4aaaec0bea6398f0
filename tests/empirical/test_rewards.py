"""Rewards: saved heads come back, the secret reward has Eq. 4's sign, misfits are one sentence."""

import numpy as np
import pytest
import torch

from empirical.checks import check_reward
from empirical.presets import PRESETS
from empirical.recipes import Recipe
from empirical.rewards import (
    LengthReward,
    PreferenceHead,
    RewardError,
    Scored,
    SecretReward,
    load_head,
    load_reward,
)
from empirical.scored import rewards_of
from empirical.scoring import score
from empirical.sentiment import load_sentiment
from empirical.shipped import shipped


def scored(features=None):
    return Scored("p", [[1, 2], [3]], features, np.array([-3.0, -5.0]), np.array([-1.0, -6.0]))


def test_head_is_linear_in_the_features_and_survives_saving(tmp_path, triple):
    head = triple.reward
    features = torch.randn(5, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    head.save(tmp_path)
    again = load_reward(str(tmp_path), triple.prior)
    assert isinstance(again, PreferenceHead)
    torch.testing.assert_close(again(features), head(features), rtol=1e-5, atol=1e-5)  # saved in float32
    assert again.describe() == head.describe()
    torch.testing.assert_close(head(2 * features), 2 * head(features))


def test_another_head_has_another_name(triple):
    head = triple.reward
    assert PreferenceHead(head.weight + 1, head.mean, head.layer, "").describe() != head.describe()


def test_head_of_another_width(triple):
    with pytest.raises(RewardError, match="32 features but the model has 7"):
        triple.reward(torch.zeros(1, 7))


def test_secret_reward_is_aligned_minus_prior():
    """The released code has prior minus aligned, which turns every correlation round."""
    assert SecretReward(2.0).score(scored()).tolist() == [4.0, -2.0]


def test_length_counts_the_end_token():
    """log(T / 8) of 8 tokens, of 4 with EOS (id 0) among them, and of an answer that ended at once."""
    answers = [[5] * 8, [5, 6, 7, 0], [0]]
    values = LengthReward(8).score(Scored("p", answers, None, np.zeros(3), np.zeros(3)))
    np.testing.assert_allclose(values, [0, -np.log(2), -np.log(8)], rtol=1e-15)


def test_length_is_relative_to_the_studys_limit(triple, tiny_folder):
    assert load_reward("length", triple.prior).describe() == f"length:{PRESETS['default'].max_new}"
    assert load_reward("length", triple.prior, 7) == LengthReward(7)
    models = ("", str(tiny_folder / "prior"), str(tiny_folder / "adapter"), "length")
    assert Recipe(PRESETS["smoke"], models).load().reward == LengthReward(PRESETS["smoke"].max_new)


def test_the_shipped_head_by_its_name(triple):
    assert load_reward("preference", triple.prior).describe() == load_head(shipped("reward")).describe()


@pytest.mark.parametrize("name", ["length", "sentiment", "vader"])
def test_what_needs_no_model_is_sound_with_any(triple, name):
    """The longest answer of the checks has 24 tokens, of at most 32."""
    bound = {"length": 0.0, "sentiment": load_sentiment(shipped("sentiment")).bound, "vader": 1.0}[name]
    report = check_reward(load_reward(name, triple.prior), triple.prior, bound=bound)
    assert report.passed, report.failed


def test_no_head_there(tmp_path):
    with pytest.raises(RewardError, match=r"head\.safetensors"):
        load_head(tmp_path)


def test_no_reward_there(tmp_path, triple):
    with pytest.raises(RewardError, match="'secret'"):
        load_reward(str(tmp_path), triple.prior)


@pytest.mark.parametrize("values", [[1.0], [1.0, np.nan], [np.inf, 0.0], [[1.0, 2.0]], 3.0, []])
def test_a_reward_gives_one_finite_number_an_answer(values):
    class Wrong(SecretReward):
        def score(self, scored):
            return np.array(values)

    with pytest.raises(RewardError, match="to 2 answers; it must give one finite number each"):
        rewards_of(Wrong(), scored())
    np.testing.assert_array_equal(rewards_of(SecretReward(), scored()), [2.0, -1.0])


def test_an_answer_that_is_only_its_end_has_the_heads_own_level(triple):
    """It has no words to average over: its features are 0 and its reward -w . m; a mean over none is NaN."""
    head, eos = triple.reward, triple.prior.eos
    answers = [[eos], [5, eos]]
    features = score(triple.prior, [1, 2], answers, head.layer).features
    found = rewards_of(head, Scored("p", answers, features, np.zeros(2), np.zeros(2)))
    assert found[0] == pytest.approx(-float(head.weight.double() @ head.mean.double()), abs=1e-12)  # float64
    assert found[1] != found[0]
    with pytest.raises(RewardError, match="finite"):
        rewards_of(head, Scored("p", answers, features / torch.tensor([[0.0], [1.0]]), np.zeros(2), np.zeros(2)))


def test_a_reward_that_counts_gives_float64():
    class Words(SecretReward):
        def score(self, scored):
            return [len(ids) for ids in scored.token_ids]

    found = rewards_of(Words(), scored())
    assert found.dtype == np.float64
    assert found.tolist() == [2.0, 1.0]
