"""Blockwise best-of-K by sums over states and units, against the rule followed string by string."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.arrays import expectation, normalised
from theory.best_of import best_of
from theory.block_laws import Reward, block_laws
from theory.blockwise import blockwise, reward_law
from theory.information import kl
from theory.language_models import log_dirichlet
from theory.layers import EOS, Layers, action_values, expected_gain, length_law, sequence_kl, state_values

# Sums of at most some thousand products of probabilities, times rewards of the size of 10.
EXACT = {"rtol": 0, "atol": 1e-11}


def steps(shape, rng):
    """Log-probabilities [T, S, V], some tokens forbidden, that end at the last step."""
    log_w = log_dirichlet(shape[-1], rng, 1.0, shape[:-1])
    log_w[..., 1:][rng.random(log_w[..., 1:].shape) < 0.2] = -np.inf
    log_w[-1, :, 1:] = -np.inf
    return normalised(log_w)


@st.composite
def worlds(draw):
    """A base, another policy that blocks are drawn from, a reward with ties, and prefix scores, exact or not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    horizon, n_states, n_symbols = draw(st.sampled_from([(1, 2, 1), (3, 2, 2), (4, 3, 2), (5, 2, 1)]))
    shape = (horizon, n_states, n_symbols + 1)
    terminal = np.array(draw(st.lists(st.sampled_from([-0.3, 0.0, 1.0]), min_size=horizon, max_size=horizon)))
    reward = Reward(rng.integers(-2, 3, shape), draw(st.sampled_from([0.0, 0.5])), terminal)
    layers = Layers(steps(shape, rng), rng.integers(0, n_states, shape[1:]), reward.gain)
    values = state_values(layers, action_values(layers, expectation))
    if draw(st.booleans()):
        values = values + rng.normal(size=values.shape)
    return layers, steps(shape, rng), reward, values, rng.normal(size=shape)


def strings_of(layers, log_policy, reward, values, K, M, further):  # noqa: N803
    """(tokens, units, sum of further, log pi, log of the law drawn from) of each answer, block by block."""
    found = []

    def blocks(t, s, left):
        """(path of (t, s, a), state after it or None, log-probability) of every block."""
        for a in range(layers.log_p.shape[-1]):
            log_here = log_policy[t, s, a]
            if log_here == -np.inf:
                continue
            if a == EOS:
                yield [(t, s, a)], None, log_here
            elif left == 1 or t + 1 == layers.horizon:
                yield [(t, s, a)], layers.successor[s, a], log_here
            else:
                for path, state, log_rest in blocks(t + 1, layers.successor[s, a], left - 1):
                    yield [(t, s, a), *path], state, log_here + log_rest

    def follow(t, s, path, log_pi, log_base):
        candidates = list(blocks(t, s, M))
        scores = [
            reward.unit * sum(reward.units[step] for step in block)
            + (reward.terminal[block[-1][0]] if state is None else values[t + len(block), state])
            for block, state, _ in candidates
        ]
        log_drawn = np.array([log_mass for *_, log_mass in candidates])
        for (block, state, log_mass), log_kept in zip(
            candidates, best_of(log_drawn, np.round(scores, 12), K), strict=True
        ):
            here = [*path, *block], log_pi + log_kept, log_base + log_mass
            if state is None:
                found.append(
                    (len(here[0]), sum(reward.units[i] for i in here[0]), sum(further[i] for i in here[0]), *here[1:])
                )
            else:
                follow(t + len(block), state, *here)

    follow(0, 0, [], 0.0, 0.0)
    return [np.array(column) for column in zip(*found, strict=True)]


