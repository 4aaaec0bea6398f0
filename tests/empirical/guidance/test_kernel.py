"""The fused guided step against `Guidance.law` and `theory.information` on random and adversarial rows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from empirical.guidance import Guidance, kernel
from theory.information import entropy, kl

RULES = [
    Guidance(),
    Guidance(T=0),
    Guidance(T=0.6),
    Guidance("free", 1.0),
    Guidance("free", -0.5),
    Guidance("free", 3.0, 0.7),
    Guidance("kl", 0.3),
    Guidance("kl", 5.0, 1.3),
    Guidance("kl", 1e-9),
    Guidance("classifier", 2.0),
    Guidance("classifier", 0.0),
]
CLOSE = 1e-11  # float64 sums over at most 3,000 tokens, times strengths of a few


def step(logits, without, success, rule, uniforms):
    recipes = np.array([kernel.recipe(rule)] * len(logits))
    return kernel.draw(logits, without, success, recipes, uniforms)


def expected(logits, without, success, rule):
    """log pi, log p and log p^- of every token, by theory."""
    log_p, log_p_without = (torch.tensor(x, dtype=torch.float64).log_softmax(-1) for x in (logits, without))
    return rule.law(log_p, log_p_without, torch.tensor(success, dtype=torch.float64)), log_p, log_p_without


def differences(logits, without, success, rule, uniforms):
    """The largest gap of each figure to theory's, and how many tokens differ."""
    found = step(logits, without, success, rule, uniforms)
    log_pi, log_p, log_p_without = expected(logits, without, success, rule)
    cumulative = log_pi.exp().cumsum(-1)
    tokens = torch.searchsorted(cumulative, torch.tensor(uniforms)[:, None] * cumulative[:, -1:], right=True)[:, 0]
    rows, told = torch.arange(len(logits)), torch.as_tensor(found.tokens)
    wanted = {
        "log_proposal": log_pi[rows, told],
        "log_model": log_p[rows, told],
        "log_without": log_p_without[rows, told],
        "information": kl(log_p, log_p_without),
        "entropy": entropy(log_pi),
        "kl": kl(log_pi, log_p),
    }
    gaps = {name: float((torch.as_tensor(getattr(found, name)) - value).abs().max()) for name, value in wanted.items()}
    return gaps | {"token": int((tokens != told).sum())}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize(("vocabulary", "spread"), [(2, 1.0), (7, 0.3), (3_000, 4.0)])
def test_it_is_theorys_rule_on_random_rows(rule, vocabulary, spread):
    random = np.random.default_rng(vocabulary)
    logits, without = (random.normal(size=(64, vocabulary)) * spread for _ in range(2))
    success = -random.exponential(size=logits.shape)
    found = differences(logits, without, success, rule, random.random(64))
    assert found.pop("token") == 0
    assert max(found.values()) < CLOSE


@pytest.mark.parametrize("slip", ["the two laws in each other's place", "lambda for 1 + lambda", "bits for nats"])
def test_planted_slips_are_noticed(slip):
    random = np.random.default_rng(0)
    logits, without = random.normal(size=(2, 64, 7))
    uniforms, none = random.random(64), np.empty((0, 7))
    rule = Guidance("kl", 0.3) if slip == "bits for nats" else Guidance("free", 1.0)
    log_pi = expected(logits, without, none, rule)[0]
    if slip == "lambda for 1 + lambda":
        found = step(logits, without, none, Guidance("free", 0.0), uniforms)
    elif slip == "bits for nats":
        found = step(logits, without, none, Guidance("kl", 0.3 * np.log(2)), uniforms)
    else:
        found = step(without, logits, none, rule, uniforms)
    told = log_pi[torch.arange(64), torch.as_tensor(found.tokens)].numpy()
    assert np.abs(told - found.log_proposal).max() > 0.1


@given(st.integers(0, 10**6), st.sampled_from(RULES))
def test_tokens_that_the_evidence_forbids_are_never_drawn(seed, rule):
    random = np.random.default_rng(seed)
    logits, without = random.normal(size=(2, 8, 5))
    logits[:, random.integers(5)] = -np.inf
    success = -random.exponential(size=logits.shape)
    found = step(logits, without, success, rule, random.random(8))
    assert np.isfinite(logits[np.arange(8), found.tokens]).all()
    gaps = differences(logits, without, success, rule, random.random(8))
    assert max(gap for name, gap in gaps.items() if name != "token") < CLOSE


def test_greedy_shares_ties():
    logits = np.log(np.array([[0.4, 0.4, 0.2]] * 100))
    found = step(logits, logits, np.empty((0, 3)), Guidance(T=0), np.linspace(0, 0.999, 100))
    assert np.bincount(found.tokens, minlength=3).tolist() == [50, 50, 0]
    assert found.entropy == pytest.approx(np.log(2))


def test_no_evidence_no_change():
    """Where both laws are one, free guidance and KL-guided temperature are the law itself."""
    random = np.random.default_rng(1)
    logits, uniforms, none = random.normal(size=(32, 9)), random.random(32), np.empty((0, 9))
    plain = step(logits, logits, none, Guidance(), uniforms)
    for rule in (Guidance("free", 4.0), Guidance("kl", 0.1)):
        found = step(logits, logits + 3.0, none, rule, uniforms)
        assert (found.tokens == plain.tokens).all()
        assert np.abs(found.log_proposal - plain.log_proposal).max() < CLOSE
        assert found.information.max() < CLOSE


@pytest.mark.parametrize(
    ("logits", "without", "rule"),
    [
        ([0.0, np.nan], [0.0, 0.0], Guidance()),
        ([0.0, 0.0], [0.0, np.nan], Guidance()),
        ([0.0, np.inf], [0.0, 0.0], Guidance()),
        ([-np.inf, -np.inf], [0.0, 0.0], Guidance()),
        ([0.0, 0.0], [0.0, -np.inf], Guidance("free", 1.0)),
        ([0.0, 5.0], [5.0, 0.0], Guidance("free", 1e308)),
        ([0.0, 0.0], [0.0, 0.0], Guidance("classifier", -1.0)),
    ],
)
def test_a_step_without_a_law_is_refused(logits, without, rule):
    rows = [np.array([line, line]) for line in (logits, without)]
    with pytest.raises(ValueError, match="has no guided law"):
        step(*rows, np.array([[-np.inf, 0.0]] * 2), rule, np.array([0.1, 0.9]))


def test_what_only_the_other_law_forbids_is_free_to_draw_without_guidance():
    logits, without = np.zeros((2, 2)), np.array([[0.0, -np.inf]] * 2)
    found = step(logits, without, np.empty((0, 2)), Guidance(), np.array([0.1, 0.9]))
    assert found.tokens.tolist() == [0, 1]
    assert found.information.tolist() == [np.inf, np.inf]
    greedy = step(logits + np.array([0.1, 0.0]), without, np.empty((0, 2)), Guidance("kl", 1.0), np.array([0.1, 0.9]))
    assert greedy.tokens.tolist() == [0, 0]
