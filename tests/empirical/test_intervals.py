"""Intervals: coverage on a law with a known correlation, and what ignoring clusters would do."""

import tracemalloc
import weakref
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import pearsonr, spearmanr

import empirical.intervals
from empirical.corpora import Pool, cell_moments, draw_corpora, split, weighted_spearman
from empirical.intervals import cluster_intervals, percentiles, slope
from tests.statistical.p_values import binomial
from tests.statistical.randomised import Randomised

COUNTS = SimpleNamespace(seed=0, corpus_size=200, resamples=200)


def clustered(seed, k=12, p=12, n=3):
    """Strings whose scheme effects are anti-correlated and whose prompt effects are correlated."""
    rng = np.random.default_rng(seed)
    scheme = rng.multivariate_normal([0, 0], [[1, -0.9], [-0.9, 1]], (k, 1, 1))
    prompt = rng.multivariate_normal([0, 0], [[4, 3.6], [3.6, 4]], (1, p, 1))
    both = scheme + prompt + 0.5 * rng.normal(size=(k, p, n, 2))
    names = [tuple(f"{letter}{i}" for i in range(size)) for letter, size in (("s", k), ("p", p))]
    return Pool(*names, both[..., 0], both[..., 1], np.zeros((k, p, n)))


def intervals(strings, counts=COUNTS):
    weights = strings.weights("local")
    return cluster_intervals(
        strings, weights, draw_corpora(strings, weights, 200, 200, np.random.default_rng(0)), counts
    )


def test_simpson_reversal_is_seen():
    """Fifteen seeds: the string level is positive and the corpus level negative, every interval around its value."""
    for seed in range(15):
        found = intervals(clustered(seed))
        assert found["string_pearson"].value > 0 > found["corpus_pearson"].value
        for name in ("string_pearson", "corpus_pearson", "between_schemes_pearson"):
            assert found[name].low <= found[name].value <= found[name].high


# Schemes' covariance and a 200th of that of prompts and noise: -.9 + 3.6 / 200 over 1 + 4.25 / 200.
OF_CORPORA = (-0.9 + 3.6 / 200) / (1 + 4.25 / 200)


def covered(rng, name, truth):
    """How many of 40 intervals of clustered strings hold the planted correlation."""
    held = 0
    for seed in rng.integers(2**31, size=40):
        counts = SimpleNamespace(seed=int(seed), corpus_size=200, resamples=100)
        found = intervals(clustered(int(seed)), counts)[name]
        held += found.low <= truth <= found.high
    return held


def covered_by_corpora(rng):
    """The same where corpora are resampled: thousands of corpora of 12 schemes are 12 points."""
    held = 0
    for seed in rng.integers(2**31, size=40):
        strings = clustered(int(seed))
        x, r = (side.ravel() for side in draw_corpora(strings, strings.weights("local"), 200, 200, rng))
        low, high = percentiles([np.corrcoef(x[i], r[i])[0, 1] for i in rng.integers(0, x.size, (50, x.size))])
        held += low <= OF_CORPORA <= high
    return held


COVERAGE = {
    name: Randomised(
        __name__,
        f"coverage, {name}",
        draw=partial(covered, name=name, truth=truth),
        judge=lambda held: binomial(held, 40, 0.8, 1),  # 95 %, of which 12 clusters lose some points
        planted={"corpora resampled": covered_by_corpora},
        sample="40 intervals cover in 80 % or more, exact binomial",
        trials=40,
    )
    for name, truth in (("between_schemes_pearson", -0.9), ("corpus_pearson", OF_CORPORA))
}


def test_coverage_of_the_between_scheme_correlation():
    COVERAGE["between_schemes_pearson"].hold()


def test_coverage_of_the_corpora_s_correlation():
    COVERAGE["corpus_pearson"].hold()


