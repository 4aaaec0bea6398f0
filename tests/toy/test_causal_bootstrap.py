"""The causal bootstrap where its answer is known: back-door formula by enumeration, linear confounding."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from tests.statistical.p_values import cells
from tests.statistical.randomised import Randomised
from theory.covariance import Covariance
from toy.causal_bootstrap import (
    backdoor_weights,
    band_labels,
    frequencies,
    indicator_kernel,
    normal_density,
    resample,
    resampling_law,
)

SEEDS = st.integers(0, 2**32 - 1)
OBSERVATIONS = st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=3, max_size=60)


def slope(x, y, law):
    dx = x - law @ x
    return law @ (dx * y) / (law @ dx**2)


@given(OBSERVATIONS)
def test_discrete_weights_are_the_backdoor_formula(observations):
    """p(r | do(x)) = sum_u p(r | x, u) p(u), summed cell by cell; strata without x are missing from it."""
    x, u, r = np.array(observations).T
    weights = backdoor_weights(indicator_kernel(x, 3), frequencies(x, u))
    for value in range(3):
        exact, covered = np.zeros(3), 0.0
        for stratum in set(u.tolist()):
            inside = (x == value) & (u == stratum)
            if inside.any():
                covered += np.mean(u == stratum)
                exact += np.bincount(r[inside], minlength=3) / inside.sum() * np.mean(u == stratum)
        found = np.array([weights[value] @ (r == level) for level in range(3)])
        np.testing.assert_allclose(found, exact, atol=1e-12)  # sums of 60 shares
        assert weights[value].sum() == pytest.approx(covered, abs=1e-12)


def test_pure_confounding_leaves_no_effect():
    """u = x = r three times in four: dependence as drawn, none under do(x)."""
    cells = [(u, x, r, 3 if x == u else 1, 3 if r == u else 1) for u in (0, 1) for x in (0, 1) for r in (0, 1)]
    rows = [row[:3] for row in cells for _ in range(row[3] * row[4])]
    u, x, r = np.array(rows).T
    kernel = indicator_kernel(x, 2)
    causal, ordinary = (backdoor_weights(kernel, density) for density in (frequencies(x, u), np.ones(len(x))))
    effects = [w @ r / w.sum(axis=-1) for w in (causal, ordinary)]
    np.testing.assert_allclose(effects[0], [0.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(effects[1], [0.375, 0.625], atol=1e-12)


@pytest.mark.parametrize("effect", [0.0, 0.8, -0.5])
def test_linear_confounding_is_removed(effect):
    rng = np.random.default_rng(5)
    u, e, other = rng.normal(size=(3, 200_000))
    x = 0.7 * u + e
    y = effect * x + u + other
    edges = np.linspace(-1.8, 1.8, 11)
    kernel = indicator_kernel(np.searchsorted(edges, x) - 1, 10)
    density = normal_density(x, u, (0.0, 0.0), Covariance(*np.array([1.49, 1.0, 0.7])))
    causal = slope(x, y, resampling_law(backdoor_weights(kernel, density)))
    ordinary = slope(x, y, resampling_law(backdoor_weights(kernel, np.ones(len(x)))))
    # A slope over 180,000 points of unit noise and x-deviation 1 errs by .003; weights up to 30 make that .008.
    assert causal == pytest.approx(effect, abs=0.04)
    assert ordinary == pytest.approx(effect + 0.7 / 1.49, abs=0.04)


def test_a_gaussian_kernel_estimates_the_same_effect():
    """At single points, with a kernel that is no indicator: E[y | do(x)] = .5 x."""
    rng = np.random.default_rng(6)
    u, e, other = rng.normal(size=(3, 100_000))
    x = 0.6 * u + e
    points = np.array([-1.0, 0.0, 1.0])
    kernel = stats.norm.pdf(points[:, None] - x, scale=0.2)
    weights = backdoor_weights(kernel, stats.norm.pdf(x - 0.6 * u))
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=0.05)  # 30,000 points at work in each
    np.testing.assert_allclose(weights @ (0.5 * x + 2 * u + other) / weights.sum(axis=-1), 0.5 * points, atol=0.1)


@given(SEEDS)
def test_normal_density_is_scipys_conditional(seed):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(2, 2)) + 2 * np.eye(2)
    matrix, mean = factor @ factor.T, rng.normal(size=2)
    x, u = rng.normal(size=(2, 7))
    assume(np.linalg.det(matrix) > 1e-3)
    joint = stats.multivariate_normal(mean, matrix).pdf(np.stack([x, u], axis=-1))
    exact = joint / stats.norm.pdf(u, mean[1], np.sqrt(matrix[1, 1]))
    parts = Covariance(*np.array([matrix[0, 0], matrix[1, 1], matrix[0, 1]]))
    np.testing.assert_allclose(normal_density(x, u, tuple(mean), parts), exact, rtol=1e-8, atol=1e-300)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=40), st.integers(1, 12))
def test_bands_are_those_of_pandas(values, bands):
    x = np.array(values)
    assume(np.ptp(x) > 1e-3)
    edges = np.linspace(x.min(), x.max(), bands + 1)
    assume(np.abs(x[:, None] - edges[1:-1]).min(initial=1) > 1e-9)  # a value on an edge falls as rounding has it
    labels = band_labels(x, bands)
    np.testing.assert_array_equal(labels, pd.cut(x, bins=bands, labels=False))
    assert labels.dtype == np.int64
    assert indicator_kernel(labels, bands).dtype == np.float64


def resampled_counts(rng, weights=(1.0, 3.0, 0.0)):
    return np.bincount(resample(np.array([weights]), 10_000, rng), minlength=3)


RESAMPLING = Randomised(
    __name__,
    "resampling follows its weights",
    draw=resampled_counts,
    judge=lambda counts: cells(counts, [0.25, 0.75, 0]),
    planted={"roots of the weights": lambda rng: resampled_counts(rng, (1.0, 3.0**0.5, 0.0))},
    sample="10,000 draws of 3, each an exact binomial",
)


def test_resampling_follows_its_law():
    weights = np.array([[1.0, 3.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(resampling_law(weights), [0.125, 0.375, 0.5])
    RESAMPLING.hold()
    drawn = resample(weights, 10_000, np.random.default_rng(0))
    assert (drawn[10_000:] == 2).all()
    assert len(drawn) == 20_000  # the third value of x has no observation
    np.testing.assert_array_equal(resample(weights / 8, 10_000, np.random.default_rng(0)), drawn)  # powers of 2: exact


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="band"):
        band_labels(np.arange(3.0), 0)
    for x in ([], [1.0, 1.0], [1.0, np.nan], [0.0, np.inf], [np.inf, np.inf], [-1e308, 1e308]):
        with pytest.raises(ValueError, match=r"^bands need values over a finite range"):
            band_labels(np.array(x))
    ones = np.ones((1, 2))
    with pytest.raises(ValueError, match=r"^a kernel must"):
        backdoor_weights(-ones, ones[0])
    for endless in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"^a kernel must"):
            backdoor_weights(np.array([[1.0, endless]]), ones[0])
    for density in (0.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"^p\(x_n \| u_n\) must be positive and finite"):
            backdoor_weights(ones, np.array([1.0, density]))
    with pytest.raises(ValueError, match=r"^no observation"):
        resampling_law(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="at least one"):
        resample(ones, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"^the confounder fixes x"):
        normal_density(ones[0], ones[0], (0.0, 0.0), Covariance(*np.array([1.0, 1.0, 1.0])))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: resampling_law(np.array([2.0, 1.0])), r"^weights must have the shape \[\*, \*\], not \[2\]"),
        (lambda: resampling_law(np.array([[2.0, -1.0]])), "^a weight below 0"),
        (lambda: resample(np.array([[1.0, 1.0], [np.nan, 1.0]]), 1, np.random.default_rng(0)), "^no observation has"),
        (lambda: resample(np.zeros((2, 3)), 1, np.random.default_rng(0)), "^no observation has"),
        (lambda: resample(np.zeros(3), 1, np.random.default_rng(0)), "^weights must have the shape"),
        (lambda: frequencies(np.array([0, 1]), np.array([0])), "^strata must have the shape"),
        (lambda: frequencies(np.array([[0, 1]]), np.array([[0, 1]])), "^labels must have the shape"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
