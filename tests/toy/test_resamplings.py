"""Each choice of corpora on one sample, against definitions and against pandas' own resampling."""

from fractions import Fraction
from functools import cache

import numpy as np
import pandas as pd
import pytest

from tests.statistical.p_values import binomial
from tests.statistical.randomised import Randomised
from tests.toy.promised import columns_of
from theory.information import entropy
from toy import corpora as recipes
from toy.causal_bootstrap import resampling_law
from toy.dirichlet import Triple, dirichlet_triple, replayed_triple, unrelated
from toy.resamplings import BANDS, _measured, drawn, measures, over_replications, weights

SIZE, EPSILON, PER_BAND = 100_000, 0.001, 20_000


@cache
def one_sample():
    triple = replayed_triple()
    return triple, drawn(triple, 1000, SIZE, EPSILON, np.random.default_rng(0))


@pytest.fixture(scope="module")
def sample():
    return one_sample()


@cache
def typical_law():
    triple, found = one_sample()
    return resampling_law(weights(triple, found, SIZE)["bands, typical"])


def banded_counts(rng, bands=BANDS):
    """How often each corpus is resampled, and how often a band is: typical corpora in equally filled bands."""
    found = one_sample()[1]
    table = pd.DataFrame({"mean_log_prior": found.x})[found.typical]
    rows = recipes.banded(table, rng, bands=bands, per_band=PER_BAND)
    return np.bincount(rows.index, minlength=len(found.x)), len(rows) // PER_BAND


BANDED = Randomised(
    __name__,
    "banded weights are the law of the released recipe",
    draw=banded_counts,
    # In its band a corpus is drawn independently each time.
    judge=lambda counts: binomial(counts[0], PER_BAND, np.minimum(typical_law() * counts[1], 1)),
    planted={"a band more": lambda rng: banded_counts(rng, BANDS + 1)},
    sample="20,000 draws a band of 10, 1,000 corpora, each an exact binomial",
)


def test_corpora_add_up_and_typical_ones_are_near_the_entropy(sample):
    triple, found = sample
    np.testing.assert_allclose(found.x + found.r, found.s, rtol=1e-12)
    np.testing.assert_array_equal(found.typical, np.abs(found.s + float(entropy(triple.log_aligned))) < EPSILON)
    # 21 % give or take .013: five deviations.
    assert found.typical.mean() == pytest.approx(0.212, abs=0.065)


def test_banded_weights_are_the_law_of_the_released_recipe(sample):
    """Many more resamples than the recipe's 100 a band."""
    BANDED.hold()
    found = sample[1]
    assert typical_law()[~found.typical].max() == 0


def test_causal_weights_differ_from_bands_where_typicality_depends_on_the_band(sample):
    triple, found = sample
    each = weights(triple, found, SIZE)
    totals = {name: weight.sum(axis=-1) for name, weight in each.items()}
    marked = each["causal, u = typical"]
    for band, row in enumerate(each["bands"] > 0):
        share = found.typical.mean()
        if found.typical[row].any() and not found.typical[row].all():
            assert totals["causal, u = typical"][band] == pytest.approx(1, abs=1e-12)
            assert marked[band][found.typical].sum() == pytest.approx(share, abs=1e-12)
    # Each inner band's weights estimate the integral of a kernel: 1; some 100 corpora there, five deviations.
    np.testing.assert_allclose(totals["causal, u = mean log p₊"][3:7], 1, atol=0.5)


def test_measures_name_every_law_and_quantity(sample):
    table = pd.DataFrame(measures(*sample, SIZE), columns=["law", "quantity", "value"])
    counts = table.groupby("quantity").size().to_dict()
    assert counts == {"pearson": 8, "spearman": 8, "slope": 8, "overlap": 2}
    pearson = table[table["quantity"] == "pearson"].set_index("law")["value"]
    assert pearson["corpora, as drawn"] == pytest.approx(np.corrcoef(sample[1].x, sample[1].r)[0, 1], abs=1e-9)
    slope = table[table["quantity"] == "slope"].set_index("law")["value"]
    assert slope["corpora, as drawn"] == pytest.approx(np.polyfit(sample[1].x, sample[1].r, 1)[0], rel=1e-6)
    # Inside the typical set r = -x + const ± epsilon.
    assert slope["bands, typical"] == pytest.approx(-1, abs=0.25)


def test_replications_are_summarised_by_kind():
    def worlds(seed):
        for replication in range(5):
            rng = np.random.default_rng([seed, replication])
            yield unrelated(dirichlet_triple(rng), rng), rng

    table = over_replications({"unrelated": worlds(0)}, 200, SIZE, EPSILON)
    assert list(table) == columns_of("toy_reversal_seeds")
    assert (table["replications"] == 5).all()
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    pd.testing.assert_frame_equal(table, over_replications({"unrelated": worlds(0)}, 200, SIZE, EPSILON))
    assert not table.equals(over_replications({"unrelated": worlds(1)}, 200, SIZE, EPSILON))
    pearson = table[table["quantity"] == "pearson"].set_index("law")["value"]
    assert pearson["corpora, typical"] < -0.5 < pearson["corpora, as drawn"]


def test_bad_input_is_named():
    triple = dirichlet_triple(np.random.default_rng(0), 20, 1.0)
    rng = np.random.default_rng(0)
    for corpora, size in ((0, 10), (10, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            drawn(triple, corpora, size, 0.1, rng)
    with pytest.raises(ValueError, match="epsilon"):
        drawn(triple, 10, 10, 0.0, rng)
    constant = Triple(triple.log_prior, triple.log_prior, np.zeros(20))
    with pytest.raises(ValueError, match="constant"):
        list(measures(constant, drawn(constant, 50, 10, 10.0, rng), 10))
    with pytest.raises(ValueError, match="finite"):
        drawn(Triple(triple.log_prior, triple.log_aligned, np.full(20, -np.inf)), 5, 5, 0.1, rng)


def test_the_slope_keeps_its_digits_where_corpora_hardly_differ():
    """Against fractions, on rewards far from 0; the control, which centres one side only, loses them."""
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=300) * 2**28) / 2**40 - 7  # dyadic, so that the fractions are the numbers
    r = np.round(rng.normal(size=300) * 2**20) / 2**30 + 2**10
    one, other = ([Fraction(value) - sum(map(Fraction, some)) / 300 for value in some] for some in (x, r))
    exact = float(sum(a * b for a, b in zip(one, other, strict=True)) / sum(a * a for a in one))
    [slope] = (value for _, name, value in _measured("corpora", x, r, np.ones(300)) if name == "slope")
    dx = x - x.mean()
    assert slope == pytest.approx(exact, rel=1e-12)  # deviations of 1e-3 are right to 1e-13 of their size
    assert dx @ r / (dx @ dx) != pytest.approx(exact, rel=1e-6)
