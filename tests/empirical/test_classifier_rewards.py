"""Rewards that read text: what is fed, which token is pooled, what a score head computes, and what is refused."""

import copy
import json

import numpy as np
import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
)

from empirical.checkpoints import ModelError
from empirical.classifier_rewards import SCORE_FORM, ClassifierReward, LlamaScore, load_classifier
from empirical.conversations import exchange_ids
from empirical.rewards import load_reward
from empirical.scored import RewardError, Scored

SIZES = {"vocab_size": 257, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
ANSWERS = [[5, 6, 7, 0], [5, 6, 7], [200, 9]]  # 0 is EOS and the pad token at once; the second was cut


def scored(answers=ANSWERS):
    return Scored("p", answers, None, np.zeros(len(answers)), np.zeros(len(answers)))


def write(folder, kind, tokenizer, **settings):
    config = LlamaConfig(**SIZES, num_attention_heads=2, bos_token_id=None, eos_token_id=0, **settings)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        kind(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture
def tokenizer(triple):
    return triple.prior.tokenizer


@pytest.fixture
def classifier(tmp_path, tokenizer):
    return lambda **settings: write(tmp_path, LlamaForSequenceClassification, tokenizer, **settings)


@pytest.fixture
def score_model(tmp_path, tokenizer):
    return lambda **settings: write(tmp_path, LlamaScore, tokenizer, **settings)


def test_classifier_reads_each_answer_alone(classifier, triple):
    reward = load_reward(classifier(num_labels=1), triple.prior)
    assert isinstance(reward, ClassifierReward)
    both = reward.score(scored())
    alone = [reward.score(scored([answer]))[0] for answer in ANSWERS]
    assert both.tolist() == alone
    assert len(set(alone)) == 2, "an answer and the same one cut read alike when no EOS is fed"


@pytest.mark.parametrize("pad", [None, 0, 7])
def test_the_last_token_is_pooled_whatever_the_pad_token_is(classifier, tokenizer, pad):
    """transformers pools the last token that is not the pad token: with pad = EOS, or a word, that is another one."""
    where = classifier(num_labels=1, pad_token_id=pad)
    reward = load_classifier(where, tokenizer, form="Human: {prompt} Assistant: {answer}", closes=True)
    for answer, value in zip(ANSWERS, reward.score(scored()), strict=True):
        ids = torch.tensor([reward.fed("p", answer)])
        with torch.inference_mode():
            expected = reward.network.score(reward.network.model(ids).last_hidden_state[0, -1])
        assert value == pytest.approx(expected.item(), abs=1e-6)  # float32, one product of depth 16


def test_an_end_that_is_fed_moves_the_score(classifier, tokenizer):
    """An answer and the same one cut differ by an EOS alone; a network that skipped it would score them alike."""
    where = classifier(num_labels=1, pad_token_id=0)
    ended, cut, _ = load_classifier(where, tokenizer, form="{prompt}{answer}", closes=True).score(scored())
    assert ended != cut
    ended, cut, _ = load_classifier(where, tokenizer, form="{prompt}{answer}", closes=False).score(scored())
    assert ended == cut, "where no end is fed, none moves the score"


def test_padding_moves_transformers_own_pooling(classifier, tokenizer):
    """The control of the test above: left to its pad token, the classifier skips the EOS that closes an answer."""
    reward = load_classifier(classifier(num_labels=1, pad_token_id=0), tokenizer, form="{prompt}{answer}", closes=True)
    ids = torch.tensor([reward.fed("p", ANSWERS[0])])
    assert ids[0, -1] == 0
    ours = reward.network(ids).logits
    reward.network.config.pad_token_id = 0
    assert not torch.allclose(reward.network(ids).logits, ours)


def test_what_is_fed(tokenizer):
    """EOS behind an answer that ended by itself if the reward wants it, and never twice."""
    plain = "Human: {prompt} Assistant: {answer}"
    fed = {closes: ClassifierReward("", None, tokenizer, tokenizer, "", plain, closes).fed for closes in (False, True)}
    answer = tokenizer(" yes")["input_ids"]
    text = "Human: {braces} Assistant: yes"
    assert tokenizer.decode(fed[False]("{braces}", [*answer, 0])) == text
    assert tokenizer.decode(fed[True]("{braces}", answer)) == text, "a text that was cut is not closed"
    assert tokenizer.decode(fed[True]("{braces}", [*answer, 0])) == text + tokenizer.eos_token
    assert exchange_ids(tokenizer, "p", tokenizer.eos_token, plain, closes=True)[-2:] != [0, 0]


def test_a_chat_template_is_used_where_there_is_one(tokenizer):
    templated = copy.deepcopy(tokenizer)
    templated.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }};{% endfor %}"
    assert tokenizer.decode(exchange_ids(templated, "hi", "yes")) == "user: hi;assistant: yes;"


