"""Measured quantities as rows: the value of the sample, the percentiles of its resamples, NaN where there are none."""

import numpy as np
import pytest

from empirical.measured import MOST_LOST, rows

DRAWS = np.random.default_rng(0).standard_normal(1000)


def test_a_row_an_item_with_the_percentiles_of_its_resamples():
    found = rows("gain", "uniform", [("a", np.array([9.0, *DRAWS])), ("b", np.array([-1.0, *(2 * DRAWS)]))])
    for row, item, value, scale in zip(found, "ab", (9, -1), (1, 2), strict=True):
        low, high, wide_low, wide_high = scale * np.quantile(DRAWS, [0.025, 0.975, 0.0125, 0.9875])
        assert (row["quantity"], row["law"], row["item"], row["value"]) == ("gain", "uniform", item, value)
        assert (row["low"], row["high"]) == pytest.approx((low, high))
        assert (row["wide_low"], row["wide_high"]) == pytest.approx((wide_low, wide_high))  # one of two


def test_no_value_no_interval():
    (unknown,) = rows("gain", "", [("", np.array([np.nan, *DRAWS]))])
    assert np.isnan([unknown[name] for name in ("value", "low", "high", "wide_low", "wide_high")]).all()


@pytest.mark.parametrize(("lost", "known"), [(int(1000 * MOST_LOST), True), (int(1000 * MOST_LOST) + 1, False)])
def test_too_many_resamples_without_a_value_give_no_interval(lost, known):
    (found,) = rows("gain", "", [("", np.array([0.0, *([np.nan] * lost), *DRAWS[lost:]]))])
    assert found["value"] == 0
    assert np.isfinite(found["low"]) == np.isfinite(found["wide_high"]) == known
