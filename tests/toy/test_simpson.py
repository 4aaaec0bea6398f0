import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.toy.promised import keeps_its_promise
from toy import simpson
from toy.corpora import multinomial_counts
from toy.correlations import pearson
from toy.dirichlet import dirichlet_triple, replayed_triple

REQUIRED = (
    "entropy_aligned entropy_prior varentropy_aligned string_pearson_uniform string_spearman_uniform "
    "string_pearson_weighted n_typical corpus_pearson_all corpus_pearson_typical corpus_pearson_typical_banded "
    "corpus_spearman_typical_banded corpus_pearson_atypical_banded median_log_prob_typical_banded "
    "median_log_prob_atypical_banded"
)


@pytest.fixture(scope="module")
def tables():
    return simpson.run(seed=0)


@pytest.fixture(scope="module")
def variants(tables):
    return tables["tan_fig1_variants"].set_index(["variant", "quantity"])


def test_table_has_the_promised_columns_and_quantities(tables):
    assert keeps_its_promise("tan_fig1", tables)
    table = tables["tan_fig1"]
    assert set(REQUIRED.split()) <= set(table["quantity"])
    assert table["quantity"].is_unique
    assert table["value"].notna().all()


def test_replay_has_every_printed_digit(tables):
    table = tables["tan_fig1"].set_index("quantity")
    printed = table[table["reported"].notna()]
    assert len(printed) == 6
    digits = np.where(printed["reported"].abs() > 1, 0, 2)
    rounded = [round(value, digit) for value, digit in zip(printed["value"], digits, strict=True)]
    assert rounded == printed["reported"].tolist()


def test_intervals_belong_to_quantities_that_depend_on_the_draws(tables):
    table = tables["tan_fig1"].set_index("quantity")
    drawn = table.index.str.contains("corpus|median|typical")
    assert table.loc[drawn, ["low", "high"]].notna().all(axis=None)
    assert table.loc[~drawn, ["low", "high"]].isna().all(axis=None)
    assert (table.loc[drawn, "low"] < table.loc[drawn, "high"]).all()


def test_values_are_those_of_the_points_that_the_figure_shows(tables):
    table = tables["tan_fig1"].set_index("quantity")["value"]
    strings = tables["tan_fig1_strings"]
    # 1e-12: the same sums as in the run.
    assert pearson(strings["log_prior"].to_numpy(), strings["reward"].to_numpy()) == pytest.approx(
        table["string_pearson_uniform"], abs=1e-12
    )
    for name, rows in tables["tan_fig1_corpora"].groupby("selection"):
        found = rows["mean_log_prior"].corr(rows["mean_reward"])
        assert found == pytest.approx(table[f"corpus_pearson_{name}"], abs=1e-9)  # cancellation: spread 1e-4 of size
        assert rows["log_prob"].median() == table[f"median_log_prob_{name}"]


def test_weights_turn_the_sign_and_selection_makes_the_size(variants):
    pearson_of = variants["value"].unstack("variant").T
    for world in ("same world", "fresh worlds"):
        assert pearson_of.loc[world, "string_pearson_uniform"] > 0.4
        # Without selection corpora say what weighted strings say: within 5 deviations of a median of 50 sets of 1,000.
        gap = pearson_of.loc[world, "corpus_pearson_all"] - pearson_of.loc[world, "string_pearson_weighted"]
        assert abs(gap) < 5 * 1.25 / np.sqrt(50 * 1000) + (0.05 if world == "fresh worlds" else 0)
    assert pearson_of.loc["same world", "corpus_pearson_all"] < 0


def test_control_an_unrelated_reward_trades_off_as_well(variants):
    control = variants.loc["unrelated reward"]
    assert abs(control.loc["string_pearson_uniform", "value"]) < 0.03  # 50 worlds of deviation .032, median .006
    assert control.loc["corpus_pearson_typical_banded", "high"] < -0.75  # seven deviations above the median
    assert control.loc["corpus_pearson_all_banded", "low"] < 0 < control.loc["corpus_pearson_all_banded", "high"]