@given(worlds(), st.integers(1, 4), st.integers(1, 6))
def test_the_law_of_the_answers_is_that_of_the_rule(world, K, M):  # noqa: N803
    layers, log_policy, reward, values, further = world
    found = blockwise(block_laws(layers, log_policy, reward, M, [further]), reward, values, K)
    n, units, sums, log_pi, log_base = strings_of(layers, log_policy, reward, values, K, M, further)
    np.testing.assert_allclose(found.kl, kl(log_pi, log_base), **EXACT)
    np.testing.assert_allclose(found.sums, [np.exp(log_pi) @ sums], **EXACT)
    span = [(min(0, here.min()), max(0, here.max())) for here in reward.units]
    lowest, highest = np.sum(span, axis=0)  # what the steps can bring, and no more
    assert (found.lowest, found.log_law.shape) == (lowest, (layers.horizon, highest - lowest + 1))
    law = np.zeros(found.log_law.shape)
    np.add.at(law, (n - 1, units - found.lowest), np.exp(log_pi))
    np.testing.assert_allclose(np.exp(found.log_law), law, **EXACT)
    levels, log_prob = reward_law(found, reward)
    worth = reward.unit * units + reward.terminal[n - 1]
    assert np.all(np.diff(levels) > 0)
    for level, log_mass in zip(levels, log_prob, strict=True):
        np.testing.assert_allclose(np.exp(log_mass), np.exp(log_pi)[np.abs(worth - level) < 1e-9].sum(), **EXACT)


@given(worlds(), st.integers(1, 40))
def test_one_token_blocks_are_a_policy_and_one_candidate_is_the_base(world, K):  # noqa: N803
    layers, log_policy, reward, values, _ = world
    q = reward.gain
    q[:-1, :, 1:] += values[1:-1][:, layers.successor[:, 1:]]
    policy = best_of(log_policy, np.round(q, 12), K)
    found = blockwise(block_laws(layers, log_policy, reward, 1), reward, values, K)
    np.testing.assert_allclose(found.kl, sequence_kl(layers, policy, log_policy), **EXACT)
    np.testing.assert_allclose(np.exp(found.log_law).sum(axis=-1), length_law(layers, policy), **EXACT)
    levels, log_prob = reward_law(found, reward)
    np.testing.assert_allclose(np.exp(log_prob) @ levels, expected_gain(layers, policy), **EXACT)
    alone = blockwise(block_laws(layers, log_policy, reward, 3), reward, values, 1)
    np.testing.assert_allclose(alone.kl, 0, **EXACT)
    np.testing.assert_allclose(np.exp(alone.log_law).sum(axis=-1), length_law(layers, log_policy), **EXACT)


@given(worlds(), st.integers(1, 64), st.integers(1, 6))
def test_the_later_versions_bound_holds(world, K, M):  # noqa: N803
    layers, log_policy, reward, values, _ = world
    found = blockwise(block_laws(layers, log_policy, reward, M), reward, values, K)
    tokens = np.arange(1, layers.horizon + 1)
    blocks = np.exp(found.log_law).sum(axis=-1) @ np.ceil(tokens / M)
    assert found.kl <= (np.log(K) - (K - 1) / K) * blocks + 1e-11


def test_bad_input_is_named():
    rng = np.random.default_rng(0)
    shape = (3, 2, 3)
    reward = Reward(np.zeros(shape, dtype=int), 1.0, np.zeros(3))
    layers = Layers(steps(shape, rng), np.zeros(shape[1:], dtype=int), reward.gain)
    laws = block_laws(layers, layers.log_p, reward, 2)
    for bad in (0, -1, 1.5):
        with pytest.raises(ValueError, match="best-of-K's K must be an integer >= 1"):
            blockwise(laws, reward, np.zeros((4, 2)), bad)
    with pytest.raises(ValueError, match=r"^values contains NaN; check the scorer that produced it\.$"):
        blockwise(laws, reward, np.full((4, 2), np.nan), 2)
    for shape in ((3, 2), (5, 2), (4, 3)):
        with pytest.raises(ValueError, match=r"^values must have the shape \(4, 2\), not "):
            blockwise(laws, reward, np.zeros(shape), 2)
