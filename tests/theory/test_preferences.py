"""Preferences and the losses of one pair, against plain formulas, central differences and SciPy's graphs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components, shortest_path

from theory.preferences import (
    bradley_terry,
    by_reward,
    complementary,
    components,
    dpo_loss,
    dpo_slope,
    independent,
    ipo_loss,
    ipo_slope,
    margins,
    positive,
    reachable,
    symmetric,
)

REWARDS = st.lists(st.sampled_from([-1.0, 0.0, 2.0]) | st.floats(-3, 3), min_size=1, max_size=5).map(np.array)
MARGINS, CHANCES, STRENGTHS = st.floats(-5, 5), st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1), st.floats(0.1, 3)


@st.composite
def graphs(draw):
    """Batches [2, M, M] of arcs, from none to all."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 7))
    return rng.random((2, size, size)) < draw(st.sampled_from([0.0, 0.15, 0.3, 1.0]))


@given(REWARDS)
def test_preferences_one_pair_at_a_time(reward):
    smooth, sure = bradley_terry(reward), by_reward(reward)
    for i, a in enumerate(reward):
        for j, b in enumerate(reward):
            assert smooth[i, j] == pytest.approx(1 / (1 + math.exp(b - a)), abs=1e-15)
            assert sure[i, j] == (1.0 if a > b else 0.5 if a == b else 0.0)


def test_batches_keep_their_rows_apart():
    reward = np.arange(6.0).reshape(2, 3) ** 2
    for make in (bradley_terry, by_reward):
        np.testing.assert_array_equal(make(reward), np.stack([make(row) for row in reward]))
    log_mu = np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    np.testing.assert_allclose(independent(log_mu)[1], np.outer([0.1, 0.1, 0.8], [0.1, 0.1, 0.8]), rtol=1e-14)


@given(MARGINS, CHANCES, STRENGTHS)
def test_losses_by_their_formulas(margin, chance, strength):
    dpo = -chance * math.log(1 / (1 + math.exp(-strength * margin)))
    dpo -= (1 - chance) * math.log(1 / (1 + math.exp(strength * margin)))
    assert float(dpo_loss(np.array(margin), np.array(chance), strength)) == pytest.approx(dpo, abs=1e-12)
    ipo = chance * (margin - 0.5 / strength) ** 2 + (1 - chance) * (-margin - 0.5 / strength) ** 2
    assert float(ipo_loss(np.array(margin), np.array(chance), strength)) == pytest.approx(ipo, abs=1e-12)


@pytest.mark.parametrize(("loss", "slope"), [(dpo_loss, dpo_slope), (ipo_loss, ipo_slope)])
@given(MARGINS, CHANCES, STRENGTHS)
def test_slopes_are_derivatives(loss, slope, margin, chance, strength):
    h = 1e-5
    high, low = (loss(np.array(margin + side * h), np.array(chance), strength) for side in (1, -1))
    # Central differences: h² times a third derivative below 10, and rounding of 1e-14 over h.
    assert float(slope(np.array(margin), np.array(chance), strength)) == pytest.approx((high - low) / (2 * h), abs=1e-8)


def test_losses_do_not_overflow():
    assert float(dpo_loss(np.array(-1e4), np.array(1.0), 1.0)) == 1e4
    assert float(dpo_loss(np.array(1e4), np.array(1.0), 1.0)) == 0
    assert float(dpo_slope(np.array(-1e4), np.array(1.0), 2.0)) == -2


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.inf, np.nan])
def test_bad_strengths_are_named(wrong):
    with pytest.raises(ValueError, match=r"^gamma must be a positive number, not "):
        positive(wrong, "gamma")
    for rule, name in ((dpo_loss, "beta"), (dpo_slope, "beta"), (ipo_loss, "tau"), (ipo_slope, "tau")):
        with pytest.raises(ValueError, match=f"^{name} must be"):
            rule(np.zeros(2), np.ones(2), wrong)


def test_a_good_strength_comes_back():
    assert positive(0.5, "gamma") == 0.5


@pytest.mark.parametrize("make", [bradley_terry, by_reward])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_rewards_must_be_finite(make, wrong):
    with pytest.raises(ValueError, match=r"^reward must be finite"):
        make(np.array([0.0, wrong]))


def test_the_comparison_law_must_be_a_law():
    with pytest.raises(ValueError, match="log_mu contains NaN"):
        independent(np.array([0.0, np.nan]))


def test_margins_are_differences_of_row_and_column():
    h = np.array([[0.0, 3.0], [5.0, 1.0]])
    assert margins(h).tolist() == [[[0.0, -3.0], [3.0, 0.0]], [[0.0, 4.0], [-4.0, 0.0]]]