def test_two_labels_are_log_odds(classifier, tokenizer):
    reward = load_classifier(classifier(num_labels=2), tokenizer)
    values = reward.score(scored())
    for answer, value in zip(ANSWERS, values, strict=True):
        with torch.inference_mode():
            p = reward.network(torch.tensor([reward.fed("p", answer)])).logits[0].double().softmax(-1)
        assert value == pytest.approx(float(torch.log(p[1] / p[0])), abs=1e-5)  # float32


def test_more_labels_are_refused(classifier, tokenizer):
    with pytest.raises(RewardError, match="3 labels"):
        load_classifier(classifier(num_labels=3), tokenizer)


def test_an_encoder_keeps_its_own_special_tokens(tmp_path, tokenizer):
    config = BertConfig(**SIZES, num_attention_heads=2, num_labels=1, pad_token_id=0)
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    reward = load_classifier(str(tmp_path), tokenizer)
    assert np.isfinite(reward.score(scored())).all()


@pytest.mark.parametrize("bias", [{}, {"bias": True}, {"score_bias": True}])
def test_score_head_on_the_last_token(score_model, triple, bias):
    """Against the definition, from the tensors in the file: w . h_last + b, h from a plain Llama body."""
    where = score_model(**bias)
    reward = load_reward(where, triple.prior)
    assert (reward.form, reward.closes) == (SCORE_FORM, True)
    head = reward.network.score_head
    assert (head.bias is None) == (not bias)
    values = reward.score(scored())
    for answer, value in zip(ANSWERS, values, strict=True):
        ids = reward.fed("p", answer)
        with torch.inference_mode():
            state = reward.network.model(torch.tensor([ids])).last_hidden_state[0, -1]
        assert value == pytest.approx(float(head(state)), abs=1e-6)  # float32, one product of depth 16
    assert values[0] != values[1], "EOS changes the score"
    assert triple.prior.tokenizer.decode(reward.fed("p", [])).startswith("BEGINNING OF CONVERSATION: USER: p ")


def test_score_head_survives_a_pickle_of_tensors(score_model, tokenizer, tmp_path):
    """The layout of older checkpoints: pytorch_model.bin, read by weights_only."""
    where = score_model()
    before = load_classifier(where, tokenizer)
    torch.save(before.network.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    after = load_classifier(where, tokenizer)
    assert after.score(scored()).tolist() == before.score(scored()).tolist()
    assert after.describe() != before.describe()


def test_a_model_without_a_head_is_refused(tmp_path, triple):
    """transformers would draw the missing head at random and go on."""
    where = write(tmp_path / "plain", LlamaForCausalLM, triple.prior.tokenizer)
    drawn = r"transformers would draw at random; pass the checkpoint of such a model\."
    with pytest.raises(ModelError, match=rf"lacks score_head\.weight, which .* needs and {drawn}$"):
        load_reward(where, triple.prior)
    config = tmp_path / "plain" / "config.json"
    named = json.loads(config.read_text()) | {"architectures": ["LlamaForSequenceClassification"]}
    config.write_text(json.dumps(named))
    with pytest.raises(ModelError, match=r"lacks score\.weight"):
        load_reward(where, triple.prior)


def test_a_cost_is_no_reward(score_model, tokenizer):
    with pytest.raises(RewardError, match="scores a cost"):
        load_classifier(score_model(score_type="cost"), tokenizer)


def test_nan_rewards_are_refused(score_model, tokenizer):
    reward = load_classifier(score_model(), tokenizer)
    reward.network.score_head.weight.fill_(float("nan"))
    with pytest.raises(RewardError, match="NaN"):
        reward.score(scored())


def test_what_is_fed_is_part_of_the_name(classifier, tokenizer):
    where = classifier(num_labels=1)
    names = {load_classifier(where, tokenizer, form=form).describe() for form in (None, "{prompt}{answer}")}
    names.add(load_classifier(where, tokenizer, closes=True).describe())
    assert len(names) == 3
