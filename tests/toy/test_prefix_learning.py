"""Both scorers against the exact V* in small worlds: convergence, its rate, the data they may come from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.arrays import expectation, normalised
from theory.layers import Layers, action_values, sample
from toy.prefix_learning import (
    cd_fudge,
    cd_q,
    learning_curve,
    monte_carlo_error,
    return_variance,
    scorer_error,
)


def world(seed, steps=3, states=2, tokens=3):
    """Random steps, successors and gains; EOS alone at the last step."""
    rng = np.random.default_rng(seed)
    log_p = np.log(0.05 + rng.dirichlet(np.ones(tokens), size=(steps, states)))
    log_p[-1] = -np.inf
    log_p[-1, :, 0] = 0.0
    successor = rng.integers(0, states, size=(states, tokens))
    return Layers(normalised(log_p), successor, rng.normal(size=log_p.shape))


def other_policy(layers, seed=1):
    """Another law with the same support."""
    u = np.random.default_rng(seed).normal(size=layers.log_p.shape)
    return normalised(layers.log_p + u)


def paths(layers, t=0, s=0):
    """All answers from step t in state s: their probability, and their tokens and states as lists."""
    for a in range(layers.log_p.shape[-1]):
        mass = np.exp(layers.log_p[t, s, a])
        if mass == 0:
            continue
        rest = [(1.0, [])] if a == 0 else paths(layers, t + 1, layers.successor[s, a])
        for share, tail in rest:
            yield mass * share, [(t, s, a), *tail]


def returns(layers):
    """The law of the reward to come at each token, by listing answers: {cell: [(mass, reward to come)]}."""
    found = {}
    for mass, cells in paths(layers):
        gains = [layers.gain[cell] for cell in cells]
        for i, cell in enumerate(cells):
            found.setdefault(cell, []).append((mass, sum(gains[i:])))
    return found


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_variances_are_those_of_the_listed_answers(seed):
    layers = world(seed)
    variance, q = return_variance(layers), action_values(layers, expectation)
    for cell, law in returns(layers).items():
        mass, value = np.array(law).T
        mean = mass @ value / mass.sum()
        assert q[cell] == pytest.approx(mean, abs=1e-12)
        assert variance[cell] == pytest.approx(mass @ (value - mean) ** 2 / mass.sum(), abs=1e-12)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=20)
def test_cd_q_is_exact_once_every_token_was_taken(seed, off_policy):
    layers = world(seed)
    log_data = other_policy(layers, seed) if off_policy else None
    learned = cd_q(layers, 5000, np.random.default_rng(seed), log_data)
    possible = layers.log_p > -np.inf
    reached = np.zeros(possible.shape, dtype=bool)
    for cell in returns(layers):
        reached[cell] = True
    tokens, states, lengths = sample(
        layers, layers.log_p if log_data is None else log_data, 5000, np.random.default_rng(seed)
    )
    taken = {(t, states[i, t], tokens[i, t]) for i in range(5000) for t in range(lengths[i])}
    if len(taken) == reached.sum():  # the sample took every reachable token
        gap = (learned - action_values(layers, expectation))[reached]
        assert np.abs(gap).max() < 1e-12


def test_cd_q_sees_every_token_in_most_of_those_worlds():
    """The condition of the test above is met, or it would be empty."""
    assert scorer_error(world(3), cd_q(world(3), 5000, np.random.default_rng(0))) < 1e-12


@given(st.integers(0, 10_000))
@settings(max_examples=10)
def test_cd_fudge_is_the_mean_reward_to_come(seed):
    """Against a dictionary of lists filled token by token."""
    layers = world(seed)
    learned = cd_fudge(layers, 50, np.random.default_rng(seed))
    tokens, states, lengths = sample(layers, layers.log_p, 50, np.random.default_rng(seed))
    by_token, by_state = {}, {}
    for i, length in enumerate(lengths):
        gains = [layers.gain[t, states[i, t], tokens[i, t]] for t in range(length)]
        for t in range(length):
            by_token.setdefault((t, states[i, t], tokens[i, t]), []).append(sum(gains[t:]))
            by_state.setdefault((t, states[i, t]), []).append(sum(gains[t:]))
    for cell in np.ndindex(*layers.log_p.shape):
        seen = by_token.get(cell) or by_state.get(cell[:2]) or [0.0]
        assert learned[cell] == pytest.approx(np.mean(seen), abs=1e-12)


def test_cd_q_gives_untaken_tokens_the_worth_of_their_state():
    layers = world(0)
    learned = cd_q(layers, 1, np.random.default_rng(0))
    tokens, states, _ = sample(layers, layers.log_p, 1, np.random.default_rng(0))
    t, s, a = 0, states[0, 0], tokens[0, 0]
    assert np.ptp(learned[t, s]) == 0  # one token taken: all are worth what it is
    assert learned[t, s, a] != 0
    assert np.all(learned[0, 1 - s] == 0)  # never seen


def test_off_policy_answers_mislead_cd_fudge_alone():
    """It learns the values of the policy that the answers came from; CD-Q does not care."""
    layers = world(5, steps=6)
    log_data = other_policy(layers)
    theirs = scorer_error(layers, action_values(layers, expectation, log_data))
    fudge, bellman = (
        scorer_error(layers, learn(layers, 200_000, np.random.default_rng(0), log_data)) for learn in (cd_fudge, cd_q)
    )
    assert theirs > 0.1
    # Some 30 cells of variance about 1, each visited in 1e-3 or more of 2e5 answers.
    assert fudge == pytest.approx(theirs, abs=0.03)
    assert scorer_error(layers, cd_fudge(layers, 200_000, np.random.default_rng(0))) < 0.03
    assert bellman < 1e-12


def test_the_error_falls_as_predicted():
    layers = world(7)
    curve = learning_curve(layers, [2000, 8000], seed=0, replications=40, log_off=other_policy(layers))
    fudge = curve[(curve["method"] == "CD-FUDGE") & (curve["data"] == "on-policy")]
    # Forty replications of some twenty squares each: a standard error below 10 % of the mean square.
    np.testing.assert_allclose(fudge["error"], fudge["monte_carlo"], rtol=0.15)
    np.testing.assert_allclose(fudge["monte_carlo"].iloc[0], 2 * fudge["monte_carlo"].iloc[1], rtol=1e-12)
    assert (curve["low"] <= curve["error"]).all()
    assert (curve["error"] <= curve["high"]).all()
    assert len(curve) == 8
    assert set(curve["method"]) == {"CD-FUDGE", "CD-Q"}
    assert set(curve["data"]) == {"on-policy", "off-policy"}
    assert curve["monte_carlo"].notna().sum() == 2


def test_the_curve_is_a_function_of_the_seed():
    layers = world(7)
    first, again, other = (learning_curve(layers, [50], seed=seed, replications=2) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize("learn", [cd_fudge, cd_q])
def test_an_empty_sample_is_refused(learn):
    with pytest.raises(ValueError, match="count must be >= 1"):
        learn(world(0), 0, np.random.default_rng(0))


def test_one_replication_has_no_interval():
    with pytest.raises(ValueError, match="replications >= 2"):
        learning_curve(world(0), [10], seed=0, replications=1)


def test_the_prediction_counts_reachable_tokens_alone():
    layers = world(2)
    reached = np.zeros(layers.log_p.shape)
    total = 0.0
    for mass, cells in paths(layers):
        total += mass * len(cells)
        for cell in cells:
            reached[cell] = 1
    law = np.sqrt(np.sum(return_variance(layers) * reached) / (100 * total))
    assert monte_carlo_error(layers, 100) == pytest.approx(law, rel=1e-12)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: monte_carlo_error(world(3), 0), "count must be >= 1, not 0"),
        (lambda: scorer_error(world(3), world(3).gain[0]), "^q must have the shape"),
        (lambda: scorer_error(world(3), world(3).gain * np.nan), "^q must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