def test_more_corpora_of_the_same_schemes_tell_no_more():
    """Ten times the corpora of 12 schemes are still 12 points: the interval stays as wide, by ranks too."""
    strings = clustered(5)
    weights = strings.weights("local")
    few, many = (
        cluster_intervals(strings, weights, draw_corpora(strings, weights, 200, n, np.random.default_rng(0)), COUNTS)
        for n in (50, 500)
    )
    for name in ("corpus_pearson", "corpus_spearman"):
        widths = [found[name].high - found[name].low for found in (few, many)]
        assert widths[1] > 0.9 * widths[0] > 0.05  # resampled by corpus the second would be 0.32 of the first


def test_both_levels_have_both_correlations():
    """SciPy's Pearson and Spearman of the strings and of the drawn corpora; rewards are bent so that they differ."""
    straight = clustered(6)
    strings = Pool(straight.schemes, straight.prompts, straight.x, np.exp(2 * straight.r), straight.log_kept)
    weights = strings.weights("local")
    means = draw_corpora(strings, weights, 200, 200, np.random.default_rng(0))
    found = cluster_intervals(strings, weights, means, COUNTS)
    for level, sides in (("string", (strings.x, strings.r)), ("corpus", means)):
        x, r = (side.ravel() for side in sides)
        measured = [found[f"{level}_{name}"].value for name in ("pearson", "spearman")]
        expected = [pearsonr(x, r).statistic, spearmanr(x, r).statistic]
        assert measured == pytest.approx(expected, abs=1e-9)  # moments of rewards up to 1e6 cancel some of 16 digits
        assert abs(expected[0] - expected[1]) > 0.05  # either in the other's place would be noticed


def test_a_resample_is_dropped_before_the_next():
    """150 resamples more do not hold 150 more copies of the strings, as SciPy's bootstrap would."""
    strings, peaks = clustered(0, n=40), []
    for resamples in (10, 160):
        tracemalloc.start()
        intervals(strings, SimpleNamespace(seed=0, corpus_size=200, resamples=resamples))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    copy = strings.x.nbytes
    assert peaks[0] > copy  # it sees NumPy's arrays
    assert peaks[1] - peaks[0] < 15 * copy


def test_no_resample_outlives_its_correlation(monkeypatch):
    """Of the weights that correlations were asked for, those of the one before may still be there, and no others."""
    seen, alive = [], []

    def asked(x, r, weights):
        owner = weights if weights.base is None else weights.base
        seen.append(weakref.ref(owner))
        alive.append(sum(one() is not None for one in seen) * owner.nbytes / weights.nbytes)
        return weighted_spearman(x, r, weights)

    monkeypatch.setattr(empirical.intervals, "weighted_spearman", asked)
    intervals(clustered(0))
    assert len(alive) > 2 * COUNTS.resamples  # of strings, of corpora, and of the sample itself
    assert max(alive) <= 2
    held, alive[:] = [np.ones(9) for _ in range(3)], []
    for weights in held:
        asked(weights, weights, weights)
    assert max(alive) == 3  # a list that keeps them would be noticed


def test_drawn_corpora_agree_with_the_pooling_law():
    strings = clustered(3)
    found = intervals(strings)
    parts = split(cell_moments(strings, strings.weights("local")), np.ones(12), np.ones(12))
    assert abs(found["corpus_pearson"].value - parts.corpus(200).correlation) < 0.02  # 2,400 corpora
    assert abs(found["corpus_pearson"].value - found["corpus_spearman"].value) < 0.2


def test_slope_is_least_squares_and_its_interval_is_wider_than_without_clusters():
    strings = clustered(4)
    found = slope(strings, strings.weights("local"))
    plain = sm.OLS(strings.r.ravel(), sm.add_constant(strings.x.ravel())).fit()
    low, high = plain.conf_int()[1]
    assert abs(found.value - plain.params[1]) < 1e-10
    assert found.high - found.low > 1.5 * (high - low)


def test_percentiles_widen_with_the_items_and_know_nothing_of_nothing():
    draws = np.arange(1001.0)
    assert percentiles(draws) == (25.0, 975.0)
    assert percentiles(draws, 5) == (5.0, 995.0)
    assert percentiles(np.append(draws, np.nan)) == (25.0, 975.0)
    assert np.isnan(percentiles(np.full(3, np.nan))).all()
