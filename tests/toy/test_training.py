"""Batches, gradients and advantages against plain loops, and Adam against its own definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.statistical.p_values import bernstein
from tests.statistical.randomised import Randomised
from theory.arrays import normalised
from theory.layers import Layers, expected_gain, sequence_kl
from toy.training import Descent, Training, advantages, clipped_slope, drawn, log_ratio, logit_gradient, report


def world(seed, steps=3, states=2, tokens=3):
    rng = np.random.default_rng(seed)
    log_p = np.log(0.05 + rng.dirichlet(np.ones(tokens), size=(steps, states)))
    log_p[0, :, -1] = -np.inf  # a token that the base law forbids
    log_p[-1] = -np.inf
    log_p[-1, :, 0] = 0.0
    return Layers(normalised(log_p), rng.integers(0, states, size=(states, tokens)), rng.normal(size=log_p.shape))


def moved(layers, seed=0):
    u = np.random.default_rng(seed).normal(size=layers.log_p.shape)
    return normalised(layers.log_p + u)


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_the_logit_gradient_is_that_of_the_weighted_log_probabilities(seed):
    layers = world(seed)
    log_policy = moved(layers, seed)
    rng = np.random.default_rng(seed)
    batch = drawn(layers, log_policy, 6, rng)
    weights = rng.normal(size=batch.cells.shape)
    found = logit_gradient(log_policy, batch, weights)
    direction, step = rng.normal(size=log_policy.shape), 1e-6

    def objective(side):
        return np.sum(
            batch.of_tokens(normalised(log_policy + side * step * direction)) * np.where(batch.alive, weights, 0)
        )

    slope = (objective(1) - objective(-1)) / (2 * step)
    # Central differences err by step^2 times a third derivative below 1e3.
    assert np.sum(found * direction) == pytest.approx(slope, abs=1e-7)


def test_one_weight_an_answer_is_shared_by_its_tokens():
    layers = world(1)
    batch, weights = drawn(layers, layers.log_p, 5, np.random.default_rng(0)), np.arange(5.0)[:, None]
    every = np.broadcast_to(weights, batch.cells.shape)
    np.testing.assert_array_equal(
        logit_gradient(layers.log_p, batch, weights), logit_gradient(layers.log_p, batch, every)
    )


def rewards_of(rng, policy=lambda layers: layers.log_p):
    """The rewards of 50,000 answers."""
    layers = world(2)
    return drawn(layers, policy(layers), 50_000, rng).reward


def mean_reward(found):
    layers = world(2)
    least, most = (end(layers.gain, axis=(1, 2)) for end in (np.min, np.max))
    ends = np.minimum(least, 0).sum(), np.maximum(most, 0).sum()  # a step after the end pays 0
    return bernstein(found, *ends, expected_gain(layers, layers.log_p))


REWARDS = Randomised(
    __name__,
    "a batch pays the expected gain",
    draw=rewards_of,
    judge=mean_reward,
    planted={"answers of another policy": lambda rng: rewards_of(rng, moved)},
    sample="50,000 answers, empirical Bernstein",
)


def test_a_batch_pays_what_its_tokens_earn():
    layers = world(2)
    batch = drawn(layers, layers.log_p, 50, np.random.default_rng(0))
    assert np.all(batch.paid[~batch.alive] == 0)
    np.testing.assert_array_equal(batch.paid, batch.of_tokens(layers.gain))
    REWARDS.hold()


def test_the_log_ratio_skips_forbidden_tokens():
    layers = world(3)
    ratio = log_ratio(layers, moved(layers))
    assert np.isfinite(ratio).all()
    assert np.all(ratio[layers.log_p == -np.inf] == 0)
    assert np.abs(ratio).max() > 0.1


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 1.0]))
def test_advantages_by_their_sum(seed, trace):
    rng = np.random.default_rng(seed)
    paid, expected = rng.normal(size=(2, 3, 4))
    after = np.concatenate([expected[:, 1:], np.zeros((3, 1))], axis=1)
    delta = paid + after - expected
    for t in range(4):
        slow = sum(trace**k * delta[:, t + k] for k in range(4 - t))
        np.testing.assert_allclose(advantages(paid, expected, trace)[:, t], slow, atol=1e-12)


@given(st.floats(0.2, 2), st.floats(-2, 2), st.floats(0.05, 0.5))
def test_the_clipped_slope_is_a_derivative(ratio, advantage, clip):
    edges = np.array([1 - clip, 1 + clip])
    if np.abs(ratio - edges).min() < 1e-3 or abs(advantage) < 1e-3:
        return  # a kink

    def surrogate(log_ratio):
        r = np.exp(log_ratio)
        return min(r * advantage, np.clip(r, *edges) * advantage)

    h = 1e-6
    slope = (surrogate(np.log(ratio) + h) - surrogate(np.log(ratio) - h)) / (2 * h)
    assert clipped_slope(np.array([ratio]), np.array([advantage]), clip)[0] == pytest.approx(slope, abs=1e-7)


def test_at_the_edge_the_clipped_term_is_not_less():
    np.testing.assert_array_equal(clipped_slope(np.array([1.5, 0.5]), np.array([1.0, -1.0]), 0.5), [1.5, -0.5])


def test_the_first_step_of_adam_has_its_rate():
    layers = world(4)
    descent, gradient = Descent(layers, 0.1, 10), np.random.default_rng(0).normal(size=layers.log_p.shape)
    descent.step(gradient)
    np.testing.assert_allclose(
        np.exp(descent.log_policy), np.exp(normalised(layers.log_p - 0.1 * np.sign(gradient))), atol=1e-7
    )


def test_the_last_step_of_adam_is_a_tenth_of_the_first():
    layers, gradient = world(4), np.ones(world(4).log_p.shape)
    gradient[..., 0] = -1.0
    descent, moves = Descent(layers, 0.1, 10), []
    for _ in range(10):
        before = descent.log_policy
        descent.step(gradient)
        change = log_ratio(layers, descent.log_policy) - log_ratio(layers, before)
        moves.append((change[0, :, 0] - change[0, :, 1]).mean())
    # A constant gradient has a constant direction, so that the schedule alone shows.
    np.testing.assert_allclose(moves, 0.2 * (1 - np.arange(10) / 10), rtol=1e-6)


def test_a_report_is_exact():
    layers = world(5)
    row = report(layers, moved(layers), 7)
    assert row == {
        "step": 7,
        "reward": expected_gain(layers, moved(layers)),
        "kl": sequence_kl(layers, moved(layers)),
    }


def test_reports_are_even_and_end_with_the_last_step():
    assert Training(steps=10, reports=3).reported == [3, 7, 10]


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 1},
        {"reports": 0},
        {"steps": 3, "reports": 4},
        {"epochs": 0},
        {"rate": 0.0},
        {"clip": 0.0},
        {"clip": 1.0},
        {"trace": -0.1},
        {"trace": 1.5},
    ],
)
def test_bad_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=r"^training needs (batch >= 2|rate > 0)"):
        Training(**wrong)


def test_advantages_of_whole_numbers_are_not_rounded():
    whole = advantages(np.array([[0, 1]]), np.array([[3, 1]]), 0.5)
    assert whole.tolist() == advantages(np.array([[0.0, 1.0]]), np.array([[3.0, 1.0]]), 0.5).tolist() == [[-2.0, 0.0]]
    assert advantages(np.array([[0, 1]]), np.array([[0.5, 0.25]]), 1.0).tolist() == [[0.5, 0.75]]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: advantages(np.zeros(3), np.zeros(3), 0.5), "^paid must have the shape"),
        (lambda: advantages(np.zeros((2, 3)), np.zeros((1, 3)), 0.5), r"^expected must have the shape \[2, 3\]"),
        (lambda: log_ratio(world(5), world(5).log_p[0]), "^log_policy must have the shape"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
