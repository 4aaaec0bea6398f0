"""One measured quantity as a row: its value, its interval, and the wider one asked where it is one of many."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from empirical.intervals import Interval, percentiles

MOST_LOST = 0.025  # of the resamples: where more have no value, its percentiles would be those of the lucky ones


def row(quantity: str, law: str, value: float, draws: NDArray[Any], item: str = "", items: int = 1) -> dict[str, Any]:
    """A row of `tan_emp_measures` from the value and its bootstrap draws [B].

    low, high: 95 %; wide_low, wide_high: 1 - 0.05 / items.
    """
    low, high = percentiles(draws)
    wide_low, wide_high = percentiles(draws, items)
    return _row(quantity, law, item, float(value), low, high, wide_low, wide_high)


def rows(quantity: str, law: str, items: Iterable[tuple[str, NDArray[Any]]]) -> list[dict[str, Any]]:
    """A row an item of a quantity from its values [1 + B], that of all clusters first and then resampled.

    NaN where the first is, and no interval where more than MOST_LOST of the resamples have no value.
    """
    many = list(items)
    return [_row(quantity, law, item, float(value[0]), *_sides(value, len(many))) for item, value in many]


def _sides(values: NDArray[Any], items: int) -> tuple[float, ...]:
    if not np.isfinite(values[0]):
        return (np.nan,) * 4
    return *interval(values[1:]), *interval(values[1:], items)


def interval(draws: NDArray[Any], items: int = 1) -> tuple[float, float]:
    """The 95 % percentile interval of resampled values (1 - 0.05 / items); NaN where too many resamples have none."""
    if np.mean(~np.isfinite(draws)) > MOST_LOST:
        return float("nan"), float("nan")
    return percentiles(draws, items)


def from_interval(quantity: str, law: str, interval: Interval) -> dict[str, Any]:
    """A row of `tan_emp_measures` from an interval that stands alone."""
    low, high = interval.low, interval.high
    return _row(quantity, law, "", interval.value, low, high, low, high)


def _row(*values: Any) -> dict[str, Any]:
    names = ("quantity", "law", "item", "value", "low", "high", "wide_low", "wide_high")
    return dict(zip(names, values, strict=True))
