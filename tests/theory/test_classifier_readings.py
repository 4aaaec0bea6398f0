import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.arrays import normalised
from theory.classifier_readings import base_guided, literal_optimum, respond, self_consistent
from theory.guidance import classifier_guidance
from theory.language_models import random_tree
from theory.literal_guidance import literal_guidance
from theory.values import log_values

FEW = settings(max_examples=15, deadline=None)
READINGS = (base_guided, self_consistent, literal_optimum)


def world(seed, low=0.05):
    rng = np.random.default_rng(seed)
    tree = random_tree(2, 3, rng, batch=(5,))
    return tree, np.log(rng.uniform(low, 0.95, size=tree.log_prob.shape))


@FEW
@given(st.integers(0, 2**32))
def test_base_guidance_at_one_is_the_posterior(seed):
    tree, log_d = world(seed)
    posterior = np.exp(normalised(tree.log_prob + log_d))
    np.testing.assert_allclose(np.exp(base_guided(tree, log_d, 1.0).log_prob), posterior, atol=1e-13)
    assert np.abs(np.exp(base_guided(tree, log_d, 2.0).log_prob) - posterior).max() > 1e-4


@FEW
@given(st.integers(0, 2**32), st.floats(0.1, 4))
def test_the_others_answer_their_own_success(seed, lam):
    tree, log_d = world(seed)
    for reading, rule in ((self_consistent, classifier_guidance), (literal_optimum, literal_guidance)):
        policy = reading(tree, log_d, lam)
        answer = rule(tree.log_steps, log_values(policy, log_d).action, lam)
        # A root good to 1e-15 in v; log-values are sums of a few exponentials.
        np.testing.assert_allclose(np.exp(policy.log_steps), np.exp(answer), atol=1e-9)


@FEW
@given(st.integers(0, 2**32))
def test_the_formula_raises_success_and_the_readings_differ(seed):
    tree, log_d = world(seed)
    success = {reading: log_values(reading(tree, log_d, 1.0), log_d).state[..., 0] for reading in READINGS}
    base = log_values(tree, log_d).state[..., 0]
    for reading in (base_guided, self_consistent):
        assert np.all(success[reading] > base)
    assert np.abs(success[base_guided] - success[self_consistent]).max() > 1e-6
    assert np.abs(success[literal_optimum] - success[self_consistent]).max() > 1e-3


@pytest.mark.parametrize("reading", READINGS)
def test_where_nothing_can_succeed_the_policy_is_the_base_model(reading):
    tree, log_d = world(0)
    hopeless = np.full_like(log_d, -np.inf)
    np.testing.assert_allclose(np.exp(reading(tree, hopeless, 1.0).log_steps), np.exp(tree.log_steps), atol=1e-15)
    np.testing.assert_allclose(np.exp(reading(tree, log_d, 0.0).log_steps), np.exp(tree.log_steps), atol=1e-15)


@pytest.mark.parametrize("reading", READINGS)
def test_bad_settings_are_named(reading):
    tree, log_d = world(0)
    for lam in (np.inf, np.nan):
        with pytest.raises(ValueError, match="lambda"):
            reading(tree, log_d, lam)
    with pytest.raises(ValueError, match="NaN"):
        reading(tree, np.full_like(log_d, np.nan), 1.0)


def test_respond_is_the_rule_where_something_can_succeed():
    log_p, log_q = np.log([[0.5, 0.5], [0.2, 0.8]]), np.array([[-1.0, -2.0], [-np.inf, -np.inf]])
    found = respond(log_p, log_q, 2.0)
    np.testing.assert_array_equal(found[0], classifier_guidance(log_p[0], log_q[0], 2.0))
    np.testing.assert_allclose(found[1], log_p[1], atol=1e-15)
