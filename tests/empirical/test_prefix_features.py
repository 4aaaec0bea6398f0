"""What is cached of texts: the states they were drawn from, the base's mean tokens, whole texts alone, whole shards."""

import numpy as np
import pytest
import torch

from empirical.models import load
from empirical.prefix_features import collect, draw_texts, load_steps, missing, read_texts
from empirical.prefix_scorers import new_scorer
from empirical.randomness import uniforms
from empirical.rewards import LengthReward
from empirical.scored import RewardError
from empirical.scoring import score
from empirical.tiny import write_tiny_checkpoint
from tests.empirical.six_words import EOS, Listed, six_words

LIMIT = 3
TEXTS = [[1, 2, EOS], [EOS], [3, 3, 3], [4, EOS]]
# float32 products of a cached and an uncached pass.
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return six_words(tmp_path_factory.mktemp("six"))


@pytest.fixture(scope="module")
def rewards():
    return {"length": LengthReward(LIMIT), "first": Listed({tuple(text): float(text[0]) for text in TEXTS})}


@pytest.fixture(scope="module")
def scorer(model, rewards):
    return new_scorer(model, {name: reward.describe() for name, reward in rewards.items()}, LIMIT, rank=2)


@torch.no_grad()
def whole_pass(model, prompt, text):
    """Every token's state by transformers, without a cache, and the law drawn from."""
    ids = torch.tensor([[*model.prompt_ids(prompt), *text]])
    states = model.network.get_decoder()(ids).last_hidden_state[0, len(model.prompt_ids(prompt)) - 1 : -1]
    return states, model.network.get_output_embeddings()(states).softmax(-1)


def test_states_and_mean_tokens_are_those_before_each_token(model, scorer, rewards):
    found = read_texts(model, scorer, rewards, "a b", TEXTS)
    parts = [whole_pass(model, "a b", text) for text in TEXTS]
    table = model.network.get_input_embeddings().weight
    torch.testing.assert_close(found["states"], torch.cat([states for states, _ in parts]), **CLOSE)
    torch.testing.assert_close(found["features"], torch.cat([law @ table for _, law in parts]), **CLOSE)
    assert found["tokens"].tolist() == [token for text in TEXTS for token in text]
    assert found["lengths"].tolist() == [3, 1, 3, 2]
    np.testing.assert_allclose(found["reward"][:, 0], np.log(np.array([3, 1, 3, 2]) / LIMIT), atol=1e-12)
    assert found["reward"][:, 1].tolist() == [1, 0, 3, 4]


def test_a_vocabulary_wide_head_is_given_the_laws(model, rewards):
    wide = new_scorer(model, {"length": "", "first": ""}, LIMIT, rank=0)
    found = read_texts(model, wide, rewards, "a b", TEXTS)["features"]
    torch.testing.assert_close(found, torch.cat([whole_pass(model, "a b", text)[1] for text in TEXTS]), **CLOSE)


@pytest.mark.parametrize("architecture", ["gpt2", "qwen2", "gemma", "mistral"])
def test_networks_that_only_transformers_runs_give_their_states_too(architecture, tmp_path):
    """Against a whole pass, one answer at a time; the others of the batch change nothing."""
    other = load(write_tiny_checkpoint(tmp_path, architecture=architecture))
    texts = [[5, 9, 200, 4], [7], [30, 31]]
    found = score(other, other.prompt_ids("hello"), texts, states=True)
    assert found.states is not None
    parts = [whole_pass(other, "hello", text)[0] for text in texts]
    torch.testing.assert_close(found.states, torch.cat(parts), atol=2e-4, rtol=1e-3)
    plain = score(other, other.prompt_ids("hello"), texts)
    assert plain.states is None
    assert torch.equal(plain.log_prob, found.log_prob)


