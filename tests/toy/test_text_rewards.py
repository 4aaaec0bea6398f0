import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from toy.text_automaton import LETTERS, bigram_states, class_trigram_states, fitted
from toy.text_rewards import (
    PAIRS,
    choices,
    combined,
    length_reward,
    letter_reward,
    letter_weights,
    pair_reward,
    world,
)

WORDS = st.text(alphabet="thein ra", max_size=8)


def along(reward, successor, text):
    """The reward of a text, token by token."""
    state, total = 0, 0.0
    for t, letter in enumerate(text):
        token = 1 + LETTERS.index(letter)
        total += reward.gain[t, state, token]
        state = successor[state, token]
    return total + reward.gain[len(text), state, 0]


@pytest.mark.parametrize("states", [bigram_states, class_trigram_states])
@given(text=WORDS)
def test_rewards_are_what_they_say(states, text):
    successor = states()
    n_states = len(successor)
    pairs = sum(text[i : i + 2] in PAIRS for i in range(len(text)))
    assert along(pair_reward(n_states, 9), successor, text) == pairs
    assert along(length_reward(n_states, 9), successor, text) == math.log((len(text) + 1) / 9)
    weights = np.linspace(-1, 1, 28)
    weights[0] = 0
    exact = sum(round(8 * weights[1 + LETTERS.index(letter)]) / 8 for letter in text)
    assert along(letter_reward(weights, n_states, 9), successor, text) == exact
    both = combined(pair_reward(n_states, 9), length_reward(n_states, 9), -2.0)
    assert along(both, successor, text) == pytest.approx(pairs - 2 * math.log((len(text) + 1) / 9), abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 1.0, 30.0]))
def test_the_fit_minimises_its_loss(seed, ridge):
    rng = np.random.default_rng(seed)
    differences = rng.integers(-3, 4, (30, 4)).astype(float)

    def loss(w):
        return np.logaddexp(0, -differences @ w).sum() + ridge / 2 * w @ w

    found = letter_weights(differences, ridge)
    np.testing.assert_array_equal(letter_weights(differences), letter_weights(differences, 1.0))
    other = minimize(loss, np.zeros(4), method="BFGS").fun
    assert loss(found) <= other + 1e-9  # the other stops where its gradient is 1e-5
    np.testing.assert_allclose(differences.T @ expit(-differences @ found), ridge * found, atol=1e-9)


def test_the_fit_of_choices_that_all_agree():
    """The solution is far off, and reached only by steps that are cut."""
    differences = np.array([[1.0, 0.0], [2.0, 3.0], [-3.0, 1.0]])
    found = letter_weights(differences, 1e-6)
    assert np.linalg.norm(found) > 10
    # Newton ends at a step of 1e-12; sums of three numbers of order one.
    np.testing.assert_allclose(differences.T @ expit(-differences @ found), 1e-6 * found, atol=1e-9)
    with pytest.raises(ValueError, match=r"^the Bradley-Terry fit did not converge; raise the ridge\.$"):
        letter_weights(np.ones((3, 1)), 1e-300)  # the solution, near 690, is further off than 100 steps


def test_choices_follow_the_reward_and_are_noisy():
    successor = bigram_states()
    layers = world(fitted(["the he", "in", "another hen"], successor), successor, 12, pair_reward(28, 12))
    letters, margins = choices(layers, 20_000, np.random.default_rng(0))
    assert not letters[:, 0].any()
    for margin in (1, 2):
        apart = np.abs(margins) == margin
        share = np.mean(margins[apart] > 0)
        assert share == pytest.approx(expit(margin), abs=5 * 0.5 / math.sqrt(apart.sum()))


def test_bad_input_is_named():
    for ridge in (0.0, math.nan):
        with pytest.raises(ValueError, match="ridge must be a positive number"):
            letter_weights(np.ones((2, 2)), ridge)
    with pytest.raises(ValueError, match=r"^differences must be finite"):
        letter_weights(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match=r"^the second reward must depend on the length alone"):
        combined(length_reward(28, 9), pair_reward(28, 9), 1.0)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: length_reward(28, 0), "a state and a token at least, not 28 and 0"),
        (lambda: pair_reward(0, 3), "a state and a token at least, not 0 and 3"),
        (lambda: letter_reward(np.zeros(27), 28, 3), r"^weights must have the shape \[28\], not \[27\]"),
        (lambda: letter_reward(np.full(28, np.nan), 28, 3), "^weights must be finite"),
        (lambda: letter_reward(np.full(28, -(2.0**50)), 28, 3), "^weights must be finite, and small enough"),
        (lambda: letter_reward(np.zeros(28), 28, 0), "a state and a token at least"),
        (lambda: combined(pair_reward(28, 3), length_reward(28, 1), 1.0), "^the second reward must have the shape"),
        (lambda: letter_weights(np.zeros(3)), "^differences must have the shape"),
        (
            lambda: choices(
                world(fitted(["a"], bigram_states()), bigram_states(), 3, pair_reward(28, 3)),
                0,
                np.random.default_rng(0),
            ),
            "count must be >= 1, not 0",
        ),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
