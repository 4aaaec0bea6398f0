from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.statistical.p_values import cells, mixture
from tests.statistical.randomised import Randomised
from theory.information import entropy
from toy.corpora import banded, corpus_means, is_typical, multinomial_counts, replayed_counts, sampled_means
from toy.dirichlet import dirichlet_triple, replayed_triple

SEEDS = st.integers(0, 2**32 - 1)
LAW = np.log([0.5, 0.3, 0.15, 0.05])


def pairs(counts):
    """How many corpora of two hold each unordered pair of objects: ten counts for four objects."""
    objects = range(counts.shape[1])
    each = np.array([np.bincount([i, j], minlength=len(objects)) for i in objects for j in objects if i <= j])
    return (counts[:, None, :] == each).all(axis=-1).sum(axis=0)


def pair_law(p):
    return np.array([p[i] * p[j] * (1 if i == j else 2) for i in range(len(p)) for j in range(len(p)) if i <= j])


def replayed(rng):
    return pairs(replayed_counts(LAW, rng.integers(2**32, size=6_000), size=2))


def multinomial(rng):
    return pairs(multinomial_counts(LAW, 20_000, 2, rng))


REPLAYED = Randomised(
    __name__,
    "replayed counts have the law of single draws",
    draw=replayed,
    judge=lambda found: cells(found, pair_law(np.exp(LAW))),
    planted={"0.05 moved between objects": lambda rng: rng.multinomial(6_000, pair_law([0.45, 0.35, 0.15, 0.05]))},
    sample="6,000 corpora of 2, 10 pairs, each an exact binomial",
)
MULTINOMIAL = Randomised(
    __name__,
    "multinomial counts have the law of single draws",
    draw=multinomial,
    judge=lambda found: cells(found, pair_law(np.exp(LAW))),
    planted={"0.03 moved between objects": lambda rng: rng.multinomial(20_000, pair_law([0.47, 0.33, 0.15, 0.05]))},
    sample="20,000 corpora of 2, 10 pairs, each an exact binomial",
)


def test_multinomial_counts_have_the_law_of_single_draws():
    REPLAYED.hold()
    MULTINOMIAL.hold()


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


FIVE = np.array([0.5, 0.3, 0.15, 0.03, 0.02])


def shares(rng, size, law=FIVE):
    """Shares of five objects in 20,000 corpora, [5, 20,000], with indicators as statistics."""
    return sampled_means(np.log(law), np.eye(5), 20_000, size, rng, at_once=7_000)


def rare_alike(rng, size):
    """Planted: a corpus's draws of the two rare objects all go to one of them."""
    found = shares(rng, size)
    to_first = rng.random(found.shape[1]) < 0.6
    return np.vstack([found[:3], (found[3] + found[4]) * to_first, (found[3] + found[4]) * ~to_first])


def count_laws(found, size):
    """Each object's count and each sum of two is binomial: together they give all means and covariances."""
    counts = (found * size).round().astype(int)
    chosen = [(i, j) for i in range(5) for j in range(i + 1)]
    return [
        mixture(
            np.bincount(counts[list({i, j})].sum(axis=0), minlength=size + 1),
            stats.binom.pmf(np.arange(size + 1), size, FIVE[list({i, j})].sum()),
        )
        for i, j in chosen
    ]


MEANS = {
    size: Randomised(
        __name__,
        f"sampled means have the law of counts, corpora of {size}",
        draw=partial(shares, size=size),
        judge=partial(count_laws, size=size),
        planted={
            f"{moved} moved between common objects": partial(
                shares, size=size, law=FIVE + np.array([moved, -moved, 0, 0, 0])
            ),
        }
        # Of corpora of two a thousandth holds both rare objects: too few to see how they are dealt.
        | ({"rare objects not dealt one by one": partial(rare_alike, size=size)} if size > 2 else {}),
        sample="20,000 corpora, 15 counts, a mixture of Dirichlet laws against each",
    )
    for size, moved in ((2, 0.03), (30, 0.02))
}


@pytest.mark.parametrize("size", MEANS)
def test_sampled_means_have_the_law_of_counts(size):
    """Objects that are rare at this size take their own path."""
    found = shares(np.random.default_rng(1), size)
    assert found.shape == (5, 20_000)
    np.testing.assert_allclose(found * size, (found * size).round(), atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-12)
    MEANS[size].hold()


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


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: multinomial_counts(np.log([0.2, 0.3]), 2, 5, np.random.default_rng(0)), "do not sum to 1"),
        (lambda: multinomial_counts(LAW[None], 2, 5, np.random.default_rng(0)), "^log_p must have the shape"),
        (lambda: sampled_means(np.log([0.2, 0.3]), np.ones((1, 2)), 2, 5, np.random.default_rng(0)), "do not sum to 1"),
        (
            lambda: sampled_means(LAW, np.ones(4), 2, 5, np.random.default_rng(0)),
            r"^values must have the shape \[\*, 4\]",
        ),
        (lambda: sampled_means(LAW, np.ones((1, 4)), 2, 5, np.random.default_rng(0), at_once=0), "held at once, not 0"),
        (lambda: replayed_counts(np.log([0.2, 0.3]), [0], 5), "do not sum to 1"),
        (lambda: replayed_counts(LAW, [], 5), "a seed and a size of at least 1, not 0 seeds and 5"),
        (lambda: replayed_counts(LAW, [0], 0), "not 1 seeds and 0"),
        (
            lambda: corpus_means(replayed_triple(), np.ones((2, 1), dtype=int)),
            r"^counts must have the shape \[\*, 1000\]",
        ),
        (lambda: corpus_means(replayed_triple(), np.zeros((1, 1000), dtype=int)), "each corpus must hold an object"),
        (lambda: corpus_means(replayed_triple(), np.eye(1, 1000) * 3 - np.eye(1, 1000, 1)), "^counts must be >= 0"),
        (lambda: is_typical(pd.DataFrame({"mean_log_aligned": [0.0]}), LAW[None], 0.1), "^log_p must have the shape"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
