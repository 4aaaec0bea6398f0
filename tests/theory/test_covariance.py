"""Covariance laws against NumPy's own covariances, finite differences and truncated normals."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from theory.arrays import normalised
from theory.covariance import (
    Covariance,
    between_and_within,
    covariance,
    mid_ranks,
    pearson,
    pooled,
    reversal_size,
    reversal_threshold,
    selected,
    tau,
    temperature_response,
    tilted_slope,
    typical_shrinkage,
)
from theory.language_models import log_dirichlet

SEEDS = st.integers(0, 2**32 - 1)
H = 1e-4


def world(seed: int, n: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return log_dirichlet(n, rng, batch=(3,)), *rng.normal(size=(2, 3, n))


@given(SEEDS)
def test_covariance_and_tau_are_numpys(seed: int) -> None:
    log_q, x, r = world(seed)
    parts = covariance(log_q, x, r)
    for i in range(3):
        matrix = np.cov(x[i], r[i], aweights=np.exp(log_q[i]), ddof=0)
        np.testing.assert_allclose([parts.x[i], parts.r[i], parts.xr[i]], [*np.diag(matrix), matrix[0, 1]], atol=1e-12)
        assert parts.correlation[i] == pytest.approx(matrix[0, 1] / math.sqrt(matrix[0, 0] * matrix[1, 1]), abs=1e-9)
    s = covariance(log_q, x + r, x + r).x
    np.testing.assert_allclose(tau(log_q, x, r), s / (parts.x + parts.r), rtol=1e-9)
    assert np.all((tau(log_q, x, r) < 1) == (parts.xr < 0))


def test_a_string_without_mass_does_not_count() -> None:
    log_q = np.array([np.log(0.5), np.log(0.5), -np.inf])
    parts = covariance(log_q, np.array([0.0, 2.0, -np.inf]), np.array([1.0, 0.0, np.nan]))
    assert [float(part) for part in parts] == pytest.approx([1.0, 0.25, -0.5])
    # 0 times infinity: its r may even be the mean.
    parts = covariance(log_q, np.array([0.0, 2.0, -np.inf]), np.array([1.0, 0.0, 0.5]))
    assert [float(part) for part in parts] == pytest.approx([1.0, 0.25, -0.5])


@given(SEEDS, st.integers(1, 50))
def test_pooling_splits_the_covariance_of_the_mixture(seed: int, size: int) -> None:
    laws, x, r = world(seed)
    between, within = between_and_within(laws, x[0], r[0])
    mixture = covariance(np.logaddexp.reduce(laws, axis=0) - math.log(3), x[0], r[0])
    strings = pooled(between, within, 1)
    np.testing.assert_allclose([*strings], [*mixture], atol=1e-12)
    np.testing.assert_allclose(
        [*pooled(between, within, size)], [b + w / size for b, w in zip(between, within, strict=True)], rtol=1e-12
    )
    alone, _ = between_and_within(laws[:1], x[0], r[0])
    np.testing.assert_allclose([*alone], 0, atol=1e-15)


def test_worlds_of_a_batch_do_not_mix() -> None:
    rng = np.random.default_rng(0)
    laws, (x, r) = log_dirichlet(5, rng, batch=(2, 4, 3)), rng.normal(size=(2, 2, 4, 5))
    found = between_and_within(laws, x, r)
    for i in np.ndindex(2, 4):
        for both, alone in zip(found, between_and_within(laws[i], x[i], r[i]), strict=True):
            np.testing.assert_allclose([part[i] for part in both], [*alone], atol=1e-14)
    for i in np.ndindex(2, 4):
        assert pearson(x, r)[i] == pytest.approx(np.corrcoef(x[i], r[i])[0, 1], abs=1e-12)


def test_there_is_no_reversal_on_its_border() -> None:
    found = reversal_size(np.array([0.0, -1.0, -0.1, -2e-311]), np.array([1.0, 1.0, 0.5, 1.0]))
    assert found.tolist() == [math.inf, math.inf, 5.0, math.inf]


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_the_sign_turns_at_the_reversal_size(between: float, within: float) -> None:
    size = float(reversal_size(np.asarray(between), np.asarray(within)))
    if between < 0 < between + within:
        assert size > 1
        assume(size < 1e300)
        assert between + within / (size * (1 - 1e-9)) > 0 > between + within / (size * (1 + 1e-9))
    else:
        assert size == math.inf


@given(SEEDS, st.floats(0.3, 3))
def test_temperature_response_and_slope_are_derivatives(seed: int, g: float) -> None:
    log_p, _, r = world(seed)
    s = log_p + r
    means = [[(np.exp(normalised(power * s)) * side).sum(-1) for side in (log_p, r)] for power in (g - H, g + H)]
    response = temperature_response(normalised(g * s), log_p, r)
    for found, low, high in zip(response, *means, strict=True):
        np.testing.assert_allclose(found, (high - low) / (2 * H), atol=1e-4)
    law = normalised(s)
    assume(np.all(covariance(law, log_p, r).x > 1e-2))
    below, above = (np.exp(normalised(s + side * log_p)) for side in (-H, H))
    numeric = ((above - below) * r).sum(-1) / ((above - below) * log_p).sum(-1)
    np.testing.assert_allclose(tilted_slope(law, log_p, r), numeric, atol=1e-4)


@given(st.floats(0.001, 0.999))
def test_shrinkage_is_that_of_a_truncated_normal(probability: float) -> None:
    c = stats.norm.ppf((1 + probability) / 2)
    z = np.linspace(-c, c, 20001)
    density = stats.norm.pdf(z)
    variance = np.trapezoid(z**2 * density, z) / np.trapezoid(density, z)
    assert float(typical_shrinkage(probability)) == pytest.approx(variance, rel=1e-4, abs=1e-12)
    threshold = float(reversal_threshold(probability))
    assert threshold == pytest.approx((1 - variance) / (1 + variance), abs=1e-4)
    for rho, sign in ((threshold - 1e-3, -1), (threshold + 1e-3, 1)):
        if -1 < rho < 1:
            parts = Covariance(np.asarray(1.0), np.asarray(1.0), np.asarray(rho))
            assert np.sign(selected(parts, typical_shrinkage(probability)).xr) == sign


@given(st.floats(0.1, 3), st.floats(0.1, 3), st.floats(-0.9, 0.9))
def test_selection_has_its_two_limits(x: float, r: float, rho: float) -> None:
    parts = Covariance(np.asarray(x), np.asarray(r), np.asarray(rho * math.sqrt(x * r)))
    np.testing.assert_allclose([*selected(parts, 1.0)], [*parts], atol=1e-15)
    strict = selected(parts, 0.0)  # S is fixed: R = -X
    np.testing.assert_allclose([strict.r, -strict.xr], [strict.x, strict.x], atol=1e-12)


def test_thresholds_of_our_audit() -> None:
    found = reversal_threshold(np.array([0.5, 0.8, 0.9, 0.95, 0.99, 0.999]))
    np.testing.assert_allclose(found, [0.750, 0.391, 0.232, 0.137, 0.039, 0.006], atol=6e-4)
    assert reversal_size(np.asarray(-0.125), np.asarray(2.0)) == 16


def test_bad_input_is_named() -> None:
    part = Covariance(*(np.asarray(1.0),) * 3)
    with pytest.raises(ValueError, match=r"^a corpus has at least one string"):
        pooled(part, part, 0)
    for probability in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match=r"^the probability of the typical set"):
            typical_shrinkage(probability)


@given(st.integers(2, 30), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_mid_ranks_are_scipys_average_ranks_in_every_row(size: int, levels: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, levels, (2, 3, size)).astype(float)
    expected = (stats.rankdata(values, axis=-1) - 0.5) / size  # from 1..n to the middle of n equal shares
    np.testing.assert_allclose(mid_ranks(values, np.full(size, 1 / size)), expected, atol=1e-12)


@given(st.integers(2, 20), st.integers(0, 2**32 - 1))
def test_pearson_is_numpys_on_repeated_points(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y, counts = rng.normal(size=(3, size)), rng.normal(size=(3, size)), rng.integers(1, 5, (3, size))
    law = counts / counts.sum(axis=-1, keepdims=True)
    repeated = [np.corrcoef(np.repeat(a, c), np.repeat(b, c))[0, 1] for a, b, c in zip(x, y, counts, strict=True)]
    np.testing.assert_allclose(pearson(x, y, law), repeated, atol=1e-9)
    ranks = pearson(mid_ranks(x, law), mid_ranks(y, law), law)
    for row in range(3):
        spearman = stats.spearmanr(np.repeat(x[row], counts[row]), np.repeat(y[row], counts[row])).statistic
        assert ranks[row] == pytest.approx(spearman, abs=1e-9)
    np.testing.assert_allclose(pearson(x, y), [np.corrcoef(*pair)[0, 1] for pair in zip(x, y, strict=True)], atol=1e-9)


def test_a_row_without_spread_has_no_correlation() -> None:
    x = np.array([[0.1, 0.1, 0.1], [0.1, 0.2, 0.3], [0.1, np.nan, 0.3]])
    found = pearson(x, np.array([0.0, 1.0, 3.0]))
    assert np.isnan(found).tolist() == [True, False, True]
    assert np.isnan(pearson(x[1], x[1], np.array([1.0, 0.0, 0.0])))
    constants = np.outer([0.0, 1e9 + 0.1, 1e-9], np.ones(7))
    assert np.isnan(pearson(constants, np.arange(7.0))).all()


def test_too_few_axes_are_named() -> None:
    laws, side = np.log(np.full((2, 2), 0.5)), np.zeros(2)
    for wrong, name in (
        ((laws[0], side, side), "log_laws"),
        ((laws, laws[0, 0], side), "x"),
        ((laws, side, laws[0, 0]), "r"),
    ):
        with pytest.raises(ValueError, match=f"^{name} needs . or more axes"):
            between_and_within(*wrong)