@given(graphs())
def test_reachable_is_where_a_shortest_path_is_finite(arcs):
    exact = [np.isfinite(shortest_path(one, unweighted=True)) for one in arcs.astype(float)]
    np.testing.assert_array_equal(reachable(arcs), exact)


def test_graphs_come_in_any_batch():
    arcs = np.random.default_rng(0).random((2, 3, 9, 9)) < 0.1
    np.testing.assert_array_equal(reachable(arcs), [[reachable(one) for one in row] for row in arcs])
    chains = np.broadcast_to(np.eye(9, k=1) > 0, (1, 2, 9, 9))
    np.testing.assert_array_equal(reachable(chains), np.broadcast_to(np.triu(np.ones((9, 9))) > 0, (1, 2, 9, 9)))


@given(graphs())
def test_components_are_those_of_the_graph(arcs):
    pairs = (arcs | np.swapaxes(arcs, -1, -2)) * 1e-3  # however light a pair, it is compared
    labels = np.array([connected_components(one, directed=False)[1] for one in pairs])
    np.testing.assert_array_equal(components(pairs), labels[:, :, None] == labels[:, None, :])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 9, 10, 17, 18, 33])
def test_a_long_chain_is_gone_through_in_its_direction(size):
    chain = np.eye(size, k=1)
    np.testing.assert_array_equal(reachable(chain > 0), np.triu(np.ones((size, size))) > 0)
    assert components(chain + chain.T).all()
    assert components(np.zeros((size, size))).sum() == size


@given(graphs(), st.integers(0, 2**32 - 1))
def test_what_is_complementary_or_symmetric_comes_back(arcs, seed):
    smooth = np.random.default_rng(seed).random(arcs.shape)
    for some in (arcs.astype(float), smooth):
        above = np.triu(some, 1)
        below = np.swapaxes(above, -1, -2)
        pairs = above + below
        assert symmetric(pairs) is pairs
        preference = above + np.tril(1 - below, -1) + np.eye(arcs.shape[-1]) / 2
        assert complementary(preference) is preference


@pytest.mark.parametrize(
    "wrong",
    [
        [[0.5, 0.7], [0.4, 0.5]],
        [[0.5, 0.7], [0.3 + 1e-8, 0.5]],
        [[0.4, 0.7], [0.3, 0.4]],
        [[0.5, 1.2], [-0.2, 0.5]],
        [[0.5, np.nan], [0.3, 0.5]],
        [[1.5, 1.5], [1.5, 1.5]],
    ],
)
def test_what_is_no_preference_is_named(wrong):
    good = np.full((2, 2), 0.5)
    for preference in (np.array(wrong), np.array([good, wrong])):
        with pytest.raises(ValueError, match=r"^preference must hold P\(y, y'\) = 1 - P\(y', y\), both in \[0, 1\]\.$"):
            complementary(preference)


@pytest.mark.parametrize(
    "wrong",
    [
        [[0.5, 0.7], [0.3, 0.5]],
        [[0.5, 0.3 + 1e-11], [0.3, 0.5]],
        [[0.5, -0.1], [-0.1, 0.5]],
        [[0.5, np.nan], [0.3, 0.5]],
    ],
)
def test_what_is_no_comparison_law_is_named(wrong):
    for pairs in (np.array(wrong), np.array([np.ones((2, 2)), wrong])):
        with pytest.raises(ValueError, match=r"^pairs must hold weights w\(y, y'\) = w\(y', y\) >= 0\.$"):
            symmetric(pairs)


def test_rounding_is_forgiven():
    preference = np.array([[0.5, 0.7 + 5e-10], [0.3, 0.5]])
    assert complementary(preference) is preference
    pairs = np.array([[0.5, 0.3 + 5e-13], [0.3, 0.5]])
    assert symmetric(pairs) is pairs


def test_shapes_that_are_none_are_named():
    with pytest.raises(ValueError, match=r"^log_ratio needs 1 or more axes"):
        margins(np.array(0.0))
    with pytest.raises(ValueError, match=r"^log_mu needs 1 or more axes"):
        independent(np.array(0.0))
    with pytest.raises(ValueError, match=r"^a table of pairs needs 2 or more axes"):
        components(np.zeros(3))
    with pytest.raises(ValueError, match=r"^a table of pairs has as many rows as columns, not the shape \(2, 3\)\.$"):
        components(np.zeros((2, 3)))


def test_ipo_refuses_an_aim_whose_square_overflows():
    with pytest.raises(ValueError, match=r"^tau must be at least 1e-150, not 9e-151: the square"):
        ipo_loss(np.zeros(1), np.zeros(1), 9e-151)
    assert np.isfinite(ipo_loss(np.zeros(1), np.zeros(1), 1e-150)).all()
