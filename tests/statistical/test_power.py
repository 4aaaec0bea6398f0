"""The measured table: counts that are right, limits that are Clopper and Pearson's, and rows that belong to a test."""

import csv

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from tests.statistical import __main__ as command
from tests.statistical import power
from tests.statistical.p_values import binomial
from tests.statistical.randomised import REGISTRY, SHARE, Randomised, declared
from tests.stored import written

KNOWN = {(one.file, one.name): one for one in declared()}


@pytest.fixture
def coins(monkeypatch):
    """Half of the planted draws of 300 are noticed."""
    monkeypatch.setattr(power, "REPETITIONS", 300)
    yield Randomised(
        "tests.example",
        "coin",
        draw=lambda rng: rng.binomial(1000, 0.5),
        judge=lambda hits: binomial(hits, 1000, 0.5),
        planted={"half of the time": lambda rng: 900 * rng.integers(2) + 50, "never": lambda rng: 500},
        sample="1,000 throws",
    )
    del REGISTRY["tests.example", "coin"]


def test_rows(coins):
    half, never = power.rows(coins, 60)
    assert (half["repetitions"], half["honest"], half["false_alarms"]) == (300, 300, 0)
    assert half["rejected"] == 300  # 50 and 950 are both refused
    assert (never["rejected"], never["lower_bound"], never["planted"]) == (0, "0.00000", "never")
    assert half["file"] == "tests/example.py"
    assert list(half) == list(power.COLUMNS)
    text = written(power.COLUMNS, [half, never])
    assert [row["planted"] for row in csv.DictReader(text.splitlines())] == ["half of the time", "never"]


@pytest.mark.parametrize(("rejected", "of"), [(3000, 3000), (2990, 3000), (20, 20), (7, 20)])
def test_lower_bound(rejected, of):
    oracle = binomtest(rejected, of, alternative="greater").proportion_ci(0.95, "exact")
    assert power.lower_bound(rejected, of) == pytest.approx(oracle.low, abs=1e-12)
    assert power.lower_bound(0, of) == 0


def test_no_time_is_three_draws(coins):
    assert power.repeated(coins, coins.planted["never"], 0.0, 1) == (3, 0, [])


def few(trials, judge, draw):
    """A test of counts, not kept in the registry."""
    made = Randomised("tests.example", "few", draw, judge, {"wrong": draw}, "few", trials)
    del REGISTRY["tests.example", "few"]
    return made


@pytest.mark.parametrize("q", [0.5, 0.6, 0.7, 0.8])
def test_the_power_by_trials_is_a_lower_bound_and_near(q):
    """The oracle: the exact power at the true q, which lies above the bound and, after many draws, near it."""
    one = few(100, lambda hits: binomial(hits, 100, 0.9, 1), lambda rng: rng.binomial(100, q))
    accepted = [hits for hits in range(101) if one.accepts(hits)]
    exact = 1 - binom.pmf(accepted, 100, q).sum()
    bounds = [power.by_trials(one, power.repeated(one, one.draw, 60, seed)[2][:count]) for seed, count in
              ((1, 3), (1, 3000))]  # fmt: skip
    assert bounds[0] <= exact
    assert exact - 0.03 <= bounds[1] <= exact
    assert one.trials * 3000 > 1e5


def test_of_two_figures_the_one_that_is_refused_counts():
    one = few(60, lambda found: binomial(np.array(found), 60, 0.9, 1), lambda rng: (rng.binomial(60, 0.95), 6))
    assert power.by_trials(one, [one.draw(np.random.default_rng(0)) for _ in range(3)]) > 0.999
    honest = few(60, lambda found: binomial(np.array(found), 60, 0.9, 1), lambda rng: (57, 58))
    assert power.by_trials(honest, 3 * [(57, 58)]) < 1e-3


def test_older_rows_are_kept_unless_measured_again_or_forgotten():
    """Also if a run is cut short: what it has not measured stays."""
    blank = dict.fromkeys(power.COLUMNS, "")
    rows = [blank | dict(zip(command.ROW, key, strict=True)) for key in ("bxp", "bxq", "axp", "bgp", "bxg")]
    known = {("a", "x", "p"), ("b", "x", "p"), ("b", "x", "q")}
    new = [blank | {"file": "b", "test": "x", "planted": "p", "repetitions": 9}]
    found = list(csv.DictReader(command.merged(written(power.COLUMNS, rows), new, known).splitlines()))
    assert [(row["file"], row["planted"], row["repetitions"]) for row in found] == [
        ("a", "p", ""), ("b", "q", ""), ("b", "p", "9"),
    ]  # fmt: skip


def test_the_stored_table_is_of_the_suite_as_it_is():
    """Each wrong version of each test has its row, refused in 999 of 1,000 or more, with no false alarm."""
    rows = list(csv.DictReader(command.TABLE.read_text(encoding="utf-8").splitlines()))
    found = {(row["file"], row["test"], row["planted"]) for row in rows}
    assert found == {(*key, effect) for key, one in KNOWN.items() for effect in one.planted}
    assert len(rows) == len(found)
    for row in rows:
        assert int(row["rejected"]) >= 0.999 * int(row["repetitions"]), row
        assert int(row["false_alarms"]) == 0, row
        if KNOWN[row["file"], row["test"]].trials:  # by the trials inside its draws
            assert float(row["lower_bound"]) >= 0.999, row
        else:
            bound = power.lower_bound(int(row["rejected"]), int(row["repetitions"]))
            assert np.floor(1e5 * bound) / 1e5 == pytest.approx(float(row["lower_bound"]))
    assert SHARE * sum(int(row["honest"]) for row in rows) < 0.01, "one alarm would not be chance"
