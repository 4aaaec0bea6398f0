"""The head's forms agree with each other and with its formula; files keep every bit; strangers are refused."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode

from empirical.engines.decoder import LlamaDecoder
from empirical.engines.llama import prepared
from empirical.models import load
from empirical.prefix_scorers import CONFIG, WEIGHTS, PrefixScorer, new_scorer
from empirical.scorer_config import About, ScorerError
from empirical.scoring import answer_states
from empirical.tiny import write_tiny_checkpoint
from tests.empirical.six_words import six_words

REWARDS = {"length": "length:6", "taste": "head:1"}
SHAPES = [(0, 0), (0, 16), (3, 0), (3, 16)]
# Sums of at most 64 float32 products of size about 1.
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def random_scorer(model, rank=3, inner=0, rewards=REWARDS):
    scorer = new_scorer(model, rewards, 6, rank, inner)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, tensor in scorer.state_dict().items():
            noise = torch.randn(tensor.shape, generator=generator) * 0.3
            tensor.copy_(noise.abs() + 0.5 if name.endswith("scale") else noise)
    return scorer


def states(model, count=5):
    return torch.randn(count, model.network.config.hidden_size, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(("rank", "inner"), SHAPES)
def test_the_formula(triple, rank, inner):
    """Q_k(h, z) written out for every reward and token, in float64."""
    scorer, h = random_scorer(triple.prior, rank, inner).double(), states(triple.prior).double()
    w = scorer.state_dict()
    x = (h - w["state_mean"]) / w["state_scale"]
    if inner:
        x = x @ w["inner.weight"].T + w["inner.bias"]
        x = x * x.sigmoid()
    table = triple.prior.network.get_input_embeddings().weight.double()
    width = rank or len(table)
    found = scorer.values(h)
    assert found.shape == (5, 2, len(table))
    for k in range(2):
        query = x @ w["query.weight"][k * width : (k + 1) * width].T + w["query.bias"][k * width : (k + 1) * width]
        if rank:
            keys = (table - w["token_mean"]) / w["token_scale"] @ w["key.weight"].T + w["key.bias"]
            query = query @ keys.T
        level = x @ w["level.weight"][k] + w["level.bias"][k]
        expected = w["reward_mean"][k] + w["reward_scale"][k] * (level[:, None] + query)
        torch.testing.assert_close(found[:, k], expected, atol=1e-12, rtol=1e-12)  # float64 sums of 32


@pytest.mark.parametrize(("rank", "inner"), SHAPES)
def test_one_token_the_mean_and_weighted_sums_agree_with_all_values(triple, rank, inner):
    scorer, h = random_scorer(triple.prior, rank, inner), states(triple.prior)
    every = scorer.values(h)
    tokens = torch.tensor([0, 5, 256, 5, 9])
    torch.testing.assert_close(scorer.value_of(h, tokens), every[torch.arange(5), :, tokens], **CLOSE)
    law = torch.rand(5, every.shape[2], generator=torch.Generator().manual_seed(1)).softmax(-1)
    mean = scorer.mean_value(h, scorer.mean_features(law))
    torch.testing.assert_close(mean, (every * law[:, None]).sum(-1), **CLOSE)
    weights = torch.tensor([0.5, -2.0])
    torch.testing.assert_close(scorer.weighted(h, weights), 0.5 * every[:, 0] - 2 * every[:, 1], **CLOSE)
    torch.testing.assert_close(scorer.combined([0.5, -2.0]).values(h)[:, 0], scorer.weighted(h, weights), **CLOSE)
    rows = torch.arange(10.0).reshape(5, 2)
    torch.testing.assert_close(scorer.weighted(h, rows), (every * rows[..., None]).sum(1), **CLOSE)
    alone = scorer.weighted(h, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(alone, every[:, 0], **CLOSE)


def test_a_combination_names_its_rewards_and_reads_one_weight_for_each(triple):
    scorer = random_scorer(triple.prior)
    assert scorer.combined([1, 0.5]).about.rewards == ("1 length + 0.5 taste",)
    for weights in ([1.0], [1.0, float("nan")], [1.0, float("inf")]):
        with pytest.raises(ScorerError, match="one finite weight"):
            scorer.combined(weights)


def test_values_follow_the_weights_when_they_change(triple):
    """The keys are laid out once, and again once a weight has moved or is of another kind."""
    scorer, h = random_scorer(triple.prior), states(triple.prior)
    before = scorer.values(h)
    torch.testing.assert_close(scorer.double().values(h), before.double(), **CLOSE)
    assert torch.equal(scorer.float().values(h), before)
    with torch.no_grad():
        scorer.key.weight.mul_(2)
    tokens = torch.arange(5)
    assert not torch.allclose(scorer.values(h), before)
    torch.testing.assert_close(scorer.value_of(h, tokens), scorer.values(h)[torch.arange(5), :, tokens], **CLOSE)


def test_it_begins_at_nothing_and_from_its_seed_alone(triple):
    state = torch.get_rng_state()
    one, same, other = (new_scorer(triple.prior, REWARDS, 6, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert not one.values(states(triple.prior)).any()
    assert torch.equal(one.key.weight, same.key.weight)
    assert not torch.equal(one.key.weight, other.key.weight)
    for wrong in ({"rewards": {}}, {"max_new": 0}, {"rank": -1}, {"inner": -1}):
        with pytest.raises(ScorerError, match="needs a reward"):
            new_scorer(**{"model": triple.prior, "rewards": REWARDS, "max_new": 6} | wrong)


def test_it_reads_the_states_that_the_engines_head_reads(triple):
    """The fast engine's last states, normalised, are transformers' last hidden states: one pass serves both."""
    prompt, text = [1, 2, 3], [5, 7]
    llama = prepared(triple.prior.network)
    decoder = LlamaDecoder(llama, 1, 8)
    prefix = decoder.read(prompt)
    decoder.place(prefix, [0])
    raw = [prefix.state[None], decoder.step(torch.tensor([5]), torch.tensor([3])).clone()]
    ours = llama.normed(torch.cat(raw))
    assert torch.equal(llama.head(ours), llama.logits(torch.cat(raw)))
    with torch.no_grad():
        theirs = answer_states(triple.prior.network, prompt, [text])[0][0]
    torch.testing.assert_close(ours, theirs, **CLOSE)
    scorer = random_scorer(triple.prior)
    torch.testing.assert_close(scorer.values(ours), scorer.values(theirs), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(scorer.values(torch.cat(raw)), scorer.values(theirs), atol=0.01)


@pytest.mark.parametrize(("rank", "inner"), SHAPES)
def test_saved_and_read_again_it_has_the_same_bits(triple, tmp_path, rank, inner):
    scorer, h = random_scorer(triple.prior, rank, inner), states(triple.prior)
    scorer.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {WEIGHTS, CONFIG}
    again = PrefixScorer.from_pretrained(tmp_path, triple.prior)
    assert again.about == scorer.about
    assert torch.equal(again.values(h), scorer.values(h))
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in scorer.state_dict().items())
    assert not any(weight.requires_grad for weight in again.parameters())
    config = json.loads((tmp_path / CONFIG).read_text("utf-8"))
    assert config["sha256"] == triple.prior.sha256
    assert config["rewards"] == ["length", "taste"]
    assert config["described"] == ["length:6", "head:1"]
    assert config["max_new"] == 6


def test_double_weights_stay_double(triple, tmp_path):
    scorer = random_scorer(triple.prior).double()
    scorer.save_pretrained(tmp_path)
    h = states(triple.prior).double()
    assert torch.equal(PrefixScorer.from_pretrained(tmp_path, triple.prior).values(h), scorer.values(h))


def test_it_works_with_its_base_under_an_adapter_and_with_no_stranger(triple, tmp_path):
    random_scorer(triple.prior).save_pretrained(tmp_path / "scorer")
    adapted = PrefixScorer.from_pretrained(tmp_path / "scorer", triple.aligned)
    assert adapted.sha256 == triple.prior.sha256 != triple.aligned.sha256
    other_tokens = six_words(tmp_path / "six")
    with pytest.raises(ScorerError, match=r"^The scorer values the tokens of tiny-prior.*this tokenizer\.$"):
        PrefixScorer.from_pretrained(tmp_path / "scorer", other_tokens)
    shuffled = load(write_tiny_checkpoint(tmp_path / "same"), name="same")
    shuffled.tokenizer.add_tokens(["<new>"])
    with pytest.raises(ScorerError, match="values the tokens of"):
        PrefixScorer.from_pretrained(tmp_path / "scorer", shuffled)
    other_weights = load(write_tiny_checkpoint(tmp_path / "other", seed=5), name="other")
    with pytest.raises(ScorerError, match=r"^The scorer reads the states of tiny-prior, whose weights.*other"):
        PrefixScorer.from_pretrained(tmp_path / "scorer", other_weights)


def test_another_width_is_refused(triple, tmp_path):
    scorer = random_scorer(triple.prior)
    scorer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / CONFIG).read_text("utf-8"))
    (tmp_path / CONFIG).write_text(json.dumps({**config, "hidden": 64}))
    with pytest.raises(ScorerError, match=r"^The scorer reads states of width 64 but tiny-prior has 32; .*\.$"):
        PrefixScorer.from_pretrained(tmp_path, triple.prior)
    with pytest.raises(ScorerError, match=r"^The scorer reads states of width 32, not 33; .*\.$"):
        scorer.values(torch.zeros(1, 33))


def test_damaged_files_are_refused_in_one_sentence(triple, tmp_path):
    with pytest.raises(ScorerError, match="Cannot read a prefix scorer"):
        PrefixScorer.from_pretrained(tmp_path, triple.prior)
    scorer = random_scorer(triple.prior)
    scorer.save_pretrained(tmp_path)
    weights = load_file(tmp_path / WEIGHTS)
    save_file({**weights, "level.bias": torch.tensor([0.0, float("nan")])}, tmp_path / WEIGHTS)
    with pytest.raises(ScorerError, match="not all finite"):
        PrefixScorer.from_pretrained(tmp_path, triple.prior)
    save_file({**weights, "level.bias": torch.zeros(3)}, tmp_path / WEIGHTS)
    with pytest.raises(ScorerError, match="do not fit"):
        PrefixScorer.from_pretrained(tmp_path, triple.prior)
    (tmp_path / CONFIG).write_text("{")
    with pytest.raises(ScorerError, match="Cannot read a prefix scorer"):
        PrefixScorer.from_pretrained(tmp_path, triple.prior)


SMOLLM2 = About("smollm2", "", "", 576, 49_152, ("length",), ("length:64",), 64)


@pytest.mark.parametrize(
    ("about", "most"),
    [
        (SMOLLM2, 0.06),
        (replace(SMOLLM2, rewards=("a", "b")), 0.15),
        (replace(SMOLLM2, rewards=("a", "b"), inner=576), 0.15),
    ],
)
def test_at_smollm2s_shape_it_is_cheap_and_small(about, most):
    """At most 15 % of the output head's operations a token, and its files below 4 MB, as the docstring says."""
    with torch.device("meta"):
        scorer = PrefixScorer(about, torch.empty(about.vocabulary, about.hidden))
    assert scorer.operations() <= most * 2 * about.hidden * about.vocabulary
    assert sum(tensor.numel() * 4 for tensor in scorer.state_dict().values()) < 4e6


@pytest.mark.parametrize(("rank", "inner"), SHAPES)
def test_operations_are_those_that_torch_counts(triple, rank, inner):
    scorer = random_scorer(triple.prior, rank, inner).double()  # float64: products that torch's counter knows
    scorer.values(states(triple.prior).double())  # the keys are laid out once
    counter = FlopCounterMode(display=False)
    with counter:
        scorer.values(states(triple.prior, 4).double())
    assert counter.get_total_flops() == 4 * scorer.operations()
