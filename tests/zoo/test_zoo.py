"""The zoo's patches are well formed and apply; five of them, other ones in every run, are planted and noticed."""

import csv
import random
import subprocess
from dataclasses import replace

import pytest

from tests.zoo import planting
from tests.zoo.__main__ import TABLE, main, table
from tests.zoo.entries import entries, read
from tests.zoo.planting import ROOT, Found, failures, plant

ALL = entries()
DRAWN = 5


def test_every_pitfall_of_the_field_is_planted():
    assert {number for entry in ALL for number in entry.pitfalls} == set(range(1, 48))


def test_the_stored_table_is_of_the_zoo_as_it_is():
    rows = list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines()))
    assert [row["entry"] for row in rows] == [entry.name for entry in ALL]
    for row, entry in zip(rows, ALL, strict=True):
        assert (row["bug"], int(row["tests"]), row["killed"]) == (entry.bug, len(entry.tests), "true")


@pytest.mark.parametrize("entry", ALL, ids=lambda entry: entry.name)
def test_a_patch_changes_our_code_alone_and_applies(entry):
    assert entry.touches
    assert all(name.split("/")[0] in ("theory", "toy", "empirical", "figures") for name in entry.touches)
    done = subprocess.run(["git", "apply", "--check", "-"], cwd=ROOT, input=entry.diff, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_a_patch_without_its_headers_or_with_one_test_is_refused(tmp_path):
    written, path = (ROOT / "tests/zoo/patches" / f"{ALL[0].name}.patch").read_text(), tmp_path / "x.patch"
    lines = written.splitlines(keepends=True)
    for gone in range(3):
        path.write_text("".join(lines[:gone] + lines[gone + 1 :]))
        with pytest.raises(ValueError, match="needs the headers"):
            read(path)
    for tests in ([], lines[3:4], [lines[3], lines[3]]):
        path.write_text("".join([*lines[:3], *tests, "\n", "--- a/x\n"]))
        with pytest.raises(ValueError, match="2 or more different tests"):
            read(path)


@pytest.mark.parametrize("place", range(DRAWN))
def test_five_drawn_at_random_are_noticed(place):
    """One of every fifth entry, by chance: a failure names it, and `python -m tests.zoo NAME` does it again."""
    found = plant(random.SystemRandom().choice(ALL[place::DRAWN]))
    assert found.killed, (found.entry.name, found.fault, found.failed)


def test_a_bug_that_is_none_lives_and_a_patch_of_the_past_is_a_fault(monkeypatch, capsys):
    """A comment harms nobody; a patch to a line that is not there is said not to apply. Either ends with 1."""
    harmless = replace(ALL[0], diff="--- /dev/null\n+++ b/theory/new.py\n@@ -0,0 +1 @@\n+# nothing\n")
    past = replace(ALL[0], diff="--- a/theory/arrays.py\n+++ b/theory/arrays.py\n@@ -1 +1 @@\n-never there\n+now\n")
    lived, gone = plant(harmless), plant(past)
    assert (lived.killed, lived.failed, lived.fault) == (False, (), "")
    assert (gone.killed, "no longer applies" in gone.fault) == (False, True)
    for found in (lived, gone):
        monkeypatch.setattr("tests.zoo.__main__.plant", lambda _, found=found: found)
        monkeypatch.setattr("tests.zoo.__main__.red_without_bug", lambda _: [])
        assert main([ALL[0].name, "--json"]) == 1
        assert '{"entries": 1, "killed": 0}' in capsys.readouterr().out


def test_a_test_that_is_red_without_any_bug_notices_nothing(monkeypatch, capsys):
    killed = Found(ALL[0], ALL[0].tests)
    monkeypatch.setattr("tests.zoo.__main__.plant", lambda _: killed)
    for red, code in (([], 0), ([ALL[0].tests[0]], 1)):
        monkeypatch.setattr("tests.zoo.__main__.red_without_bug", lambda _, red=red: red)
        assert main([ALL[0].name]) == code
    assert "fails without any bug" in capsys.readouterr().err
    assert ",2,2,true" in table([killed])
    assert not replace(killed, failed=killed.failed[:1]).killed


def test_a_test_that_cannot_start_crashes_or_hangs_has_not_failed(tmp_path, monkeypatch):
    lines = "def test_a(gone): pass", "def test_b(): assert 0", "def test_c(): assert 1", "def test_d(): len(0)"
    (tmp_path / "test_x.py").write_text("\n".join(lines))
    names = [f"test_x.py::test_{name}" for name in "abcd"]
    assert failures(tmp_path, names) == ["test_x.py::test_b"]
    assert failures(tmp_path, names, crashes=True) == ["test_x.py::test_b", "test_x.py::test_d"]
    monkeypatch.setattr(planting, "SECONDS", 0.01)
    assert failures(tmp_path, names) == []
