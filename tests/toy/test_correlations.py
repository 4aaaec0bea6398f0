import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from toy.correlations import pearson, spearman

# Multiples of 1/8 make ties common and leave no spread too small for float64 to see.
POINTS = st.integers(3, 40).flatmap(
    lambda n: st.tuples(*[arrays(float, n, elements=st.integers(-80, 80).map(lambda k: k / 8))] * 2)
)
COUNTS = st.integers(3, 12).flatmap(
    lambda n: st.tuples(
        arrays(float, n, elements=st.integers(-9, 9).map(float)),
        arrays(float, n, elements=st.integers(-9, 9).map(float)),
        arrays(int, n, elements=st.integers(0, 5)),
    )
)


def varies(*columns):
    return all(np.ptp(column) > 0 for column in columns)


@settings(max_examples=300, deadline=None)
@given(POINTS)
def test_equal_weights_agree_with_scipy(points):
    x, y = points
    assume(varies(x, y))
    # 1e-12: both are ratios of sums of 40 terms.
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-12)
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(POINTS, st.integers(0, 2**32 - 1))
def test_weighted_pearson_agrees_with_statsmodels(points, seed):
    x, y = points
    assume(varies(x, y))
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(x)))
    oracle = DescrStatsW(np.stack([x, y], axis=-1), weights=weights).corrcoef[0, 1]
    assume(np.isfinite(oracle))
    # 1e-8: all the weight may sit on nearly equal points, which costs half the digits.
    assert pearson(x, y, weights) == pytest.approx(oracle, abs=1e-8)


@settings(max_examples=300, deadline=None)
@given(COUNTS)
def test_integer_weights_are_repetitions(case):
    x, y, counts = case
    repeated = np.repeat(x, counts), np.repeat(y, counts)
    assume(len(repeated[0]) > 1 and varies(*repeated))
    assert pearson(x, y, counts.astype(float)) == pytest.approx(stats.pearsonr(*repeated).statistic, abs=1e-12)
    assert spearman(x, y, counts.astype(float)) == pytest.approx(stats.spearmanr(*repeated).statistic, abs=1e-12)


def test_weights_can_turn_the_sign():
    x, y = np.array([0.0, 1.0, 0.0, 10.0]), np.array([1.0, 0.0, 1.0, 10.0])
    assert pearson(x, y) > 0.9
    assert pearson(x, y, np.array([1.0, 1.0, 1.0, 0.0])) == pytest.approx(-1)
    assert pearson(x[:2], y[:2]) == pytest.approx(-1)


@pytest.mark.parametrize("measure", [pearson, spearman])
@pytest.mark.parametrize(
    ("x", "weights", "named"),
    [
        ([0.1, 0.1, 0.1], None, "^the correlation is undefined: a variable is constant"),
        ([0.1, 0.2, 0.3], [1.0, 0.0, 0.0], "^the correlation is undefined: a variable is constant"),
        ([0.1, 0.2, 0.3], [1.0, -1.0, 1.0], "^weights must be finite"),
        ([0.1, 0.2, 0.3], [0.0, 0.0, 0.0], "^weights must be finite"),
        ([0.1, 0.2, 0.3], [1.0, np.nan, 1.0], "^weights must be finite"),
        ([0.1], None, "two points"),
    ],
)
def test_undefined_correlations_are_refused(measure, x, weights, named):
    y = np.arange(len(x), dtype=float)
    with pytest.raises(ValueError, match=named):
        measure(np.array(x), y, None if weights is None else np.array(weights))


@pytest.mark.parametrize("measure", [pearson, spearman])
def test_nan_is_refused(measure):
    with pytest.raises(
        ValueError, match=r"^the (rank )?correlation is undefined: a variable .*contains NaN|constant \(or NaN"
    ):
        measure(np.array([0.0, np.nan, 1.0]), np.arange(3.0))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: pearson(np.arange(3.0), np.arange(3.0), np.ones(1)), r"^weights must have the shape \[3\], not \[1\]"),
        (
            lambda: spearman(np.arange(3.0), np.arange(3.0), np.ones(1)),
            r"^weights must have the shape \[3\], not \[1\]",
        ),
        (lambda: pearson(np.arange(3.0), np.arange(6.0).reshape(2, 3)), "^y must have the shape"),
        (lambda: pearson(np.array(1.0), np.array(1.0)), "^x must have the shape"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
