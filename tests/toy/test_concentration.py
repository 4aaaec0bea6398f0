import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.toy.promised import keeps_its_promise
from theory.automata import varentropy
from theory.claims.tan.rational_tails import log_rational_tails
from theory.families import integer_bit_bigram
from toy import concentration

PROBABILITIES = ("toy_concentration_sizes", "toy_concentration_epsilons")


@pytest.fixture(scope="module")
def tables():
    return concentration.run(0)


def wide(table):
    return table.pivot(index=["size", "epsilon"], columns="quantity", values="value")


def test_tables_and_columns(tables):
    assert keeps_its_promise("toy_concentration", tables)
    for table in tables.values():
        assert table.notna().all(axis=None)
        assert table.index.is_unique


def test_small_tables_are_rows_of_the_others_whatever_the_seed(tables):
    for name, table in concentration.run(1, small=True).items():
        columns = [column for column in ("size", "epsilon", "quantity") if column in table]
        rows = table.merge(tables[name], on=columns, suffixes=("", "_full"))
        assert 0 < len(rows) == len(table) < len(tables[name])
        for column in set(table.columns) - set(columns):
            pd.testing.assert_series_equal(rows[column], rows[f"{column}_full"], check_names=False, rtol=1e-12)


def test_truth_against_rational_numbers(tables):
    """The upper tail without rounding; at 4 bits and N >= 48 the lower one is smaller by more than nine digits."""
    rows = tables["toy_concentration_sizes"].query("quantity == 'exact' and 48 <= size <= 96")
    for row in rows.itertuples():
        exact = log_rational_tails(integer_bit_bigram(), row.size, [round(row.size * (19 / 3 + 4))])
        assert np.log(row.value) == pytest.approx(exact[0], abs=1e-9)
    assert len(rows) == 2


@pytest.mark.parametrize("name", PROBABILITIES)
def test_bounds_are_above_and_intervals_hold_the_truth(tables, name):
    table = wide(tables[name])
    for bound in ("chebyshev", "chernoff"):
        assert (table[bound] >= table["exact"]).all()
    interval = tables[name].query("quantity == 'berry_esseen'").set_index(["size", "epsilon"])
    assert ((interval["low"] <= table["exact"]) & (table["exact"] <= interval["high"])).all()
    exact = tables[name].query("quantity == 'exact'")
    assert ((exact["low"] < exact["value"]) & (exact["value"] < exact["high"])).all()
    assert (exact["high"] / exact["low"] - 1 < 1e-8).all()
    ratios = tables[name].pivot(index=["size", "epsilon"], columns="quantity", values="ratio")
    np.testing.assert_allclose(ratios.mul(table["exact"], axis=0), table, rtol=1e-12)


def test_normal_tail_is_below_the_truth_deep_down_only(tables):
    by_size, by_epsilon = (wide(tables[name]).reset_index() for name in PROBABILITIES)
    lost = by_size["normal"] / by_size["exact"]
    assert lost.iloc[0] > 1
    assert (lost[by_size["size"] >= 12] < 0.7).all()
    assert lost.is_monotonic_decreasing
    deep = by_epsilon[by_epsilon["epsilon"] > 4]
    assert (deep["normal"] < 1e-3 * deep["exact"]).all()
    sd = np.sqrt(varentropy(integer_bit_bigram())) / np.log(2)
    z = by_epsilon["epsilon"] * np.sqrt(by_epsilon["size"]) / sd
    np.testing.assert_allclose(by_epsilon["normal"], 2 * stats.norm.sf(z), rtol=1e-9)


def test_sharp_estimate_closes_in_as_one_over_n(tables):
    table = wide(tables["toy_concentration_sizes"]).reset_index()
    error = table["bahadur_rao"] / table["exact"] - 1
    assert (error > 0).all()
    assert error.iloc[-1] == pytest.approx(error.iloc[-3] / 4, rel=0.1)
    assert error.iloc[-1] < 0.01


def test_exponents_are_those_of_the_probabilities_and_meet_the_rate(tables):
    table = wide(tables["toy_concentration_exponents"]).reset_index()
    probabilities = wide(tables["toy_concentration_sizes"]).reset_index()
    for name in ("exact", "chebyshev", "chernoff", "bahadur_rao", "normal"):
        np.testing.assert_allclose(2.0 ** (-table[name] * table["size"]), probabilities[name], rtol=1e-10)
    gap = table["exact"] - table["rate"]
    assert (gap > 0).all()
    # Bahadur and Rao: N times the gap is log2(sqrt N) and a constant, so that it grows by 1 as N does fourfold.
    times = (gap * table["size"]).to_numpy()
    assert times[-1] - times[-3] == pytest.approx(1, abs=0.05)
    assert table["rate"].nunique() == 1
    assert table["normal_rate"].iloc[0] == pytest.approx(4**2 / (2 * 250 / 9) / np.log(2), rel=1e-9)


def test_chebyshev_is_the_tighter_up_to_the_crossing(tables):
    crossing = tables["toy_concentration_crossing"].set_index("size")
    row, table = crossing.loc[concentration.SIZE], wide(tables["toy_concentration_epsilons"]).reset_index()
    unclipped = table[table["chebyshev"] < 1]
    tighter = unclipped["chebyshev"] < unclipped["chernoff"]
    assert (tighter == (unclipped["epsilon"] < row["epsilon"])).all()
    assert tighter.any()
    assert not tighter.all()
    assert (crossing["exact"] < crossing["bound"]).all()
    assert crossing["limit"].nunique() == 1
    assert 2 * row["limit"] == pytest.approx(np.exp(row["limit"] / 2), rel=1e-9)
    assert abs(crossing["x"].iloc[-1] - row["limit"]) < 0.01  # and 9.8 at N = 3
    assert crossing["x"].iloc[0] > 2 * row["limit"]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: concentration.crossing([3, 0]), "at least one string, not 0"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
