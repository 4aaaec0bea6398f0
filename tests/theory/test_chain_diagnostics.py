"""Diagnostics against scipy's contingency tables and against series whose autocorrelation is known."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from scipy.stats.contingency import crosstab

from theory.chain_diagnostics import cramers_v, effective_sample_size


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=2, max_size=60))
def test_cramers_v_is_bergsma_s_formula_on_the_full_table(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    n, table = len(pairs), crosstab(first, second).count
    value = cramers_v(first, second)
    assert 0 <= value <= 1
    if min(table.shape) == 1:
        assert value == 0
        return
    k, r = table.shape
    phi2 = max(0, chi2_contingency(table, correction=False).statistic / n - (k - 1) * (r - 1) / (n - 1))
    smaller = min(k - (k - 1) ** 2 / (n - 1), r - (r - 1) ** 2 / (n - 1)) - 1
    expected = min(1, np.sqrt(phi2 / smaller)) if smaller > 1e-12 else 0
    assert value == pytest.approx(expected, abs=1e-6)  # the root of a difference that rounding moves by 1e-14


def test_independent_draws_have_no_association_although_the_plain_v_says_so() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 200, (2, 20_000))
    plain = np.sqrt(chi2_contingency(crosstab(first, second).count).statistic / 20_000 / 199)
    # k = 200, N = 20,000: the plain V is sqrt((k - 1) / N) = 0.1, the corrected one 0 but for noise of about 0.01.
    assert plain == pytest.approx(0.1, abs=0.01)
    assert cramers_v(first, second) < 0.03


@pytest.mark.parametrize("k", range(2, 40))
def test_a_sequence_determines_itself_and_no_more(k: int) -> None:
    labels = np.random.default_rng(k).permutation(np.arange(7 * k) % k)
    assert 1 - 1e-14 < cramers_v(labels, labels) <= 1  # rounding may not lift it above 1


def test_a_stuck_chain_is_one_draw() -> None:
    assert effective_sample_size(np.full(4000, 0.1)) == 1
    almost = np.repeat([0.0, 1.0], 2000)
    assert effective_sample_size(almost) < 10


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_no_series_is_worth_more_than_its_length_or_less_than_one(values: list[float]) -> None:
    assert 1 <= effective_sample_size(np.array(values)) <= len(values)


def geyer(series: np.ndarray) -> float:
    """The same sum from the definition, without transforms: pairs of correlations, no pair above one before it."""
    n, d = len(series), series - series.mean()
    rho = [d[: n - k] @ d[k:] / (d @ d) for k in range(n)] + [0.0]
    total, smallest = 0.0, np.inf
    for k in range(0, n, 2):
        smallest = min(smallest, rho[k] + rho[k + 1])
        if smallest <= 0:
            break
        total += smallest
    return min(n, n / max(2 * total - 1, 1))


@example([10, 11, 12], False, 1.0)  # an odd length whose last, single correlation ends the sum
@given(st.lists(st.integers(0, 20), min_size=2, max_size=60), st.booleans(), st.sampled_from([1e-200, 1.0, 1e150]))
def test_the_size_is_that_of_the_definition(steps: list[int], walk: bool, scale: float) -> None:
    series = np.cumsum(np.array(steps) - 10.0) + 5 if walk else np.array(steps, dtype=float)
    if np.ptp(series) > 0:
        assert effective_sample_size(scale * series) == pytest.approx(geyer(series), rel=1e-9)  # 60 roundings of 1e-14


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_autoregression_has_the_known_size(rho: float) -> None:
    n, rng = 40_000, np.random.default_rng(3)
    series = np.zeros(n)
    for t, noise in enumerate(rng.normal(size=n - 1), start=1):
        series[t] = rho * series[t - 1] + noise
    # 40,000 steps of autocorrelation time at most 19: the estimate errs by a few per cent.
    assert effective_sample_size(series) == pytest.approx(n * (1 - rho) / (1 + rho), rel=0.2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cramers_v(np.array([1]), np.array([1])), "length"),
        (lambda: cramers_v(np.array([1, 2]), np.array([1, 2, 3])), "length"),
        (lambda: effective_sample_size(np.array([])), "^the series must be"),
        (lambda: effective_sample_size(np.array([0.0, np.nan])), "finite"),
    ],
)
def test_bad_input_is_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
