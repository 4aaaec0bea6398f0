"""Values by backward induction against sums over strings written out in plain Python."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.information import kl
from theory.language_models import Tree, from_scores, random_tree, strings
from theory.values import (
    backward,
    hard_values,
    log_values,
    optimal_values,
    sequence_objective,
    sequence_optimum,
    soft_values,
    tokenwise,
)

STRENGTHS = st.sampled_from([0.1, 1.0, 5.0]) | st.floats(0.05, 8)


@st.composite
def worlds(draw):
    """Trees over one to three symbols, with forbidden tokens, and rewards with ties."""
    n, depth = draw(st.sampled_from([(1, 0), (1, 3), (2, 1), (2, 2), (2, 3), (3, 2)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tree = random_tree(n, depth, rng, draw(st.sampled_from([0.3, 1.0, 5.0])))
    if draw(st.booleans()):
        log_w = np.where(rng.random(tree.log_steps.shape) < 0.3, -np.inf, tree.log_steps)
        log_w[:, -1] = tree.log_steps[:, -1]
        tree = Tree(log_w - np.log(np.exp(log_w).sum(axis=-1, keepdims=True)))
    size = tree.log_steps.shape[0]
    reward = st.sampled_from([-1.0, 0.0, 2.0]) | st.floats(-3, 3)
    return tree, np.array(draw(st.lists(reward, min_size=size, max_size=size)))


def depth_of(tree):
    return len(tree.level_sizes) - 1


def allowed(tree, s, y):
    """P(y | prefix s), 0 where y does not run through s; token by token."""
    every = strings(tree.n_symbols, depth_of(tree))
    prefix, string = every[s], every[y]
    if string[: len(prefix)] != prefix:
        return 0.0
    path = [string[:i] for i in range(len(prefix), len(string) + 1)]
    tokens = [*string[len(prefix) :], tree.n_symbols]
    return math.prod(math.exp(tree.log_steps[every.index(p), a]) for p, a in zip(path, tokens, strict=True))


def expected(tree, f):
    """E[f(y) | s] at every prefix s."""
    size = tree.log_steps.shape[0]
    return np.array([math.fsum(allowed(tree, s, y) * f[y] for y in range(size)) for s in range(size)])


@given(worlds())
def test_hard_values_are_conditional_means(world):
    tree, reward = world
    found = hard_values(tree, reward)
    np.testing.assert_allclose(found.state, expected(tree, reward), atol=1e-13)
    np.testing.assert_array_equal(found.action[:, -1], reward)
    every = strings(tree.n_symbols, depth_of(tree))
    for s, prefix in enumerate(every):
        for a in range(tree.n_symbols if len(prefix) < depth_of(tree) else 0):
            assert found.action[s, a] == found.state[every.index((*prefix, a))]


@given(worlds(), STRENGTHS)
def test_soft_values_are_conditional_log_means(world, lam):
    tree, reward = world
    found = soft_values(tree, reward, lam)
    np.testing.assert_allclose(found.state, np.log(expected(tree, np.exp(lam * reward))) / lam, rtol=1e-11, atol=1e-12)
    assert np.all(found.state >= hard_values(tree, reward).state - 1e-12)  # Jensen
    assert np.all(found.state <= optimal_values(tree, reward).state + 1e-12)


@given(worlds())
def test_log_values_are_success_probabilities(world):
    tree, reward = world
    success = np.clip(reward / 2, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        log_success = np.log(success)
    found = log_values(tree, log_success)
    np.testing.assert_allclose(np.exp(found.state), expected(tree, success), atol=1e-13)
    np.testing.assert_array_equal(np.isneginf(found.state), expected(tree, success) == 0)


@given(worlds())
def test_optimal_values_are_the_best_reachable_rewards(world):
    tree, reward = world
    size = tree.log_steps.shape[0]
    best = [max(reward[y] for y in range(size) if allowed(tree, s, y) > 0) for s in range(size)]
    np.testing.assert_array_equal(optimal_values(tree, reward).state, best)


@given(worlds(), STRENGTHS)
def test_soft_values_steer_to_the_sequence_optimum_and_nothing_beats_it(world, lam):
    tree, reward = world
    best = sequence_optimum(tree, reward, lam)
    steered = tokenwise(tree, soft_values(tree, reward, lam), lam)
    np.testing.assert_allclose(np.exp(steered.log_prob), np.exp(best.log_prob), atol=1e-12)
    law = np.exp(tree.log_prob) * np.exp(lam * reward)
    np.testing.assert_allclose(np.exp(best.log_prob), law / law.sum(), atol=1e-12)
    top = sequence_objective(best, tree, reward, lam)
    assert top == pytest.approx(np.log(law.sum()), abs=1e-11)
    for policy in (tree, tokenwise(tree, hard_values(tree, reward), lam)):
        short = top - sequence_objective(policy, tree, reward, lam)
        assert short == pytest.approx(kl(policy.log_prob, best.log_prob), abs=1e-11)


@given(worlds())
def test_no_strength_is_no_control(world):
    tree, reward = world
    np.testing.assert_allclose(tokenwise(tree, hard_values(tree, reward), 0.0).log_steps, tree.log_steps, atol=1e-13)


def test_batches_of_trees_and_of_rewards_broadcast():
    rng = np.random.default_rng(0)
    trees, rewards = random_tree(2, 2, rng, batch=(3, 1)), rng.normal(size=(4, 7))
    found = hard_values(trees, rewards)
    assert found.state.shape == (3, 4, 7)
    assert found.action.shape == (3, 4, 7, 3)
    one = hard_values(Tree(trees.log_steps[2, 0]), rewards[1])
    np.testing.assert_array_equal(found.state[2, 1], one.state)
    np.testing.assert_array_equal(found.action[2, 1], one.action)
    best = optimal_values(trees, rewards)
    np.testing.assert_array_equal(best.state[2, 1], optimal_values(Tree(trees.log_steps[2, 0]), rewards[1]).state)
    policies = tokenwise(trees, found, 2.0)
    assert sequence_objective(policies, trees, rewards, 2.0).shape == (3, 4)


def test_a_hopeless_prefix_is_worth_nothing_and_cannot_be_steered():
    tree = random_tree(2, 1, np.random.default_rng(0))
    values = log_values(tree, np.array([0.0, -np.inf, -0.5]))
    assert values.state[1] == -np.inf
    assert np.isfinite(values.state[[0, 2]]).all()
    with pytest.raises(ValueError, match=r"has a row that is -inf everywhere"):
        tokenwise(tree, values, 1.0)


def test_inputs_are_left_alone():
    tree, reward = random_tree(2, 2, np.random.default_rng(1)), np.arange(7.0)
    steps = tree.log_steps.copy()
    tokenwise(tree, soft_values(tree, reward, 1.0), 1.0)
    np.testing.assert_array_equal(tree.log_steps, steps)
    np.testing.assert_array_equal(reward, np.arange(7.0))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_reward_is_named(bad):
    tree, _ = from_scores(np.log([0.5, 0.25, 0.25]), 2)
    with pytest.raises(ValueError, match=r"^reward contains NaN or \+inf; check"):
        hard_values(tree, np.array([0.0, bad, 0.0]))


def test_a_missing_reward_is_named():
    tree, _ = from_scores(np.log([0.5, 0.25, 0.25]), 2)
    with pytest.raises(ValueError, match=r"^reward must hold one .* of the 3 strings, not \(2,\)"):
        backward(tree, np.zeros((5, 4, 2)), lambda p, q: q[..., 0])


@pytest.mark.parametrize("lam", [0.0, -1.0, np.inf, np.nan])
def test_a_bad_strength_is_named(lam):
    tree, _ = from_scores(np.log([0.5, 0.25, 0.25]), 2)
    for rule in (soft_values, sequence_optimum):
        with pytest.raises(ValueError, match=r"^lambda must be a positive number"):
            rule(tree, np.zeros(3), lam)
