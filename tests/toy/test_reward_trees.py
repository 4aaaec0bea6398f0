import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.arrays import expectation, logsumexp
from theory.covariance import covariance
from theory.language_models import random_tree
from toy.reward_trees import random_worlds, reward_tree, single


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 5))
@settings(max_examples=30)
def test_x_and_r_add_up_to_log_p_plus(seed, beta):
    rng = np.random.default_rng(seed)
    prior = random_tree(2, 3, rng)
    world = reward_tree(prior, rng.normal(size=prior.log_prob.shape), beta)
    log_z = logsumexp(world.x + world.r)
    np.testing.assert_allclose(world.aligned.log_prob, world.x + world.r - log_z, atol=1e-11)  # logs below 100


@pytest.mark.parametrize("rho", [-0.7, 0.0, 0.7])
@pytest.mark.parametrize("strength", [0.5, 4.0])
def test_strength_and_correlation_are_as_asked_under_the_prior(strength, rho):
    worlds = random_worlds(np.random.default_rng(1), 2000, strength=strength, correlation=rho)
    found = covariance(worlds.prior.log_prob, worlds.x, worlds.r)
    mean = np.mean(found.r + np.asarray(expectation(worlds.x, worlds.r)) ** 2)
    # Means over 2,000 worlds of figures that scatter by less than their own size: 4 deviations are a tenth.
    assert mean == pytest.approx(strength**2, rel=0.1)
    assert np.mean(found.xr / np.sqrt(found.x)) == pytest.approx(strength * rho, abs=0.1 * strength)


def test_a_single_world_is_that_of_the_batch():
    worlds = random_worlds(np.random.default_rng(2), 4)
    assert worlds.reward.shape == (4, 40)  # 1 + 3 + 9 + 27 strings of at most three of three symbols
    one = single(worlds, 2)
    np.testing.assert_array_equal(one.x, worlds.x[2])
    np.testing.assert_array_equal(one.r, worlds.r[2])
    np.testing.assert_array_equal(one.aligned.log_prob, worlds.aligned.log_prob[2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"worlds": 0}, "at least one world"),
        ({"strength": -1.0}, "strength must be"),
        ({"strength": np.inf}, "strength must be"),
        ({"correlation": 1.5}, "correlation must lie"),
        ({"correlation": -1.5}, "correlation must lie"),
        ({"correlation": np.nan}, "correlation must lie"),
        ({"n_symbols": 0}, "n_symbols >= 1"),
    ],
)
def test_impossible_worlds_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        random_worlds(np.random.default_rng(0), **{"worlds": 3, **changes})


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: single(random_worlds(np.random.default_rng(0), 2), 2), r"in 0..1, not 2"),
        (lambda: single(random_worlds(np.random.default_rng(0), 2), -1), r"in 0..1, not -1"),
        (
            lambda: single(single(random_worlds(np.random.default_rng(0), 2), 1), 0),
            "^a batch of rewards must have the shape",
        ),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
