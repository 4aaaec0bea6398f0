import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from theory.information import entropy
from toy.corpora import banded, corpus_means, is_typical, multinomial_counts, replayed_counts, sampled_means
from toy.dirichlet import dirichlet_triple, replayed_triple

SEEDS = st.integers(0, 2**32 - 1)
LAW = np.log([0.5, 0.3, 0.15, 0.05])


def count_law_p_value(counts, log_p):
    """Chi-squared p-value of H0: rows are Multinomial(2, p), over the ten unordered pairs of objects."""
    p, objects = np.exp(log_p), range(len(log_p))
    pairs = [(i, j) for i in objects for j in objects if i <= j]
    cells = np.array([np.bincount([i, j], minlength=len(p)) for i, j in pairs])
    expected = len(counts) * np.array([p[i] * p[j] * (1 if i == j else 2) for i, j in pairs])
    observed = (counts[:, None, :] == cells[None]).all(axis=-1).sum(axis=0)
    return stats.chisquare(observed, expected).pvalue


def test_multinomial_counts_have_the_law_of_single_draws():
    # Size .001 for each of the two. Power: with 20,000 corpora a law off by .02 in one pair of objects gives a
    # non-centrality of about 100, so it is missed with probability below 1e-6: the planted law shows it.
    legacy = replayed_counts(LAW, range(20_000), size=2)
    fresh = multinomial_counts(LAW, 20_000, 2, np.random.default_rng(5))
    assert count_law_p_value(legacy, LAW) > 1e-3
    assert count_law_p_value(fresh, LAW) > 1e-3
    planted = np.log([0.48, 0.32, 0.15, 0.05])
    assert count_law_p_value(multinomial_counts(planted, 20_000, 2, np.random.default_rng(5)), LAW) < 1e-6


def test_replayed_counts_are_the_legacy_draws_one_by_one():
    probability = np.random.RandomState(42).dirichlet([0.1] * 1000)
    for seed in (0, 1, 999):
        np.random.seed(seed)  # noqa: NPY002 (the recipe's own global stream)
        draws = np.random.choice(range(1000), size=100_000, p=probability)  # noqa: NPY002
        counts = replayed_counts(replayed_triple().log_aligned, [seed], 100_000)[0]
        np.testing.assert_array_equal(counts, np.bincount(draws, minlength=1000))


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.integers(2, 30), st.integers(1, 20), st.integers(1, 200))
def test_means_are_averages_over_the_corpus_and_add_up(seed, objects, corpora, size):
    rng = np.random.default_rng(seed)
    triple = dirichlet_triple(rng, objects, 1.0)
    counts = multinomial_counts(triple.log_aligned, corpora, size, rng)
    assert counts.shape == (corpora, objects)
    assert (counts.sum(axis=-1) == size).all()
    means = corpus_means(triple, counts)
    corpus = np.repeat(np.arange(objects), counts[0])
    # 1e-12: means of 200 numbers below 100 in size.
    assert means["mean_log_prior"][0] == pytest.approx(triple.log_prior[corpus].mean(), rel=1e-12)
    assert means["mean_reward"][0] == pytest.approx(triple.reward[corpus].mean(), rel=1e-12, abs=1e-12)
    assert means["log_prob"][0] == pytest.approx(triple.log_aligned[corpus].sum(), rel=1e-12)
    # The identity behind Proposition 1, in every corpus whatever was drawn.
    total = means["mean_log_prior"] + means["mean_reward"]
    np.testing.assert_allclose(total, means["mean_log_aligned"], rtol=1e-12, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.floats(1e-3, 1))
def test_typical_set_is_a_band_around_minus_the_entropy(seed, epsilon):
    rng = np.random.default_rng(seed)
    triple = dirichlet_triple(rng, 10, 1.0)
    corpora = corpus_means(triple, multinomial_counts(triple.log_aligned, 50, 20, rng))
    typical = is_typical(corpora, triple.log_aligned, epsilon)
    h = float(entropy(triple.log_aligned))
    expected = [-h - epsilon < s < -h + epsilon for s in corpora["mean_log_aligned"]]
    clear = (abs(abs(corpora["mean_log_aligned"] + h) - epsilon) > 1e-12).to_numpy()  # rounding decides on the edge
    np.testing.assert_array_equal(typical[clear], np.array(expected)[clear])


