import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.generation.logits_process import UnbatchedClassifierFreeGuidanceLogitsProcessor
from transformers.modeling_outputs import CausalLMOutputWithPast

from theory.adaptors import local, temperature
from theory.arrays import normalised
from theory.guidance import (
    classifier_free_guidance,
    classifier_guidance,
    controlled,
    gibbs,
    greedy,
    kl_guided_temperature,
)
from theory.information import entropy, kl

INF = float("inf")
LAMBDAS = st.floats(0, 5)


@st.composite
def worlds(draw):
    """log p with ties and zeros, and two vectors of the same size in [-3, 3]."""
    size = draw(st.integers(2, 7))
    weights = draw(
        st.lists(st.sampled_from([0.0, 1e-300, 0.3, 1.0]) | st.floats(0.01, 1), min_size=size, max_size=size)
    )
    with np.errstate(divide="ignore"):
        log_p = normalised(np.log([1.0, *weights[1:]]))
    vectors = st.lists(st.floats(-3, 3), min_size=size, max_size=size).map(np.array)
    return log_p, draw(vectors), draw(vectors)


@given(worlds())
def test_gibbs_is_the_tilted_softmax(world):
    log_p, u, _ = world
    np.testing.assert_allclose(np.exp(gibbs(log_p, u)), scipy.special.softmax(log_p + u), atol=1e-14)


@given(worlds(), st.floats(-100, 100))
def test_gibbs_ignores_a_constant(world, constant):
    log_p, u, _ = world
    # u + constant is rounded to 1e-14.
    np.testing.assert_allclose(np.exp(gibbs(log_p, u + constant)), np.exp(gibbs(log_p, u)), atol=1e-12)


@given(worlds())
def test_gibbs_rules_out_and_ignores_what_is_ruled_out(world):
    log_p, u, _ = world
    vetoed = np.where(np.arange(u.size) == u.size - 1, -INF, u)
    assert np.exp(gibbs(log_p, vetoed))[-1] == 0
    for void in (INF, np.nan, -INF):
        padded = gibbs(np.append(log_p, -INF), np.append(u, void))
        np.testing.assert_allclose(padded, np.append(gibbs(log_p, u), -INF), rtol=1e-14, atol=1e-14)


@given(worlds(), LAMBDAS)
def test_the_rules_are_powers_of_probabilities(world, lam):
    log_p, u, v = world
    p, q, other = np.exp(log_p), scipy.special.expit(u), scipy.special.softmax(v)
    for found, weights in (
        (classifier_guidance(log_p, np.log(q), lam), p * q**lam),
        (controlled(log_p, u, lam), p * np.exp(lam * u)),
        (classifier_free_guidance(log_p, np.log(other), lam), p ** (1 + lam) * other ** (-lam)),
    ):
        # Powers up to e^18 of rounded probabilities.
        np.testing.assert_allclose(np.exp(found), weights / weights.sum(), atol=1e-12)


@given(worlds())
def test_no_guidance_is_the_base_model(world):
    log_p, u, v = world
    for found in (
        classifier_guidance(log_p, np.full_like(u, -INF), 0.0),
        controlled(log_p, u, 0.0),
        classifier_free_guidance(log_p, normalised(v), 0.0),
        kl_guided_temperature(log_p, log_p, 1.0),
    ):
        np.testing.assert_allclose(np.exp(found), np.exp(log_p), atol=1e-14)


@pytest.mark.parametrize("lam", [-0.5, 0.5, 1.0, 3.0])
def test_classifier_free_guidance_is_transformers_at_scale_one_plus_lambda(lam):
    rng = np.random.default_rng(0)
    logits, without = torch.from_numpy(rng.normal(size=(2, 1, 50)))
    processor = UnbatchedClassifierFreeGuidanceLogitsProcessor(
        guidance_scale=1 + lam,
        model=lambda *_, **__: CausalLMOutputWithPast(logits=without[:, None]),
        unconditional_ids=torch.zeros((1, 1), dtype=torch.long),
        unconditional_attention_mask=torch.ones((1, 1), dtype=torch.long),
    )
    theirs = torch.log_softmax(processor(torch.zeros((1, 1), dtype=torch.long), logits), dim=-1)
    ours = classifier_free_guidance(torch.log_softmax(logits, -1), torch.log_softmax(without, -1), lam)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-12)
    wrong = classifier_free_guidance(torch.log_softmax(logits, -1), torch.log_softmax(without, -1), 1 + lam)
    assert np.abs(wrong.numpy() - theirs.numpy()).max() > 0.1


