"""The benchmark measures what it says; how fast it was is no matter of tests."""

import pytest

from toy.benchmark import COMMAND, benchmark


def test_rows_say_what_was_timed():
    table = benchmark(corpora=4, size=500, many=8, recipe=2)
    columns = ["method", "corpora", "size", "strings", "seconds", "measured_corpora", "speed_up", "command"]
    assert list(table.columns) == columns
    assert table["method"].tolist() == ["draw by draw, as published", "counts", "counts"]
    assert table["strings"].tolist() == [2000, 2000, 4000]
    assert table["measured_corpora"].tolist() == [2, 4, 8]
    assert (table["seconds"] > 0).all()
    assert table["speed_up"].iloc[0] == 1
    assert (table["command"] == COMMAND).all()
    per_string = table["seconds"] / table["strings"]
    assert table["speed_up"].iloc[2] == pytest.approx(per_string.iloc[0] / per_string.iloc[2])


@pytest.mark.parametrize("bad", ["corpora", "size", "many", "recipe"])
def test_bad_numbers_are_named(bad):
    with pytest.raises(ValueError, match=r"^corpora, size, many and recipe must be at least 1"):
        benchmark(**({"corpora": 2, "size": 10, "many": 2, "recipe": 1} | {bad: 0}))
