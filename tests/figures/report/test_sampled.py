"""Intervals of shares that were sampled part by part: exact where all was seen, and they cover what they should."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from figures.report.sampled import weighted_share

SIZES = np.array([470, 450, 360, 320, 300, 270, 240, 220, 200, 180, 160, 120, 90, 70, 40, 8])
DRAWN, RUNS = 8, 2_000


def coverage(interval, shares, seed):
    """How often an interval has the true share of `SIZES`, of which `shares` are good, in `RUNS` samples."""
    good = np.round(SIZES * shares).astype(int)
    drawn = np.minimum(DRAWN, SIZES)
    found = np.random.default_rng(seed).hypergeometric(good, SIZES - good, drawn, size=(RUNS, len(SIZES)))
    bounds = [interval(list(zip(SIZES.tolist(), drawn.tolist(), row.tolist(), strict=True)))[-2:] for row in found]
    return np.mean([low <= good.sum() / SIZES.sum() <= high for low, high in bounds])


def plain(parts):
    _, drawn, good = np.sum(parts, axis=0)
    return proportion_confint(good, drawn, method="wilson")


ALIKE = np.full(len(SIZES), 0.93)
SMALL_ONES_BAD = np.where(SIZES < 200, 0.6, 0.95)
MIXED = np.where(np.arange(len(SIZES)) % 2, 0.99, 0.85)


@pytest.mark.parametrize("shares", [ALIKE, SMALL_ONES_BAD, MIXED], ids=["alike", "small ones bad", "mixed"])
def test_intervals_cover_the_truth(shares):
    # Of true coverage .96 a run falls below .94 once in a million, of .92 above it once in a thousand: deviation .005.
    assert coverage(weighted_share, shares, 5) > 0.94


def test_control_the_plain_interval_misses_a_weighted_share():
    assert coverage(plain, SMALL_ONES_BAD, 5) < 0.8


def test_what_was_seen_whole_has_no_interval():
    assert weighted_share([(10, 10, 9), (30, 30, 30), (0, 0, 0)]) == (0.975, 0.975, 0.975)
    share, low, high = weighted_share([(10, 10, 9), (30, 29, 29)])
    assert low < share < high


def test_one_part_of_an_endless_whole_is_a_plain_sample():
    # 1e-6: one in 1e9 was seen, which takes 1e-8 of the variance.
    assert weighted_share([(10**10, 80, 72)]) == pytest.approx(
        (0.9, *proportion_confint(72, 80, method="wilson")), abs=1e-6
    )


@pytest.mark.parametrize("parts", [[], [(0, 0, 0)], [(10, 0, 0)], [(10, 11, 3)], [(10, 3, 4)], [(9, 3, 3), (9, 0, 0)]])
def test_a_part_that_was_not_sampled_is_refused(parts):
    with pytest.raises(ValueError, match="every part"):
        weighted_share(parts)