def test_classifier_free_guidance_needs_the_support_only_for_positive_lambda():
    log_p, without = np.log([0.5, 0.3, 0.2]), np.array([np.log(0.5), np.log(0.5), -INF])
    with pytest.raises(ValueError, match=r"^the support of log_p is not inside that of log_p_without"):
        classifier_free_guidance(log_p, without, 1.0)
    assert np.exp(classifier_free_guidance(log_p, without, -1.0))[2] == 0
    np.testing.assert_allclose(classifier_free_guidance(log_p, without, 0.0), log_p, rtol=1e-15)


def test_classifier_free_guidance_may_share_the_zeros_of_both():
    log_p, without = np.array([np.log(0.6), np.log(0.4), -INF]), np.array([np.log(0.5), np.log(0.5), -INF])
    # p^2 / p^-: 0.36 to 0.16.
    np.testing.assert_allclose(np.exp(classifier_free_guidance(log_p, without, 1.0)), [9 / 13, 4 / 13, 0], rtol=1e-14)


@given(worlds(), st.floats(0.1, 10))
def test_kl_guided_temperature_is_temperature_two_to_the_minus_kl_over_sigma(world, sigma):
    log_p, _, v = world
    halvings = kl(log_p, normalised(v)) / sigma
    found = kl_guided_temperature(log_p, normalised(v), sigma)
    if halvings < 90:
        expected = local(temperature(2.0 ** -max(halvings, 0.0)), log_p)[0]
        # Powers of 2^90 leave nothing but ties; below that a relative rounding 1e-16 of log p is blown up by the power.
        np.testing.assert_allclose(np.exp(found), np.exp(expected), atol=min(1.0, 1e-13 * 2.0**halvings + 1e-12))
    assert entropy(found) <= entropy(log_p) + 1e-9


def test_kl_guided_temperature_ends_greedy():
    log_p = np.log([[0.4, 0.35, 0.25], [0.4, 0.4, 0.2]])
    without = np.log([1e-9, 0.5, 0.5])
    for sigma in (1e-2, 1e-6):
        np.testing.assert_allclose(np.exp(kl_guided_temperature(log_p, without, sigma)), [[1, 0, 0], [0.5, 0.5, 0]])
    assert np.exp(kl_guided_temperature(log_p, np.array([-INF, 0.0, 0.0]), 1.0))[0].tolist() == [1, 0, 0]


def test_kl_guided_temperature_loses_no_digit_of_a_close_call():
    """Two tokens 3 2^-53 nats apart, sharpened by 2^52: exactly 1.5 nats, but 1 or 2 if the logs are rounded again."""
    top = np.log(0.5)
    log_p = np.array([[top, top - 3 * 2.0**-53], np.log([0.01, 0.99])])
    without = np.log([0.3, 0.7])
    found = kl_guided_temperature(log_p, without, float(kl(log_p[0], without)) / 52)
    # The exponent 52 is rounded by 1e-14, and so is its power.
    np.testing.assert_allclose(found[0, 0] - found[0, 1], 1.5, rtol=1e-12)


@given(worlds())
def test_greedy_shares_the_mass_among_the_most_probable(world):
    log_p = world[0]
    top = log_p == log_p.max()
    np.testing.assert_allclose(np.exp(greedy(log_p)), top / top.sum())


@given(worlds(), LAMBDAS)
def test_controlled_decoding_by_a_log_probability_is_classifier_guidance(world, lam):
    log_p, u, _ = world
    log_q = scipy.special.log_expit(u)
    np.testing.assert_array_equal(controlled(log_p, log_q, lam), classifier_guidance(log_p, log_q, lam))


@pytest.mark.parametrize("lam", [INF, -INF, np.nan])
@pytest.mark.parametrize("rule", [classifier_guidance, classifier_free_guidance, controlled])
def test_a_bad_lambda_is_named(rule, lam):
    with pytest.raises(ValueError, match="lambda"):
        rule(np.log([0.5, 0.5]), np.log([0.3, 0.7]), lam)


@pytest.mark.parametrize("sigma", [0, -1.0, INF, np.nan])
def test_a_bad_sigma_is_named(sigma):
    with pytest.raises(ValueError, match="sigma"):
        kl_guided_temperature(np.log([0.5, 0.5]), np.log([0.3, 0.7]), sigma)


@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_bad_guidance_is_named(lam):
    log_p = np.log([0.5, 0.5])
    with pytest.raises(ValueError, match="NaN"):
        controlled(log_p, np.array([np.nan, 1.0]), lam)
    with pytest.raises(ValueError, match=r"\+inf"):
        classifier_guidance(log_p, np.array([0.0, -INF]), -1.0)
    with pytest.raises(ValueError, match="-inf everywhere"):
        gibbs(log_p, np.array([-INF, -INF]))