def test_texts_that_are_not_whole_have_no_value(model, scorer, rewards):
    """Pitfall 37: nothing behind EOS is read; a text cut elsewhere than at T_max has no reward."""
    for text in ([1, EOS, 2], [1, 2], [1, 2, 3, 4]):
        with pytest.raises(ValueError, match="text"):
            read_texts(model, scorer, rewards, "a b", [text])


def test_a_reward_that_is_not_finite_has_no_mean(model, scorer):
    endless = {"length": LengthReward(LIMIT), "first": Listed({(EOS,): float("inf")})}
    with pytest.raises(RewardError, match="one finite number each"):
        read_texts(model, scorer, endless, "a b", [[EOS]])


def test_texts_are_the_bases_own_plain_samples_whatever_is_drawn_beside_them(model):
    drawn = dict(draw_texts(model, ["a", "b c", "d", "e e", "a a"], 3, 4, seed=1))
    assert list(drawn) == ["a", "b c", "d", "e e", "a a"]
    alone = dict(draw_texts(model, ["e e"], 3, 4, seed=1))
    assert drawn["e e"] == alone["e e"]
    assert drawn["e e"] != dict(draw_texts(model, ["e e"], 3, 4, seed=2))["e e"]
    for prompt, texts in drawn.items():
        for number, text in enumerate(texts):
            assert text == by_hand(model, prompt, uniforms(1, prompt, "prefix scorer", number, 4))
    assert list(draw_texts(model, [], 3, 4, seed=1)) == []


@torch.no_grad()
def by_hand(model, prompt, draws):
    """Inverse-CDF draws from the laws of whole passes."""
    text = []
    for u in draws:
        logits = model.network(torch.tensor([[*model.prompt_ids(prompt), *text]])).logits[0, -1]
        text.append(int(torch.searchsorted(logits.double().softmax(-1).cumsum(0), u, right=True)))
        if text[-1] == EOS:
            break
    return text


def test_shards_are_whole_or_made_again(model, scorer, rewards, tmp_path):
    prompts, about = ["a", "b c", "d"], {"answers": 1}

    def texts(some):
        return ((prompt, TEXTS) for prompt in some)

    assert missing(scorer, prompts, tmp_path, about) == prompts
    killed = texts(prompts)
    collect(model, scorer, rewards, (next(killed) for _ in range(2)), tmp_path, about)
    assert missing(scorer, prompts, tmp_path, about) == ["d"]
    collect(model, scorer, rewards, texts(["d"]), tmp_path, about)
    assert missing(scorer, prompts, tmp_path, about) == []
    assert missing(scorer, prompts, tmp_path, {"answers": 2}) == prompts
    other = new_scorer(model, {"length": "length:9", "first": "listed"}, LIMIT, rank=2)
    assert missing(other, prompts, tmp_path, about) == prompts
    steps = load_steps(prompts, tmp_path)
    assert len(steps) == 27
    assert steps.prompt.unique_consecutive().tolist() == [0, 1, 2]
    assert steps.place.tolist() == [0, 1, 2, 0, 0, 1, 2, 0, 1] * 3
    assert steps.last.tolist() == [False, False, True, True, False, False, True, False, True] * 3
    assert steps.reward[:, 1].tolist() == [1, 1, 1, 0, 3, 3, 3, 4, 4] * 3
    (first, *_) = tmp_path.glob("*.safetensors")
    first.write_bytes(first.read_bytes()[:-7])
    assert len(missing(scorer, prompts, tmp_path, about)) == 1


def test_a_step_is_followed_by_its_own_texts_next_state(model, scorer, rewards, tmp_path):
    collect(model, scorer, rewards, iter([("a", TEXTS), ("d", TEXTS)]), tmp_path, None)
    steps = load_steps(["a", "d"], tmp_path)
    batch = steps.batch(torch.arange(len(steps)))
    going = ~steps.last
    index = torch.arange(len(steps))
    assert torch.equal(batch.next_states[going], steps.states[index[going] + 1])
    assert torch.equal(batch.next_features[going], steps.features[index[going] + 1])
