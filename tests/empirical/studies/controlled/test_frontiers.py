"""Curves compared at equal KL: against curves whose gains are known, and intervals against their coverage."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empirical.intervals import resampled
from empirical.measured import interval
from empirical.studies.controlled.frontiers import (
    LEAST_KL,
    PLACES,
    Curve,
    compare,
    shared_places,
    slope,
    trend,
)
from tests.statistical.p_values import binomial
from tests.statistical.randomised import Randomised

ONCE = np.ones((1, 4))


def curve(kl, gain, prompts=4):
    kl, gain = (np.repeat(np.asarray(one, float)[:, None], prompts, axis=1) for one in (kl, gain))
    return Curve(kl, gain)


def root(scale, kl):
    return curve(kl, scale * np.sqrt(kl))


@given(
    st.lists(st.floats(0.3, 9), min_size=1, max_size=6, unique=True),
    st.lists(st.floats(0.3, 9), min_size=1, max_size=6, unique=True),
    st.floats(0.1, 3),
)
def test_square_roots_are_read_exactly_wherever_their_points_lie(mine, theirs, scale):
    """gain = c sqrt(KL) is a straight line of the reading, whatever the knobs and their order."""
    found = compare(root(scale, mine), root(1.0, theirs), ONCE)
    low, high = max(min(mine), min(theirs)), min(max(mine), max(theirs))
    if low > high:
        assert np.isnan(found.difference).all()
        assert np.isnan(found.ratio).all()
        return
    # Rounding of a square root and an interpolation.
    np.testing.assert_allclose(found.ratio, scale, rtol=1e-12)
    np.testing.assert_allclose(found.difference, (scale - 1) * np.sqrt(found.places).mean(), atol=1e-12)
    assert found.places[0] == pytest.approx(low)
    assert found.places[-1] == pytest.approx(high)


def test_equal_curves_differ_nowhere_and_comparing_is_antisymmetric():
    a, b = curve([0, 0.5, 2, 6], [0, 0.2, 0.5, 0.6]), curve([0, 0.3, 4], [0, 0.1, 0.9])
    assert compare(a, a, ONCE).difference.tolist() == [0, 0]
    np.testing.assert_allclose(compare(a, b, ONCE).difference, -compare(b, a, ONCE).difference)
    np.testing.assert_allclose(compare(a, b, ONCE).ratio, 1 / compare(b, a, ONCE).ratio)


def test_the_base_itself_is_no_point_and_the_best_of_several_counts():
    a = curve([0, 1, 4], [0, 0.3, 0.4])
    np.testing.assert_array_equal(a.at(np.array([2.0]), ONCE), curve([1, 4], [0.3, 0.4]).at(np.array([2.0]), ONCE))
    low, high = curve([1, 4], [0.1, 0.8]), curve([1, 4], [0.5, 0.2])
    both = compare(a, [low, high], ONCE)
    np.testing.assert_array_equal(both.theirs, np.maximum(compare(a, low, ONCE).theirs, compare(a, high, ONCE).theirs))
    assert np.isnan(curve([0], [0]).reach).all()
    assert len(shared_places([a, curve([0], [0])])) == 0


def test_places_keep_to_the_range_looked_at():
    places = shared_places([root(1, [0.01, 50]), root(1, [0.001, 30])])
    assert len(places) == PLACES
    assert (places[0], places[-1]) == (LEAST_KL, 10.0)


def test_prompts_are_weighed_by_how_often_they_are_drawn():
    rng = np.random.default_rng(0)
    mine = Curve(rng.uniform(1, 3, (5, 6)), rng.normal(1, 1, (5, 6)))
    counts = resampled(rng, 6, 3)
    places = np.array([1.8, 2.2])
    for row, count in zip(mine.at(places, counts), counts, strict=True):
        chosen = np.repeat(np.arange(6), count.astype(int))
        again = Curve(mine.kl[:, chosen], mine.gain[:, chosen])
        np.testing.assert_allclose(row, again.at(places, np.ones((1, 6)))[0])


def test_upper_half_and_trend():
    crossing = compare(curve([1, 9], [0.2, 1.8]), curve([1, 9], [1.0, 1.0]), ONCE)
    assert crossing.upper.difference[0] > crossing.difference[0]
    curves = [root(c, [0.5, 2, 8]) for c in (1.0, 1.5, 2.0)]
    places = shared_places(curves)
    np.testing.assert_allclose(trend(curves, [2, 3, 4], ONCE), 0.5 * np.sqrt(places).mean())
    assert np.isnan(trend([curves[0], curve([20], [1])], [0, 1], ONCE)).all()
    assert slope(np.array([[1.0, 2], [2, 4]]), [0, 1]).tolist() == [1, 2]


def test_no_ratio_to_a_curve_that_gains_nothing():
    found = compare(root(1, [1, 4]), root(-1, [1, 4]), ONCE)
    assert np.isnan(found.ratio).all()
    assert np.isnan(interval(found.ratio)).all()
    assert interval(np.array([1.0] * 99 + [np.nan])) == (1.0, 1.0), "few lost"
    assert np.isnan(interval(np.array([1.0] * 95 + [np.nan] * 5))).all(), "too many lost"


def test_curves_must_be_points_by_prompts():
    with pytest.raises(ValueError, match="points, prompts"):
        Curve(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="points, prompts"):
        Curve(np.ones((3, 2)), np.ones((2, 2)))


def covered(rng, ends=interval):
    """How many of 400 intervals cover the true difference of two noisy square-root curves, known in closed form.

    The curves share their prompts' levels.
    """
    held, kl = 0, np.array([0.4, 1, 2, 4])
    for _ in range(400):
        level = rng.normal(size=30)
        noisy = []
        for scale in (1.2, 1.0):
            gain = scale * np.sqrt(kl)[:, None] + level + 0.3 * rng.normal(size=(4, 30))
            noisy.append(Curve(kl[:, None] * rng.uniform(0.9, 1.1, (4, 30)), gain))
        found = compare(*noisy, resampled(rng, 30, 200))
        low, high = ends(found.difference[1:])
        held += low <= 0.2 * np.sqrt(found.places).mean() <= high
    return held


COVERAGE = Randomised(
    __name__,
    "the interval covers the true difference",
    draw=covered,
    judge=lambda held: binomial(held, 400, 0.88, 1),  # percentile intervals of 30 clusters lose some points of 95 %
    planted={"the middle half of the resamples": lambda rng: covered(rng, partial(np.quantile, q=[0.25, 0.75]))},
    sample="400 intervals cover in 88 % or more, exact binomial",
    trials=400,
)


def test_the_interval_covers_the_true_difference():
    COVERAGE.hold()