def test_narrow_typical_sets_force_minus_one_and_wide_ones_nothing(tables):
    table = tables["tan_fig1_epsilon"].set_index(["variant", "quantity", "epsilon"])["value"].sort_index()
    for world in ("same world", "fresh worlds", "unrelated reward"):
        assert table[world, "pearson", 0.0001] < -0.99
        assert table[world, "share"].is_monotonic_increasing
        assert table[world, "pearson"].is_monotonic_increasing


def test_run_is_a_function_of_its_seed(tables, monkeypatch):
    monkeypatch.setattr(simpson, "REPLICATIONS", 2)
    first, again, other = simpson.run(3), simpson.run(3), simpson.run(4)
    for name in tables:
        pd.testing.assert_frame_equal(first[name], again[name])
    assert not first["tan_fig1_variants"].equals(other["tan_fig1_variants"])
    pd.testing.assert_frame_equal(first["tan_fig1"][["quantity", "value"]], tables["tan_fig1"][["quantity", "value"]])


def test_measures_of_a_small_world_against_enumeration():
    triple = dirichlet_triple(np.random.default_rng(1), objects=6, concentration=2.0)
    measures = simpson.string_measures(triple)
    p = np.exp(triple.log_aligned)
    surprisal = -triple.log_aligned
    assert measures["entropy_aligned"] == pytest.approx(sum(p * surprisal), abs=1e-12)
    assert measures["varentropy_aligned"] == pytest.approx(sum(p * surprisal**2) - sum(p * surprisal) ** 2, abs=1e-12)
    covariance = np.cov(triple.log_prior, triple.reward, aweights=p, ddof=0)
    assert measures["tau_aligned"] == pytest.approx(covariance.sum() / np.trace(covariance), abs=1e-12)
    assert (measures["tau_aligned"] < 1) == (measures["string_pearson_weighted"] < 0)
    # 1e-12, here and above: sums of six numbers of order one, in another order.
    x, r = triple.log_prior, triple.reward
    assert measures["string_pearson_uniform"] == pytest.approx(stats.pearsonr(x, r)[0], abs=1e-12)
    assert measures["string_spearman_uniform"] == pytest.approx(stats.spearmanr(x, r)[0], abs=1e-12)
    assert measures["string_pearson_weighted"] == pytest.approx(pearson(x, r, p), abs=1e-12)
    ranks = [[p @ ((v < one) + (v == one) / 2) for one in v] for v in (x, r)]
    by_hand = np.cov(ranks, aweights=p, ddof=0)
    assert measures["string_spearman_weighted"] == pytest.approx(
        by_hand[0, 1] / np.sqrt(by_hand[0, 0] * by_hand[1, 1]), abs=1e-12
    )


@pytest.mark.parametrize("corpora", [1, 2, 3])
def test_fewer_than_three_corpora_have_no_correlation(corpora):
    """Two points lie on a line whatever they are."""
    rows = pd.DataFrame({"mean_log_prior": [0.0, 1.0, 2.0], "mean_reward": [0.0, 1.0, 0.0]})[:corpora]
    found = simpson._corpus_pearson(rows)
    assert found == pytest.approx(0, abs=1e-12) if corpora == 3 else np.isnan(found)


def test_selections_partition_the_corpora():
    triple, rng = replayed_triple(), np.random.default_rng(0)
    counts = multinomial_counts(triple.log_aligned, 300, simpson.SIZE, rng)
    chosen, measures = simpson.experiment(triple, counts, rng)
    assert len(chosen["typical"]) + len(chosen["atypical"]) == len(chosen["all"]) == 300
    assert measures["n_typical"] == len(chosen["typical"])
    assert set(chosen["typical_banded"].index) <= set(chosen["typical"].index)
    assert set(chosen["atypical_banded"].index) <= set(chosen["atypical"].index)