def bands_by_hand(levels, seed, bands, per_band):
    """Equal-width bands (a, b] over the range, the lowest closed; then legacy draws band after band."""
    low, high = min(levels), max(levels)
    state, chosen = np.random.RandomState(seed), []
    for k in range(bands):
        a, b = (low + (high - low) * j / bands for j in (k, k + 1))
        inside = [i for i, v in enumerate(levels) if a < v <= b or (k == 0 and v == low) or (k == bands - 1 and v > b)]
        if inside:
            chosen += [inside[j] for j in state.choice(len(inside), size=per_band, replace=True)]
    return chosen


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.integers(2, 200), st.integers(1, 12), st.integers(1, 20))
def test_bands_agree_with_bands_made_by_hand(seed, corpora, bands, per_band):
    levels = np.random.default_rng(seed).normal(-7, 1e-3, corpora)
    table = pd.DataFrame({"mean_log_prior": levels})
    assume(table["mean_log_prior"].nunique() > 1)
    rows = banded(table, seed, bands, per_band)
    assert rows.index.tolist() == bands_by_hand(levels, seed, bands, per_band)


def test_bands_are_equally_full_where_quantiles_would_not_be():
    table = pd.DataFrame({"mean_log_prior": np.concatenate([np.linspace(0, 0.1, 99), [1.0]])})
    rows = banded(table, 0, bands=10, per_band=50)
    # Two bands are inhabited; the outer one holds a single corpus, drawn fifty times.
    assert len(rows) == 100
    assert (rows["mean_log_prior"] == 1.0).sum() == 50


@pytest.mark.parametrize("levels", [[], [1.0], [1.0, 1.0]])
def test_no_spread_no_bands(levels):
    with pytest.raises(ValueError, match=r"^bands need at least two"):
        banded(pd.DataFrame({"mean_log_prior": levels}), 0)


def test_bad_parameters_are_named():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="corpora and size"):
        multinomial_counts(LAW, 0, 5, rng)
    with pytest.raises(ValueError, match="corpora and size"):
        multinomial_counts(LAW, 5, 0, rng)
    with pytest.raises(ValueError, match="NaN"):
        multinomial_counts(np.array([np.nan, 0.0]), 5, 5, rng)
    with pytest.raises(ValueError, match="epsilon"):
        is_typical(pd.DataFrame({"mean_log_aligned": [0.0]}), LAW, 0.0)


@pytest.mark.parametrize("size", [2, 30])
def test_sampled_means_have_the_law_of_counts(size):
    """Objects that are rare at this size take their own path; with indicators as statistics, means are shares."""
    law = np.log([0.5, 0.3, 0.15, 0.03, 0.02])
    corpora = 20_000
    shares = sampled_means(law, np.eye(5), corpora, size, np.random.default_rng(1), at_once=7_000)
    assert shares.shape == (5, corpora)
    counts = shares * size
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    np.testing.assert_allclose(counts.sum(axis=0), size, rtol=1e-12)
    p = np.exp(law)
    exact = (np.diag(p) - np.outer(p, p)) / size
    # Five deviations of a mean, and of a covariance of variables of size sqrt(exact).
    scale = np.sqrt(np.diag(exact))
    assert np.all(np.abs(shares.mean(axis=1) - p) < 5 * scale / np.sqrt(corpora))
    deviations = np.abs(np.cov(shares) - exact) / np.outer(scale, scale)
    kurtosis = 1 / (size * np.outer(p, p) ** 0.5)
    assert np.all(deviations < 5 * np.sqrt((2 + kurtosis) / corpora))
    if size == 2:
        assert count_law_p_value(counts.T.round(), law) > 1e-3


def test_an_object_without_mass_never_comes_up():
    law = np.array([np.log(0.5), np.log(0.5), -np.inf])
    assert sampled_means(law, np.eye(3), 10, 100, np.random.default_rng(0))[2].max() == 0


def test_sampled_means_name_bad_parameters():
    rng = np.random.default_rng(0)
    for corpora, size in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match="corpora and size"):
            sampled_means(LAW, np.ones((1, 4)), corpora, size, rng)
    with pytest.raises(ValueError, match=r"^a mean over corpora needs"):
        sampled_means(LAW, np.full((1, 4), np.inf), 5, 5, rng)
