"""The fuzzer finds a planted bug, with atheris and without, and says how to have atheris where it is not."""

import csv
from importlib.util import find_spec

import pytest

from tests.fuzz import guided


@pytest.mark.parametrize("how", [["--random"], []])
def test_a_planted_bug_is_found(how, capsys):
    """Behind three bytes of zero: `spoilt` gives 100 of them in one file of 45; atheris learns them."""
    if not how and find_spec("atheris") is None:
        pytest.skip("atheris is not installed")
    assert guided.main(["--readers", "planted", "--seconds", "30", *how]) == 1
    assert not list(guided.ROOT.glob("crash-*")), "an input that was found stays in the temporary folder"
    out, err = capsys.readouterr()
    assert out.startswith("planted ")
    assert out.rstrip().endswith(" 1 false")
    assert "KeyError" in err


def test_a_sound_reader_ends_with_0_and_its_row_is_stored(monkeypatch, tmp_path):
    monkeypatch.setattr(guided, "TABLE", tmp_path / "fuzz.csv")
    older = "target,executions,seconds,findings,sound\nshape,1,1,1,false\nother,9,9,0,true\n"
    (tmp_path / "fuzz.csv").write_text(older)
    assert guided.main(["--readers", "shape", "--seconds", "1", "--random", "--store"]) == 0
    columns, other, found = (tmp_path / "fuzz.csv").read_text().splitlines()
    assert other == "other,9,9,0,true", "what was not measured now stays"
    assert columns == "target,executions,seconds,findings,sound"
    name, executions, _, findings, sound = found.split(",")
    assert (name, findings, sound) == ("shape", "0", "true")
    assert int(executions) > 0


def test_the_stored_rows_are_of_readers_that_there_are():
    rows = list(csv.DictReader(guided.TABLE.read_text(encoding="utf-8").splitlines()))
    assert {row["target"] for row in rows} <= set(guided.names())
    assert all(row["sound"] == "true" for row in rows)


def test_without_atheris_one_sentence_says_how_to_have_it(monkeypatch, capsys):
    monkeypatch.setattr(guided, "find_spec", lambda name: None)
    assert guided.main(["--readers", "planted"]) == 2
    assert capsys.readouterr().err == guided.ABSENT + "\n"
