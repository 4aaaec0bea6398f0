import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from theory.arrays import expectation, logsumexp, normalised, shaped, validated, with_axes

INF = float("inf")
LOG_WEIGHTS = st.lists(st.one_of(st.floats(-800, 800), st.just(-INF)), min_size=1, max_size=8).map(np.array)


def with_mass(row: np.ndarray) -> np.ndarray:
    return np.where(np.isneginf(row).all(), 0.0, row)


@given(LOG_WEIGHTS)
def test_logsumexp_agrees_with_scipy(row):
    # Both add at most 8 terms of relative error 1e-16 each.
    assert logsumexp(row) == pytest.approx(scipy.special.logsumexp(row), rel=1e-14, abs=1e-14)
    assert logsumexp(row, keepdims=True).shape == (1,)


@given(LOG_WEIGHTS.map(with_mass), st.floats(-100, 100))
def test_normalised_sums_to_one_and_ignores_a_constant(row, constant):
    log_p = normalised(row)
    assert np.exp(log_p).sum() == pytest.approx(1.0, abs=1e-12)
    # Adding the constant rounds each weight of up to 900 nats by 1e-13.
    np.testing.assert_allclose(np.exp(normalised(row + constant)), np.exp(log_p), atol=1e-12)


def test_a_row_without_mass_sums_to_minus_infinity():
    assert logsumexp(np.array([[-INF, -INF], [0.0, -INF]])).tolist() == [-INF, 0.0]


def test_tiny_probabilities_are_kept():
    log_p = normalised(np.log([1.0, 1e-300]))
    assert log_p[1] == pytest.approx(-300 * np.log(10), rel=1e-15)


@given(LOG_WEIGHTS.map(with_mass), st.sampled_from([INF, -INF, 1e300, np.nan]))
def test_expectation_ignores_values_of_impossible_tokens(row, value):
    log_p = normalised(row)
    values = np.where(np.isneginf(row), value, np.arange(row.size, dtype=float))
    assert expectation(log_p, values) == pytest.approx(np.exp(log_p) @ np.arange(row.size), abs=1e-12)


def test_expectation_sees_an_infinite_value_behind_an_underflowing_mass():
    assert expectation(np.array([0.0, -1000.0]), np.array([1.0, -INF])) == -INF


def test_validated_returns_its_argument():
    log_p = np.log([0.5, 0.5])
    assert validated(log_p) is log_p


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        ([0.0, np.nan], "NaN"),
        ([0.0, INF], r"\+inf"),
        ([[0.0, 0.0], [-INF, -INF]], "no token is allowed"),
    ],
)
def test_validated_names_the_fault(bad, word):
    with pytest.raises(ValueError, match=f"reward.*{word}"):
        validated(np.array(bad), "reward")


def test_validated_refuses_integers():
    with pytest.raises(ValueError, match=r"^log_p must hold floating-point log-probabilities, not int64"):
        validated(np.array([0, 1]))


def test_too_few_axes_are_named():
    with pytest.raises(ValueError, match=r"^pairs needs 2 or more axes, not the shape \(3,\)\.$"):
        with_axes(np.zeros(3), 2, "pairs")
    with pytest.raises(ValueError, match=r"^log_p needs 1 or more axes, not the shape \(\)\.$"):
        validated(np.array(0.0))
    kept = np.zeros((3, 3))
    assert with_axes(kept, 2, "pairs") is kept


def test_another_shape_is_named():
    kept = np.zeros((3, 2))
    for shape in ((3, 2), (None, 2), (3, None), (None, None)):
        assert shaped(kept, shape, "pairs") is kept
    for shape, said in (((2, 2), "2, 2"), ((None, 3), r"\*, 3"), ((3,), "3"), ((3, 2, None), r"3, 2, \*")):
        with pytest.raises(ValueError, match=rf"^pairs must have the shape \[{said}\], not \[3, 2\]\.$"):
            shaped(kept, shape, "pairs")
