import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from theory.arrays import normalised
from theory.best_of import best_of, best_of_levels
from theory.claims.cd.best_of_k import tournament
from theory.information import kl


@st.composite
def worlds(draw):
    """log p with zeros and tiny masses, and rewards with ties."""
    size = draw(st.integers(1, 4))
    weights = draw(st.lists(st.sampled_from([0.0, 1e-300, 1.0]) | st.floats(0.01, 1), min_size=size, max_size=size))
    with np.errstate(divide="ignore"):
        log_p = normalised(np.log([1.0, *weights[1:]]))
    return log_p, np.array(
        draw(st.lists(st.sampled_from([-1.0, 0.0, 2.0]) | st.floats(-3, 3), min_size=size, max_size=size))
    )


@given(worlds(), st.integers(1, 40))
def test_sorted_levels_are_the_same_law(world, count):
    log_p, reward = world
    reward = reward + np.arange(reward.size) * 1e-6  # no ties
    order = np.argsort(reward)
    ours, theirs = best_of_levels(log_p[order], count), best_of(log_p, reward, count)[order]
    # Up to 40 factors, each rounded once or twice.
    np.testing.assert_allclose(np.exp(ours), np.exp(theirs), rtol=1e-12, atol=1e-15)


def test_levels_too_rare_for_a_float_are_not_lost():
    log_p = normalised(np.array([-800.0, -np.inf, -790.0, 0.0]))
    ours, expected = best_of_levels(log_p, 3), best_of(log_p, np.arange(4.0), 3)
    np.testing.assert_allclose(ours[[0, 3]], expected[[0, 3]])
    assert ours[1] == -np.inf


@given(worlds(), st.integers(1, 4))
def test_the_winner_of_every_tournament(world, count):
    log_p, reward = world
    found = best_of(log_p, reward, count)
    np.testing.assert_allclose(np.exp(found), tournament(np.exp(log_p), reward, count), atol=1e-14)
    tensor = best_of(torch.from_numpy(log_p), torch.from_numpy(reward), count)
    np.testing.assert_allclose(tensor.numpy(), found, rtol=1e-12, atol=1e-12)


@given(worlds(), st.integers(1, 64))
def test_it_never_costs_more_than_the_bound(world, count):
    log_p, reward = world
    found = best_of(log_p, reward, count)
    assert np.array_equal(np.isneginf(found), np.isneginf(log_p))
    assert np.exp(found).sum() == pytest.approx(1.0, abs=1e-12)
    assert kl(found, log_p) <= np.log(count) - (count - 1) / count + 1e-12


def test_one_draw_is_the_base_law_and_the_dtype_stays():
    log_p = torch.log(torch.tensor([[0.5, 0.3, 0.2]], dtype=torch.float32))
    found = best_of(log_p, torch.tensor([[1.0, 0.0, 2.0]]), 1)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, log_p)


def test_a_rare_winner_keeps_its_relative_accuracy():
    log_p = np.array([np.log1p(-1e-12), np.log(1e-12)])
    assert best_of(log_p, np.array([0.0, 1.0]), 4)[1] == pytest.approx(np.log(4e-12), abs=1e-11)
    assert best_of(np.array([0.0, -900.0]), np.array([0.0, 1.0]), 4)[1] == pytest.approx(np.log(4) - 900, abs=1e-11)
    assert best_of(np.array([0.0, -900.0]), np.array([1.0, 0.0]), 4)[1] == pytest.approx(-3600, abs=1e-11)


@pytest.mark.parametrize("count", [0, -1, 2.5])
def test_a_bad_count_is_named(count):
    with pytest.raises(ValueError, match="best-of-K's K"):
        best_of(np.log([0.5, 0.5]), np.zeros(2), count)


def test_bad_rows_are_named():
    with pytest.raises(ValueError, match="log_p"):
        best_of(np.array([np.nan, 0.0]), np.zeros(2), 2)
    with pytest.raises(ValueError, match="reward contains NaN"):
        best_of(np.log([0.5, 0.5]), np.array([np.nan, 0.0]), 2)


def test_a_reward_without_axes_is_named():
    with pytest.raises(ValueError, match=r"^reward needs 1 or more axes"):
        best_of(np.log([0.5, 0.5]), np.array(0.0), 2)
