"""Moments, splits and corpora against pandas, NumPy, SciPy, statsmodels and brute force."""

from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from statsmodels.stats.weightstats import DescrStatsW

from empirical.corpora import (
    Pool,
    cell_moments,
    correlation,
    covariance_matrix,
    draw_corpora,
    pool,
    split,
    weighted_spearman,
)
from tests.statistical.p_values import bernstein
from tests.statistical.randomised import Randomised

shapes = st.tuples(st.integers(2, 4), st.integers(2, 4), st.integers(1, 5), st.integers(0, 2**32 - 1))


def random_pool(k, p, n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(k, 1, 1)) + rng.normal(size=(1, p, 1)) + rng.normal(size=(k, p, n))
    r = -x + rng.normal(size=(k, p, n))
    return Pool(tuple(f"s{i}" for i in range(k)), tuple(f"p{i}" for i in range(p)), x, r, rng.normal(size=(k, p, n)))


@given(shapes)
def test_split_adds_up_and_equals_the_weighted_covariance(shape):
    strings = random_pool(*shape)
    for law in ("local", "global"):
        weights = strings.weights(law)
        k, p, _ = weights.shape
        parts = split(cell_moments(strings, weights), np.ones(p), np.ones(k))
        oracle = DescrStatsW(np.stack([strings.x.ravel(), strings.r.ravel()], 1), weights.ravel(), ddof=0)
        # The variance of sums of unit-size float64 numbers; the counts are below a hundred.
        np.testing.assert_allclose(parts.total, oracle.cov * oracle.sum_weights / weights.sum(), atol=1e-10)
        np.testing.assert_allclose(
            parts.within_prompt + parts.between_prompts + parts.between_schemes, parts.total, atol=1e-10
        )
        cells = [
            np.cov(strings.x[i, j], strings.r[i, j], aweights=weights[i, j], ddof=0) for i in range(k) for j in range(p)
        ]
        np.testing.assert_allclose(parts.within_prompt, np.mean(cells, axis=0), atol=1e-10)
        means = (weights * np.stack([strings.x, strings.r])).sum(-1).mean(-1)
        np.testing.assert_allclose(parts.between_schemes, np.cov(means, ddof=0), atol=1e-10)


@given(shapes)
def test_bootstrap_counts_equal_repeating_the_rows(shape):
    strings = random_pool(*shape)
    rng = np.random.default_rng(shape[-1])
    weights = strings.weights("global")
    k, p, _ = weights.shape
    schemes, prompts = rng.integers(0, k, k), rng.integers(0, p, p)
    counts = [np.bincount(drawn, minlength=size).astype(float) for drawn, size in ((prompts, p), (schemes, k))]
    counted = split(cell_moments(strings, weights), *counts)
    repeated = Pool(
        tuple(map(str, range(k))),
        tuple(map(str, range(p))),
        *(field[schemes][:, prompts] for field in (strings.x, strings.r, strings.log_kept)),
    )
    direct = split(cell_moments(repeated, repeated.weights("global")), np.ones(p), np.ones(k))
    np.testing.assert_allclose(counted.total, direct.total, atol=1e-10)
    np.testing.assert_allclose(np.array(counted.corpus(50)), np.array(direct.corpus(50)), atol=1e-10)


def test_global_weights_are_per_prompt():
    """A prompt whose strings all weigh e^50 more keeps its share: pitfall of one chain over all prompts."""
    strings = random_pool(2, 3, 4, 0)
    lifted = strings.log_kept.copy()
    lifted[:, 0] += 50
    heavy = Pool(strings.schemes, strings.prompts, strings.x, strings.r, lifted)
    np.testing.assert_allclose(heavy.weights("global"), strings.weights("global"))
    pooled = np.exp(lifted - lifted.max())
    assert abs(pooled[:, 0].sum() / pooled.sum() - 1 / 3) > 0.5, "the planted pooled chain re-weights prompts"


SIDES = np.array([[1, 0], [0, 1], [0.7, 0.7]])


def centred_corpora(rng, scatter=1.0, shift=0.0):
    """Mean x and r of 10,000 corpora of 40 strings of three schemes, in deviations from their law's mean: [K, 2, n].

    Planted: what they are multiplied by, and how much is added to x.
    """
    strings = random_pool(3, 4, 5, 1)
    weights = strings.weights("global")
    drawn = np.stack(draw_corpora(strings, weights, 40, 10_000, rng), axis=1)
    return scatter * (drawn - string_law()[0][..., None]) / string_law()[1][..., None] + np.array([[shift], [0]])


@cache
def string_law():
    """Mean and deviation of a corpus's x and r under each scheme [K, 2], from the pool's own moments."""
    strings = random_pool(3, 4, 5, 1)
    moments = cell_moments(strings, strings.weights("global")).mean(axis=1)
    return moments[:, :2], np.sqrt(np.diagonal(covariance_matrix(moments), axis1=1, axis2=2) / 40)


def characteristic(found):
    """E e^(i t . z) of a mean of 40 independent strings is the 40th power of one string's: cosines and sines."""
    strings, (mean, deviation) = random_pool(3, 4, 5, 1), string_law()
    weights = strings.weights("global").reshape(3, -1) / 4
    values = np.stack([strings.x.reshape(3, -1), strings.r.reshape(3, -1)], axis=1)
    z = (values - mean[..., None]) / deviation[..., None] / 40
    one = (np.exp(1j * np.einsum("tf,kfn->tkn", SIDES, z)) * weights).sum(axis=-1) ** 40
    angle = np.einsum("tf,kfn->tkn", SIDES, found)
    return [bernstein(np.cos(angle), -1, 1, one.real), bernstein(np.sin(angle), -1, 1, one.imag)]


CORPORA = Randomised(
    __name__,
    "corpora follow the pooling law",
    draw=centred_corpora,
    judge=characteristic,
    planted={
        "a bootstrap of the estimator scatters more, by 1.2": partial(centred_corpora, scatter=1.2),
        "a mean off by 0.15 deviations": partial(centred_corpora, shift=0.15),
    },
    sample="10,000 corpora of 3 schemes, characteristic function at 3 places, empirical Bernstein",
)


def test_corpora_follow_the_pooling_law():
    CORPORA.hold()


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(1, 3)), min_size=3, max_size=12))
def test_weighted_spearman_equals_scipy_on_repeated_rows(rows):
    x, r, counts = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    full = [np.repeat(values, counts.astype(int)) for values in (x, r)]
    if len(set(x)) == 1 or len(set(r)) == 1:
        assert np.isnan(weighted_spearman(x, r, counts))
    else:
        assert weighted_spearman(x, r, counts) == pytest.approx(spearmanr(*full).statistic, abs=1e-9)


def test_correlation_of_a_constant_is_undefined():
    assert np.isnan(correlation(np.array([[0.0, 0.0], [0.0, 1.0]])))


def test_pool_arranges_rows_and_refuses_gaps():
    rows = pd.DataFrame(
        [(s, p, i, 10 * s + p + i / 10, -1.0, 0.0) for s in range(2) for p in range(3) for i in range(2)],
        columns=["scheme", "prompt_id", "sample_id", "log_prior", "reward", "log_kept"],
    )
    strings = pool(rows.sample(frac=1, random_state=0))
    assert strings.x[1, 2, 1] == pytest.approx(12.1)
    with pytest.raises(ValueError, match="same number"):
        pool(rows.iloc[:-1])
    with pytest.raises(ValueError, match="law"):
        strings.weights("neither")
