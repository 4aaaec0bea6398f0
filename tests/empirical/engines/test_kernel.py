"""The fused kernel against `theory.adaptors` on random and adversarial rows, and against transformers' own classes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from llvmlite.binding import get_host_cpu_features
from numba import njit
from transformers import EtaLogitsWarper, MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper, TypicalLogitsWarper

from empirical.engines import kernel
from empirical.engines.drawing import inverse_cdf
from empirical.schemes import study_schemes
from theory.adaptors import (
    Adaptor,
    ancestral,
    compose,
    eta,
    local,
    locally_typical,
    min_p,
    nucleus,
    temperature,
    top_k,
)

TRUNCATIONS = [
    ancestral(), top_k(1), top_k(3), top_k(10**6), nucleus(0.3), nucleus(0.9), nucleus(1.0), locally_typical(0.2),
    locally_typical(0.9), locally_typical(1.0), eta(0.0009), eta(0.5), eta(1.0), min_p(0.05), min_p(1.0),
]  # fmt: skip
RULES = [
    *TRUNCATIONS,
    temperature(0.5),
    *(compose(temperature(T), rule) for T in (0.3, 1.7) for rule in TRUNCATIONS),
]


def drawn(logits, rules, uniforms):
    return kernel.draw(logits, np.array([kernel.recipe(rule) for rule in rules]), uniforms)


def differences(logits, rule, uniforms):
    """The largest gap between the kernel and theory over rows of one rule: token, log q, log kept, log p."""
    found = drawn(logits, [rule] * len(logits), uniforms)
    log_p = torch.tensor(logits, dtype=torch.float64).log_softmax(-1)
    log_q, log_kept = local(rule, log_p)
    tokens = inverse_cdf(log_q, torch.tensor(uniforms))
    return {
        "token": int((tokens.numpy() != found.tokens).sum()),
        "log_proposal": float(np.abs(log_q.gather(1, tokens[:, None])[:, 0].numpy() - found.log_proposal).max()),
        "log_kept": float(np.abs(log_kept.numpy() - found.log_kept).max()),
        "log_model": float(np.abs(log_p.gather(1, tokens[:, None])[:, 0].numpy() - found.log_model).max()),
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
@pytest.mark.parametrize(("vocabulary", "spread"), [(2, 1.0), (7, 0.1), (500, 3.0), (5_000, 12.0)])
def test_it_is_theorys_rule_on_random_rows(rule, vocabulary, spread):
    rng = np.random.default_rng(vocabulary)
    logits = (rng.normal(size=(64, vocabulary)) * spread).astype(np.float32)
    gaps = differences(logits, rule, rng.random(64))
    assert gaps.pop("token") == 0
    assert max(gaps.values()) < 1e-12  # float64 sums of 5,000 terms, logarithms of size 100


@pytest.mark.parametrize("rule", [top_k(2), top_k(3), min_p(0.5), eta(0.3), ancestral(), temperature(2.0)])
@given(data=st.data())
def test_forced_ties_and_cut_tokens(rule, data):
    """Equal logits go to the lower id, -inf is never drawn; rules whose boundary no rounding decides."""
    # e^(-600 - 40) is a normal double: exponentials that are not may become 0, and u = 0 then draws the next token.
    values = st.sampled_from([0.0, 1.0, -1.0, -np.inf, 40.0, -600.0])
    logits = data.draw(arrays(np.float64, (1, 6), elements=values))
    if not np.isfinite(logits).any():
        logits[0, 3] = 0.0
    gaps = differences(logits, rule, np.array([data.draw(st.floats(0, 1, exclude_max=True))]))
    assert gaps.pop("token") == 0
    assert max(gaps.values()) < 1e-12


@pytest.mark.parametrize(("rule", "kept"), [(nucleus(0.5), 2), (nucleus(0.51), 3), (nucleus(1.0), 4)])
def test_an_equality_is_reached(rule, kept):
    found = drawn(np.zeros((1, 4)), [rule], np.array([0.0]))
    assert np.exp(found.log_kept[0]) == pytest.approx(kept / 4)


def test_typical_prefers_neither_side_of_the_entropy():
    """p = (.5, .25, .125, .125): H = 1.75 bits; the second token lies nearest, then the last two, then the first."""
    logits = np.log([[0.5, 0.25, 0.125, 0.125]])
    for tau, kept in ((0.2, 0.25), (0.3, 0.75), (0.8, 0.875)):
        found = drawn(logits, [locally_typical(tau)], np.array([0.0]))
        assert np.exp(found.log_kept[0]) == pytest.approx(kept)


def test_every_row_has_a_rule_of_its_own():
    rng = np.random.default_rng(1)
    rules = [scheme.adaptor for scheme in study_schemes()]
    logits, uniforms = rng.normal(size=(len(rules), 900)) * 4, rng.random(len(rules))
    together = drawn(logits, rules, uniforms)
    for row, rule in enumerate(rules):
        alone = drawn(logits[row : row + 1], [rule], uniforms[row : row + 1])
        assert (alone.tokens[0], alone.log_kept[0]) == (together.tokens[row], together.log_kept[row])


def test_no_whole_vocabulary_is_sorted():
    """Of 50,000 spread tokens a bucket holds a few hundred at most; equal ones share a bucket, and are counted."""
    rng = np.random.default_rng(2)
    rules = [scheme.adaptor for scheme in study_schemes()]
    spread = drawn((rng.normal(size=(len(rules), 50_000)) * 3).astype(np.float32), rules, rng.random(len(rules)))
    assert spread.sorted.max() < 500
    assert drawn(np.zeros((1, 50_000)), [nucleus(0.9)], np.array([0.5])).sorted.tolist() == [50_000]


@pytest.mark.parametrize("wrong", [[np.nan, 0.0], [np.inf, 0.0], [-np.inf, -np.inf]])
def test_impossible_rows_are_refused(wrong):
    with pytest.raises(ValueError, match="logits"):
        drawn(np.array([[0.0, 1.0], wrong]), [ancestral()] * 2, np.array([0.5, 0.5]))


@pytest.mark.parametrize(
    "rule",
    [
        Adaptor("mine", lambda log_p: log_p),
        compose(nucleus(0.9), temperature(0.5)),
        compose(top_k(5), nucleus(0.9)),
        compose(temperature(0.5), compose(top_k(5), nucleus(0.9))),
        compose(temperature(0.5), Adaptor("mine", lambda log_p: log_p)),
    ],
    ids=lambda rule: rule.name,
)
def test_what_it_does_not_know_it_leaves_to_theory(rule):
    assert kernel.recipe(rule) is None


@pytest.mark.parametrize(
    ("rule", "theirs"),
    [
        (top_k(30), TopKLogitsWarper(30)),
        (nucleus(0.9), TopPLogitsWarper(0.9)),
        (locally_typical(0.9), TypicalLogitsWarper(0.9)),
        (eta(0.0009), EtaLogitsWarper(0.0009)),
        (min_p(0.05), MinPLogitsWarper(0.05)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_kept_sets_are_transformers_own(rule, theirs):
    """Log of the kept mass of 200 random rows in float64: equal sets give equal masses to rounding."""
    logits = torch.tensor(np.random.default_rng(3).normal(size=(200, 3_000)) * 3)
    kept = theirs(None, logits.clone()) > -np.inf
    mass = (logits.softmax(-1) * kept).sum(-1).log().numpy()
    found = drawn(logits.numpy(), [rule] * 200, np.full(200, 0.5)).log_kept
    np.testing.assert_allclose(found, mass, atol=1e-12)
    assert np.abs(drawn(logits.numpy(), [top_k(29)] * 200, np.full(200, 0.5)).log_kept - mass).max() > 1e-6


@njit
def _summed(line, scaled, weight):  # pragma: no cover (compiled)
    return kernel.weigh(line, 1.0, scaled, weight)[1]


def test_no_bit_depends_on_where_a_short_line_lies():
    """Six numbers are summed in one order if what is written lies APART behind them, and in another if it lies near."""
    lines = np.random.default_rng(0).normal(size=(50, 6))

    def sums(distance):
        memory = np.zeros(2000)
        found = []
        for line in lines:
            memory[500:506] = line
            found.append(_summed(memory[500:506], memory[500 + distance :][:6], memory[1500:1506]))
        return found

    far = sums(900)
    assert all(sums(distance) == far for distance in range(kernel.APART, 4 * kernel.APART, 7))
    if get_host_cpu_features().get("avx512f"):  # vectors of four do not show it
        assert any(sums(distance) != far for distance in range(6, 32)), "the hazard itself"


def test_lines_of_one_memory_lie_apart():
    memory = kernel.room(3, 6)
    starts = [kernel.line_of(memory, number, 6).ctypes.data for number in range(3)]
    assert np.diff([memory.ctypes.data, *starts]).min() >= 8 * kernel.APART
    assert kernel.line_of(memory, 2, 6).ctypes.data + 48 == memory.ctypes.data + memory.nbytes
