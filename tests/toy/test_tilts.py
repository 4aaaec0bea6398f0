"""Tilts against enumeration, SciPy's own optimiser, and Cramer's theorem."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize

from theory.arrays import normalised
from theory.information import kl
from toy.tilts import moments, tilted_to

SEEDS = st.integers(0, 2**32 - 1)


def world(seed, objects=7, statistics=2):
    rng = np.random.default_rng(seed)
    return normalised(rng.normal(size=objects)), rng.normal(size=(statistics, objects)), rng


@given(SEEDS)
def test_a_tilt_is_found_again_from_its_means(seed):
    log_p, statistics, rng = world(seed)
    theta = rng.normal(size=(5, 2))
    log_q = normalised(log_p + theta @ statistics)
    found = tilted_to(log_p, statistics, np.exp(log_q) @ statistics.T)
    # Newton ends at means within 1e-10 deviations; theta errs by that over the least variance.
    np.testing.assert_allclose(found.theta, theta, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.rate, kl(log_q, log_p), atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_a_tilt_does_not_depend_on_the_units(seed):
    log_p, statistics, rng = world(seed)
    means, units = statistics @ rng.dirichlet(np.ones(7), size=4)[..., None], np.array([1e-7, 1e6])
    plain, found = (tilted_to(log_p, unit[:, None] * statistics, unit * means[..., 0]) for unit in (np.ones(2), units))
    # Both end within 1e-10 deviations of the means, by steps that round differently.
    np.testing.assert_allclose(found.theta * units, plain.theta, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.rate, plain.rate, atol=1e-9)


@given(SEEDS)
@settings(max_examples=20)
def test_no_other_law_with_these_means_is_closer(seed):
    log_p, statistics, rng = world(seed, objects=5)
    q = rng.dirichlet(np.ones(5))
    goal = statistics @ q
    constraints = [{"type": "eq", "fun": lambda law: np.append(statistics @ law - goal, law.sum() - 1)}]

    def divergence(law):
        law = np.maximum(law, 1e-300)
        return law @ (np.log(law) - log_p)

    found = minimize(divergence, q, bounds=[(0, 1)] * 5, constraints=constraints, tol=1e-12, options={"maxiter": 500})
    rate = tilted_to(log_p, statistics, goal[None]).rate[0]
    assert rate <= divergence(q) + 1e-9
    if found.success:
        assert rate == pytest.approx(found.fun, abs=1e-5)  # SLSQP's own accuracy


@given(SEEDS)
def test_moments_are_derivatives_of_the_log_normaliser(seed):
    log_p, statistics, rng = world(seed)
    theta, h = rng.normal(size=(1, 2)), 1e-5
    _, mean, covariance = moments(log_p, statistics, theta)
    for i, unit in enumerate(np.eye(2) * h):
        (high, high_mean, _), (low, low_mean, _) = (moments(log_p, statistics, theta + s * unit) for s in (1, -1))
        np.testing.assert_allclose((high - low) / (2 * h), mean[:, i], atol=1e-7)
        np.testing.assert_allclose((high_mean - low_mean) / (2 * h), covariance[:, i], atol=1e-7)


def test_the_rate_is_cramers_for_a_coin():
    """P(at least 3/4 heads in N throws) = e^(-N I) up to a power of N."""
    rate = tilted_to(np.log([0.5, 0.5]), np.array([[0.0, 1.0]]), np.array([[0.75]])).rate[0]
    for size in (1_000, 10_000):
        exact = np.logaddexp.reduce(stats.binom.logpmf(np.arange(3 * size // 4, size + 1), size, 0.5))
        assert -3 * np.log(size) < exact + size * rate <= 0


def test_at_the_hull_the_rate_is_that_of_the_corner_and_beyond_it_infinite():
    found = tilted_to(np.log([0.5, 0.25, 0.25]), np.array([[0.0, 1.0, 2.0]]), np.array([[2.0], [3.0], [-1.0], [0.75]]))
    assert found.rate[0] == pytest.approx(np.log(4), abs=1e-8)  # all strings are the last one
    assert np.isinf(found.rate[1:3]).all()
    assert np.isnan(found.theta[1:3]).all()
    assert found.rate[3] == pytest.approx(0, abs=1e-12)
    assert found.theta[3] == pytest.approx(0, abs=1e-8)


def test_statistics_that_nearly_agree_have_their_tilts_too():
    """A correlation of .99999 asks for a theta of some hundred deviations, in the one direction that is left."""
    log_p, wanted = np.log([0.5, 0.3, 0.2]), np.log([0.2, 0.3, 0.5])
    statistics = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.003]])
    found = tilted_to(log_p, statistics, (statistics @ np.exp(wanted))[None])
    # Three probabilities are fixed by their sum and two means.
    assert found.rate[0] == pytest.approx(float(kl(wanted, log_p)), abs=1e-9)
    np.testing.assert_allclose(normalised(log_p + found.theta @ statistics)[0], wanted, atol=1e-6)


def test_bad_statistics_are_named():
    log_p = np.log([0.5, 0.3, 0.2])
    with pytest.raises(ValueError, match=r"^a tilt by an infinite"):
        tilted_to(log_p, np.array([[0.0, 1.0, np.inf]]), np.zeros((1, 1)))
    with pytest.raises(ValueError, match=r"^a statistic is constant"):
        tilted_to(log_p, np.ones((1, 3)), np.zeros((1, 1)))
    line = np.array([[0.0, 1.0, 5.0], [1.0, 3.0, 11.0]])
    with pytest.raises(ValueError, match="fixed by the others"):
        tilted_to(log_p, line, np.zeros((1, 2)))
    with pytest.raises(ValueError, match="NaN"):
        tilted_to(np.array([np.nan, 0.0, 0.0]), line, np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            lambda: moments(np.log([0.5, 0.5]), np.ones(2), np.ones((1, 1))),
            r"^statistics must have the shape \[\*, 2\]",
        ),
        (
            lambda: moments(np.log([0.5, 0.5]), np.ones((1, 2)), np.ones((1, 2))),
            r"^theta must have the shape \[\*, 1\]",
        ),
        (lambda: tilted_to(np.log([[0.5, 0.5]]), np.ones((1, 2)), np.ones((1, 1))), "^log_p must have the shape"),
        (lambda: tilted_to(np.log([0.5, 0.5]), np.array([[0.0, 1.0]]), np.ones(1)), "^means must have the shape"),
        (
            lambda: tilted_to(np.log([0.5, 0.5]), np.array([[0.0, 1.0]]), np.array([[np.nan]])),
            "^the means that a tilt shall have contain NaN",
        ),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
