"""Every exact world runs at the size of a test, and gives the same tables every time."""

import pandas as pd
import pytest

from toy import experiments
from toy.experiments import EXPERIMENTS, run_all


@pytest.fixture(scope="module")
def made():
    return dict(run_all(list(EXPERIMENTS), 0, True))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_tables_have_rows_and_names_of_their_own(made, name):
    others = {table for other in EXPERIMENTS if other != name for table in made[other]}
    assert made[name]
    assert not others & set(made[name])
    for table in made[name].values():
        assert len(table)
        assert not table.columns.duplicated().any()


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name != "toy.simpson"])
def test_the_same_seed_gives_the_same_tables(made, name):
    again = EXPERIMENTS[name](0, True)
    for table, frame in made[name].items():
        pd.testing.assert_frame_equal(frame, again[table])


def test_a_failure_in_another_process_is_heard(monkeypatch):
    monkeypatch.setitem(experiments.EXPERIMENTS, "toy.broken", _broken)
    with pytest.raises(ValueError, match="impossible world"):
        list(run_all(["toy.broken"], 0, True))


def _broken(seed, small):
    raise ValueError("an impossible world")
