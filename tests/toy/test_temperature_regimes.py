import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from tests.toy.promised import columns_of
from theory.adaptors import temperature
from theory.arrays import expectation
from theory.covariance import covariance
from theory.language_models import adapted
from toy.reward_trees import random_worlds
from toy.temperature_regimes import (
    CORRELATIONS,
    REGIMES,
    STRENGTHS,
    TEMPERATURES,
    curves,
    regime,
    response,
    search,
    share,
    shares,
)


@given(st.integers(0, 2**32 - 1), st.floats(0.3, 3))
@settings(max_examples=30)
def test_response_is_that_of_the_global_adaptor_and_its_derivative(seed, heat):
    world = random_worlds(np.random.default_rng(seed), 5)
    found = response(world, heat)
    laws = [adapted(world.aligned, temperature(1 / (1 / heat + step))).log_global for step in (-1e-4, 0, 1e-4)]
    for side, mean, slope in ((world.x, found.x, found.slope_x), (world.r, found.r, found.slope_r)):
        below, at, above = (np.asarray(expectation(law, side)) for law in laws)
        np.testing.assert_allclose(mean, at, atol=1e-11)  # sums of logarithms below 100
        np.testing.assert_allclose(slope, (above - below) / 2e-4, atol=1e-4)  # 1e-8 times a third derivative


@given(st.floats(0.01, 5), st.floats(0.01, 5), st.floats(-0.99, 0.99))
def test_regimes_are_those_of_the_criterion(vx, vr, rho):
    c = rho * np.sqrt(vx * vr)
    expected = "trade" if -vx < c < -vr else "reverse" if -vr < c < -vx else "both fall"
    assert REGIMES[int(regime(np.array(vx + c), np.array(vr + c)))] == expected


@pytest.mark.parametrize("wanted", range(3))
def test_search_returns_the_first_world_that_fits(wanted):
    world, number = search(3, wanted)
    assert world.reward.ndim == 1
    assert all(regime(*response(world, heat)[2:]) == wanted for heat in TEMPERATURES)
    assert search(3, wanted, most=number + 1)[1] == number
    for most in (0, number):
        with pytest.raises(ValueError, match=f"no world of the first {most} stays in the regime"):
            search(3, wanted, most=most)


def test_curves_move_as_their_regime_says():
    for name, rows in curves(5).groupby("regime"):
        assert rows["temperature"].tolist() == list(TEMPERATURES)
        x, r = np.sign(np.diff(rows["log_prior"])), np.sign(np.diff(rows["reward"]))
        assert set(zip(x, r, strict=True)) == {{"trade": (-1, 1), "reverse": (1, -1), "both fall": (-1, -1)}[name]}


def test_shares_add_up_and_their_limits_enclose_them():
    table = shares(0, 60)
    assert list(table) == columns_of("toy_adaptors_shares")
    assert len(table) == len(CORRELATIONS) * len(STRENGTHS) * len(REGIMES)
    # Three multiples of 1/60.
    np.testing.assert_allclose(table.groupby(["kind", "strength"])["share"].sum(), 1, atol=1e-12)
    assert ((table["low"] <= table["share"]) & (table["share"] <= table["high"])).all()
    again = shares(0, 60)
    assert table.equals(again)
    assert not table.equals(shares(1, 60))


@pytest.mark.parametrize("kind", range(len(CORRELATIONS)))
@pytest.mark.parametrize("place", [0, len(STRENGTHS) - 1])
def test_a_share_is_of_worlds_of_its_kind_and_strength(kind, place):
    name, rho = list(CORRELATIONS.items())[kind]
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([4, 2, kind, place])))
    world = random_worlds(rng, 60, strength=STRENGTHS[place], correlation=rho)
    parts = covariance(world.aligned.log_prob, world.x, world.r)
    trade = np.mean((parts.xr < -parts.r) & (parts.xr > -parts.x))
    table = shares(4, 60).set_index(["kind", "strength", "regime"])["share"]
    assert table[name, STRENGTHS[place], "trade"] == trade


@pytest.mark.parametrize(("hits", "of"), [(0, 7), (7, 7), (3, 7), (900, 2000)])
def test_limits_are_those_of_clopper_and_pearson(hits, of):
    oracle = binomtest(hits, of).proportion_ci(0.95, "exact")
    assert share(hits, of) == pytest.approx((hits / of, oracle.low, oracle.high), abs=1e-10)


@pytest.mark.parametrize("heat", [0, -1, np.inf, np.nan])
def test_temperature_must_be_a_positive_number(heat):
    with pytest.raises(ValueError, match="temperature T must be a positive number"):
        response(random_worlds(np.random.default_rng(0), 1), heat)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: regime(np.array([np.nan]), np.array([1.0])), "^a slope is NaN"),
        (lambda: regime(np.array([1.0]), np.array([np.nan])), "^a slope is NaN"),
        (lambda: search(0, 3), r"one of 0..2, not 3"),
        (lambda: search(0, -1), r"one of 0..2, not -1"),
        (lambda: share(0, 0), "not 0 of 0"),
        (lambda: share(-1, 2), "not -1 of 2"),
        (lambda: share(3, 2), "not 3 of 2"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
