"""Slopes of reward on V against statsmodels, an exact scorer's loss and slope, and a scorer that spreads too far."""

import copy

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from empirical.prefix_calibration import by_position, measured, slopes
from empirical.prefix_targets import Method
from tests.empirical.prefix_world import world
from tests.empirical.test_prefix_targets import solved
from tests.statistical.p_values import binomial
from tests.statistical.randomised import Randomised


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(-1e3, 1e3))
def test_a_resample_is_a_regression_in_which_prompts_count_as_often_as_drawn(seed, shift):
    rng = np.random.default_rng(seed)
    value, reward = rng.standard_normal((2, 30)) + shift
    cluster = rng.integers(0, 4, 30)
    counts = np.array([[1.0, 1, 1, 1], [0, 2, 1, 1], [3, 0, 0, 1]])
    for found, row in zip(slopes(value, reward, cluster, counts), counts, strict=True):
        weights = row[cluster]
        exact = sm.WLS(reward, sm.add_constant(value), weights=weights).fit().params[1]
        # Centred sums of 30; statsmodels works with the shift, whose square loses 1e-16 x 1e6 of a slope about 1.
        assert found == pytest.approx(exact, abs=1e-7)


def test_values_that_do_not_vary_have_no_slope():
    (none,) = slopes(np.full(5, 0.3), np.arange(5.0), np.zeros(5, dtype=int), np.ones((1, 1)))
    assert np.isnan(none)


def test_positions_are_grouped_by_doubling():
    place = np.tile(np.arange(20), 3)
    prompt = np.repeat([4, 7, 9], 20)
    rng = np.random.default_rng(0)
    value = rng.standard_normal(60)
    found = by_position(value, 2 * value, place, prompt)
    assert [(one.first, one.last, one.prefixes) for one in found] == [
        (1, 1, 3), (2, 2, 3), (3, 4, 6), (5, 8, 12), (9, 16, 24), (17, 20, 12),
    ]  # fmt: skip
    for one in found:
        assert one.slope == pytest.approx(2)
        assert one.low == pytest.approx(2)
        assert one.high == pytest.approx(2)
    (alone,) = by_position(value[:1], value[:1], place[:1], prompt[:1])
    assert (alone.slope, alone.low, alone.high) == (None, None, None)
    one_prompt = by_position(value[:20], value[:20], place[:20], prompt[:20])
    assert one_prompt[-1].slope == pytest.approx(1)
    assert one_prompt[-1].low is None


def covered(rng, by_prompt=True):
    """How many of 200 intervals cover the slope, where rewards have an offset of each prompt."""
    held = 0
    for seed in rng.integers(2**31, size=200):
        prompt = np.repeat(np.arange(30), 10)
        value = rng.standard_normal(300) + 2 * rng.standard_normal(30)[prompt]
        reward = value + 2 * rng.standard_normal(30)[prompt] + rng.standard_normal(300)
        cluster = prompt if by_prompt else rng.permutation(prompt)
        (found,) = by_position(value, reward, np.zeros(300, dtype=int), cluster, int(seed))
        held += found.low <= 1 <= found.high
    return held


COVERAGE = Randomised(
    __name__,
    "intervals cover the slope and cluster by prompt",
    draw=covered,
    judge=lambda held: binomial(held, 200, 0.88, 1),  # percentiles of 30 prompts cover about 93 %
    planted={"clusters that are no prompts": lambda rng: covered(rng, by_prompt=False)},
    sample="200 intervals cover in 88 % or more, exact binomial",
    trials=200,
)


def test_intervals_cover_the_slope_and_cluster_by_prompt():
    COVERAGE.hold()


def test_exact_values_are_calibrated_and_spread_ones_are_not(tmp_path):
    """V* on texts in the law's proportions: E[r | V] = V, so slope 1; doubled about its mean, one half."""
    w = world(tmp_path)
    exact = solved(w, Method.Q, w.weights)
    texts = w.drawn(20_000)
    found = measured(exact, texts)["listed"]
    assert 0 < found["share"] < 1
    assert found["loss"] < found["loss_of_mean"]
    assert [(one["first"], one["last"]) for one in found["calibration"]] == [(1, 1), (2, 2)]
    for one in found["calibration"]:
        assert one["slope"] == pytest.approx(1, abs=0.02)  # 31 texts of 20,000 rounded to whole ones, at least one each
        assert one["low"] is None  # one prompt
    wide = copy.deepcopy(exact)
    wide.reward_scale *= 2
    wide.reward_mean += exact.reward_mean  # moves no slope
    for one in measured(wide, texts)["listed"]["calibration"]:
        assert one["slope"] == pytest.approx(0.5, abs=0.01)
    assert measured(wide, texts)["listed"]["loss"] > found["loss"]
