"""Preferences and the losses of one pair, against plain formulas and central differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.preferences import (
    bradley_terry,
    by_reward,
    dpo_loss,
    dpo_slope,
    independent,
    ipo_loss,
    ipo_slope,
    positive,
)

REWARDS = st.lists(st.sampled_from([-1.0, 0.0, 2.0]) | st.floats(-3, 3), min_size=1, max_size=5).map(np.array)
MARGINS, CHANCES, STRENGTHS = st.floats(-5, 5), st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1), st.floats(0.1, 3)


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
