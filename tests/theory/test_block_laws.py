"""The laws of blocks against every block written out token by token."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.arrays import normalised
from theory.block_laws import Reward, block_laws
from theory.language_models import log_dirichlet
from theory.layers import EOS, Layers

# Sums of at most some hundred products of probabilities, times gains of the size of 10.
EXACT = {"rtol": 0, "atol": 1e-12}


def steps(shape, rng):
    """Log-probabilities [T, S, V], some tokens forbidden, that end at the last step."""
    log_w = log_dirichlet(shape[-1], rng, 1.0, shape[:-1])
    log_w[..., 1:][rng.random(log_w[..., 1:].shape) < 0.2] = -np.inf
    log_w[-1, :, 1:] = -np.inf
    return normalised(log_w)


@st.composite
def worlds(draw):
    """Layers, the policy that blocks are drawn from, a reward whose units lean to either side, and up to two gains."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    horizon, n_states, n_symbols = draw(st.sampled_from([(1, 2, 1), (3, 1, 2), (4, 3, 2), (5, 2, 1)]))
    shape = (horizon, n_states, n_symbols + 1)
    low = draw(st.sampled_from([-3, -1, 0, 1]))
    reward = Reward(rng.integers(low, low + 3, shape), 0.5, rng.normal(size=horizon))
    layers = Layers(steps(shape, rng), rng.integers(0, n_states, shape[1:]), reward.gain)
    return layers, steps(shape, rng), reward, rng.normal(size=(draw(st.integers(0, 2)), *shape))


def spelt_out(layers, log_policy, reward, further, start, state, stop):
    """(tokens, state after or None where it ended, units, mass, mass times the sum of each gain) of every block."""
    open_blocks = [(start, state, 0, 1.0, np.zeros(len(further)))]
    while open_blocks:
        t, s, units, mass, sums = open_blocks.pop()
        if t == stop:
            yield t - start, s, units, mass, mass * sums
            continue
        for token, log_mass in enumerate(log_policy[t, s]):
            here = units + reward.units[t, s, token], mass * np.exp(log_mass), sums + further[:, t, s, token]
            if token == EOS:
                yield t + 1 - start, None, *here[:2], here[1] * here[2]
            elif log_mass > -np.inf:
                open_blocks.append((t + 1, layers.successor[s, token], *here))


@given(worlds(), st.integers(1, 6))
def test_the_law_of_every_block_is_that_of_its_tokens(world, M):  # noqa: N803
    layers, log_policy, reward, further = world
    laws = block_laws(layers, log_policy, reward, M, list(further))
    for found, start in zip(laws, range(0, layers.horizon, M), strict=True):
        stop = min(start + M, layers.horizon)
        assert found.start == start
        assert found.states.tolist() == (list(range(layers.n_states)) if start else [0])
        width = found.mass.ended.shape[-1]
        ended = np.zeros((1 + len(further), len(found.states), stop - start, width))
        still = np.zeros((1 + len(further), len(found.states), layers.n_states, width))
        for a, state in enumerate(found.states):
            for n, after, units, mass, sums in spelt_out(layers, log_policy, reward, further, start, state, stop):
                assert 0 <= units - found.lowest < width
                entries = ended[:, a, n - 1] if after is None else still[:, a, after]
                entries[:, units - found.lowest] += [mass, *sums]
        for law, exact_ended, exact_open in zip([found.mass, *found.sums], ended, still, strict=True):
            np.testing.assert_allclose(law.ended, exact_ended, **EXACT)
            np.testing.assert_allclose(law.open, exact_open, **EXACT)
        np.testing.assert_allclose(found.mass.ended.sum(axis=(1, 2)) + found.mass.open.sum(axis=(1, 2)), 1, **EXACT)


def test_units_span_no_more_than_the_steps_can_bring():
    units = np.array([[[1, -2]], [[3, 0]], [[2, 2]], [[-2, -1]]])
    log_p = np.full((4, 1, 2), np.log(0.5))
    log_p[-1, 0] = [0.0, -np.inf]
    reward = Reward(units, 1.0, np.zeros(4))
    first, last = block_laws(Layers(log_p, np.zeros((1, 2), dtype=int), reward.gain), log_p, reward, 2)
    assert (first.lowest, first.mass.ended.shape, first.mass.open.shape) == (-2, (1, 2, 7), (1, 1, 7))  # -2..4
    assert (last.lowest, last.mass.ended.shape, last.mass.open.shape) == (-2, (1, 2, 5), (1, 1, 5))  # -2..2
    # EOS at once brings 1; a symbol brings -2, then EOS 3, or a symbol 0.
    assert first.mass.ended.round(12).tolist() == [[[0, 0, 0, 0.5, 0, 0, 0], [0, 0, 0, 0.25, 0, 0, 0]]]
    assert first.mass.open.round(12).tolist() == [[[0.25, 0, 0, 0, 0, 0, 0]]]


def test_the_gain_of_a_reward():
    reward = Reward(np.array([[[1, 2]], [[0, 3]]]), 0.5, np.array([10.0, 20.0]))
    assert reward.gain.tolist() == [[[10.5, 1.0]], [[20.0, 1.5]]]


def test_bad_input_is_named():
    rng = np.random.default_rng(0)
    shape = (3, 2, 3)
    zeros, good = np.zeros(shape, dtype=int), steps(shape, rng)
    reward = Reward(zeros, 1.0, np.zeros(3))
    layers = Layers(good, np.zeros(shape[1:], dtype=int), reward.gain)
    for bad in (0, -1, 1.5):
        with pytest.raises(ValueError, match=rf"^the block size M must be an integer >= 1, not {bad}\.$"):
            block_laws(layers, good, reward, bad)
    with pytest.raises(ValueError, match=r"^the reward's units must have the shape \(3, 2, 3\), not \(3, 1, 3\)\.$"):
        block_laws(layers, good, Reward(zeros[:, :1], 1.0, np.zeros(3)), 2)
    with pytest.raises(ValueError, match=r"^log_policy contains NaN"):
        block_laws(layers, np.full(shape, np.nan), reward, 2)
    for units, terminal in ((np.zeros(shape), np.zeros(3)), (zeros, np.zeros(2)), (zeros, np.zeros((3, 1)))):
        with pytest.raises(ValueError, match=r"^units must be integers \[T, S, V\] and terminal \[T\], not "):
            Reward(units, 1.0, terminal)
    for unit, terminal in ((np.nan, np.zeros(3)), (np.inf, np.zeros(3)), (1.0, np.array([0.0, np.nan, 0.0]))):
        with pytest.raises(ValueError, match=r"^unit and terminal must be finite"):
            Reward(zeros, unit, terminal)
