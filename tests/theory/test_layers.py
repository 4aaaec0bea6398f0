"""Sums over layers against the tree of all strings, each prefix written out."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.statistical.p_values import mixture
from tests.statistical.randomised import Randomised
from theory.arrays import expectation, normalised
from theory.guidance import controlled
from theory.information import kl
from theory.language_models import Tree, log_dirichlet, strings
from theory.layers import (
    EOS,
    Layers,
    action_values,
    expected_gain,
    length_law,
    occupancy,
    sample,
    sequence_kl,
    sequence_optimum,
    state_values,
)
from theory.values import best_backup, hard_values, optimal_values, soft_backup, soft_values
from theory.values import sequence_optimum as tree_optimum

# A value or a KL is a sum of at most 4 steps' terms of size about 10: some 1e-15 each.
EXACT = {"rtol": 0, "atol": 1e-12}


def random_steps(shape, rng, forbid):
    """Log-probabilities [T, S, V] that end at the last step, some tokens forbidden."""
    log_w = log_dirichlet(shape[-1], rng, 1.0, shape[:-1])
    log_w[..., 1:][rng.random(log_w[..., 1:].shape) < forbid] = -np.inf
    log_w[-1, :, 1:] = -np.inf
    return normalised(log_w)


def random_layers(seed, horizon, n_states, n_symbols, forbid=0.2):
    rng = np.random.default_rng(seed)
    shape = (horizon, n_states, n_symbols + 1)
    successor = rng.integers(0, n_states, shape[1:])
    return Layers(random_steps(shape, rng, forbid), successor, rng.integers(-2, 3, shape).astype(float))


@st.composite
def worlds(draw):
    horizon, n_symbols = draw(st.sampled_from([(1, 2), (2, 1), (3, 2), (4, 2), (3, 3)]))
    return random_layers(draw(st.integers(0, 2**32 - 1)), horizon, draw(st.integers(1, 4)), n_symbols)


def paths(layers):
    """Per string of the tree, its (t, state) before each token and its tokens, EOS last."""
    found = []
    for string in strings(layers.log_p.shape[-1] - 1, layers.horizon - 1):
        state, path = 0, []
        for t, symbol in enumerate(string):
            path.append((t, state, symbol + 1))
            state = layers.successor[state, symbol + 1]
        found.append([*path, (len(string), state, EOS)])
    return found


def unrolled(layers, log_policy):
    """The policy as a tree and the reward of each string; the tree puts EOS last."""
    ends = [path[-1] for path in paths(layers)]
    rows = np.array([np.roll(log_policy[t, s], -1) for t, s, _ in ends])
    return Tree(rows), np.array([sum(layers.gain[step] for step in path) for path in paths(layers)])


@given(worlds(), st.floats(0.1, 5))
def test_values_are_those_of_the_tree(layers, lam):
    tree, reward = unrolled(layers, layers.log_p)
    pairs = [
        (expectation, hard_values(tree, reward)),
        (soft_backup(lam), soft_values(tree, reward, lam)),
        (best_backup, optimal_values(tree, reward)),
    ]
    for backup, values in pairs:
        q = action_values(layers, backup)
        v = state_values(layers, q, backup)
        assert v.shape == (layers.horizon + 1, layers.n_states)
        for i, path in enumerate(paths(layers)):
            t, s, _ = path[-1]
            paid = sum(layers.gain[step] for step in path[:-1])  # the tree's values count the past as well
            np.testing.assert_allclose(v[t, s] + paid, values.state[i], **EXACT)
            possible = np.arange(q.shape[-1])[layers.log_p[t, s] > -np.inf]
            np.testing.assert_allclose(q[t, s][possible] + paid, np.roll(values.action[i], 1)[possible], **EXACT)


@given(worlds(), st.floats(0.1, 5))
def test_sequence_optimum_is_the_tilted_law_and_meets_its_dual_value(layers, lam):
    tree, reward = unrolled(layers, layers.log_p)
    policy, log_z = sequence_optimum(layers, lam)
    ours = unrolled(layers, policy)[0].log_prob
    theirs = tree_optimum(tree, reward, lam).log_prob
    np.testing.assert_allclose(np.exp(ours), np.exp(theirs), **EXACT)
    primal = lam * expected_gain(layers, policy) - sequence_kl(layers, policy)
    np.testing.assert_allclose(primal, log_z, rtol=0, atol=1e-11)  # lambda times sums of the size of 10


@given(worlds(), st.integers(0, 2**32 - 1))
def test_laws_of_any_policy_are_sums_over_strings(layers, seed):
    rng = np.random.default_rng(seed)
    policy, base = (random_steps(layers.log_p.shape, rng, forbid) for forbid in (0.3, 0.0))
    tree, reward = unrolled(layers, policy)
    np.testing.assert_allclose(expected_gain(layers, policy), expectation(tree.log_prob, reward), **EXACT)
    np.testing.assert_allclose(
        sequence_kl(layers, policy, base), kl(tree.log_prob, unrolled(layers, base)[0].log_prob), **EXACT
    )
    np.testing.assert_allclose(
        sequence_kl(layers, policy), kl(tree.log_prob, unrolled(layers, layers.log_p)[0].log_prob), **EXACT
    )
    reached, lengths = np.zeros(policy.shape[:2]), np.zeros(layers.horizon)
    for path, mass in zip(paths(layers), np.exp(tree.log_prob), strict=True):
        lengths[len(path) - 1] += mass
        for t, s, _ in path:
            reached[t, s] += mass
    np.testing.assert_allclose(occupancy(layers, policy), reached, **EXACT)
    np.testing.assert_allclose(length_law(layers, policy), lengths, **EXACT)
    q = action_values(layers, expectation, policy)
    np.testing.assert_allclose(expectation(policy[0, 0], q[0, 0]), expectation(tree.log_prob, reward), **EXACT)


@given(worlds(), st.floats(0.2, 5))
def test_no_policy_beats_the_sequence_optimum(layers, lam):
    _, log_z = sequence_optimum(layers, lam)
    for q in (action_values(layers, expectation), action_values(layers, best_backup), np.zeros_like(layers.gain)):
        policy = controlled(layers.log_p, q, lam)
        assert lam * expected_gain(layers, policy) - sequence_kl(layers, policy) <= log_z + 1e-11


@cache
def sampled_world():
    layers = random_layers(5, 4, 3, 2, forbid=0.1)
    policy = random_steps(layers.log_p.shape, np.random.default_rng(1), 0.3)
    rows = {tuple(token for *_, token in path): i for i, path in enumerate(paths(layers))}
    return layers, policy, rows, np.exp(unrolled(layers, policy)[0].log_prob)


@cache
def heated():
    """The law of answers with steps at temperature 1.3."""
    layers, policy, *_ = sampled_world()
    return np.exp(unrolled(layers, normalised(policy / 1.3))[0].log_prob)


def which(tokens, lengths):
    """The number of each answer."""
    rows = sampled_world()[2]
    return np.array([rows[tuple(row[:n])] for row, n in zip(tokens.tolist(), lengths, strict=True)])


def answer_counts(rng):
    """How often each answer is drawn among 20,000."""
    layers, policy, rows, _ = sampled_world()
    tokens, _, lengths = sample(layers, policy, 20_000, rng)
    return np.bincount(which(tokens, lengths), minlength=len(rows))


ANSWERS = Randomised(
    __name__,
    "samples follow the law",
    draw=answer_counts,
    judge=lambda counts: mixture(counts, sampled_world()[3]),
    planted={"T = 1.3 at every step": lambda rng: rng.multinomial(20_000, heated())},
    sample="20,000 answers, a mixture of Dirichlet laws against theirs",
)


def test_samples_follow_the_law():
    ANSWERS.hold()
    layers, policy, *_ = sampled_world()
    tokens, states, lengths = sample(layers, policy, 50, np.random.default_rng(0))
    drawn = which(tokens, lengths)
    for i in range(50):
        path = paths(layers)[drawn[i]]
        assert [(t, states[i, t], tokens[i, t]) for t in range(lengths[i])] == path
        assert not tokens[i, lengths[i] :].any()


def test_a_forbidden_token_is_never_drawn_however_close_the_uniform_comes():
    class Extreme:
        def random(self, count):
            return np.tile([0.0, 1 - 2**-53], count // 2)

    log_p = np.full((2, 1, 11), -np.inf)
    log_p[0, 0, :10], log_p[1, 0, 0] = -np.log(10), 0.0  # ten tenths add up to less than 1 - 2^-53
    layers = Layers(log_p, np.zeros((1, 11), dtype=int), np.zeros(log_p.shape))
    assert np.cumsum(np.exp(log_p[0, 0]))[-1] <= 1 - 2**-53
    tokens, _, lengths = sample(layers, log_p, 4, Extreme())
    assert tokens.tolist() == [[0, 0], [9, 0], [0, 0], [9, 0]]
    assert lengths.tolist() == [1, 2, 1, 2]


def test_a_first_token_that_is_forbidden_is_not_drawn_by_a_uniform_of_zero():
    class Zero:
        def random(self, count):
            return np.zeros(count)

    log_p = np.array([[[-np.inf, 0.0]], [[0.0, -np.inf]]])
    layers = Layers(log_p, np.zeros((1, 2), dtype=int), np.zeros(log_p.shape))
    tokens, _, lengths = sample(layers, log_p, 3, Zero())
    assert tokens.tolist() == [[1, 0]] * 3
    assert lengths.tolist() == [2] * 3


def test_a_policy_that_leaves_the_base_where_it_never_goes_costs_nothing():
    log_p = np.log([[[0.5, 0.5, 1e-300]], [[1.0, 1e-300, 1e-300]]])
    log_p[0, :, 2], log_p[1, :, 1:] = -np.inf, -np.inf
    layers = Layers(np.repeat(log_p, 3, axis=1), np.array([[0, 1, 2]] * 3), np.zeros((2, 3, 3)))
    outside = np.array(layers.log_p)
    outside[0, 2] = [-np.inf, -np.inf, 0.0]  # state 2 at step 0 is not the start
    assert sequence_kl(layers, outside) == 0
    outside[0, 0] = [-np.inf, -np.inf, 0.0]
    assert sequence_kl(layers, outside) == np.inf


def test_states_after_the_end_are_those_at_the_end():
    layers = random_layers(7, 5, 4, 2, forbid=0.0)
    tokens, states, lengths = sample(layers, layers.log_p, 200, np.random.default_rng(1))
    assert {array.dtype for array in (tokens, states, lengths)} == {np.dtype(np.int64)}
    assert set(lengths.tolist()) == {1, 2, 3, 4, 5}
    for row, n in zip(states, lengths, strict=True):
        assert set(row[n - 1 :].tolist()) == {row[n - 1]}


def test_the_successor_of_the_end_is_not_used():
    good = random_layers(0, 3, 2, 2)
    successor = good.successor.copy()
    successor[:, EOS] = 99
    other = Layers(good.log_p, successor, good.gain)
    np.testing.assert_array_equal(occupancy(other, good.log_p), occupancy(good, good.log_p))


def test_bad_input_is_named():
    good = random_layers(0, 3, 2, 2)
    cases = [
        (r"^log_p must be \[T, S, V\] with T, S, V >= 1, not \(2, 3\)", (good.log_p[0], good.successor, good.gain)),
        (r"^log_p must be \[T, S, V\]", (good.log_p[:0], good.successor, good.gain[:0])),
        (r"^gain .* and successor .* do not fit log_p", (good.log_p, good.successor[:1], good.gain)),
        (r"^gain .* and successor .* do not fit log_p", (good.log_p, good.successor, good.gain[:1])),
        (r"^log_p contains NaN", (np.full_like(good.log_p, np.nan), good.successor, good.gain)),
        (r"^log_p has a row whose .* sum to 1", (good.log_p - 0.1, good.successor, good.gain)),
        (r"^log_p has a row whose .* sum to 1", (good.log_p + 0.1, good.successor, good.gain)),
        (r"^gain must be finite", (good.log_p, good.successor, good.gain + np.inf)),
        (r"^log_p allows a symbol at the last step", (np.repeat(good.log_p[:1], 3, 0), good.successor, good.gain)),
        (r"^successor must hold integers in 0\.\.1", (good.log_p, good.successor.astype(float), good.gain)),
    ]
    for symbol in (1, 2):
        for wrong in (-1, 2):
            successor = good.successor.copy()
            successor[1, symbol] = wrong
            cases.append((r"^successor must hold integers in 0\.\.1", (good.log_p, successor, good.gain)))
        late = good.log_p.copy()
        late[-1, 1, [EOS, symbol]] = np.log(0.5)
        cases.append((r"^log_p allows a symbol at the last step", (late, good.successor, good.gain)))
    for words, arguments in cases:
        with pytest.raises(ValueError, match=words):
            Layers(*arguments)
    for rule in (occupancy, expected_gain, sequence_kl, length_law):
        with pytest.raises(ValueError, match=r"^log_policy must have the shape"):
            rule(good, good.log_p[:-1])
    with pytest.raises(ValueError, match=r"^log_policy contains NaN"):
        action_values(good, expectation, np.full_like(good.log_p, np.nan))
    with pytest.raises(ValueError, match=r"^log_policy contains NaN"):
        sample(good, np.full_like(good.log_p, np.nan), 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"^log_base contains NaN"):
        sequence_kl(good, good.log_p, np.full_like(good.log_p, np.nan))
    with pytest.raises(ValueError, match="lambda must be a positive number"):
        sequence_optimum(good, np.nan)
