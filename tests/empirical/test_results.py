"""A results folder: tables, ledger and manifest whole or absent."""

import json

import pandas as pd
import pytest

from empirical.errors import InputError
from empirical.results import Results, checked_with
from theory.ledger import Check, Control, Entry


def entry(name, seconds):
    check = Check("c", "o", 1, 0.0, 1.0, True)
    return Entry(name, "tan", "w", "k", "s", "holds", "", (check,), (Control("x", True),), seconds)


def test_ledger_is_merged_by_id(tmp_path):
    results = Results.open(tmp_path, "smoke")
    results.write_ledger([entry("tan.b", 1.0), entry("tan.a", 1.0)])
    results.write_ledger([entry("tan.b", 2.0)])
    rows = json.loads((tmp_path / "smoke" / "ledger.json").read_text())
    assert [(row["id"], row["seconds"]) for row in rows] == [("tan.a", 1.0), ("tan.b", 2.0)]


def test_tables_and_manifest(tmp_path):
    results = Results.open(tmp_path, "smoke")
    results.write_tables({"t": pd.DataFrame({"x": [1.5]})})
    results.note(seed=3)
    assert (tmp_path / "smoke" / "tables" / "t.csv").read_text() == "x\n1.5\n"
    manifest = json.loads((tmp_path / "smoke" / "manifest.json").read_text())
    assert manifest["seed"] == 3
    assert "torch" in manifest["versions"]
    assert not list((tmp_path / "smoke").rglob(".*"))


def test_verdicts_are_kept_only_for_the_same_code_and_seed(tmp_path):
    results = Results.open(tmp_path, "smoke")
    assert results.checked(checked_with(0)) == {}
    results.write_ledger([entry("tan.a", 1.0)])
    results.note(checked=checked_with(0))
    assert results.checked(checked_with(0)) == {"tan.a": entry("tan.a", 1.0)}
    assert results.checked(checked_with(1)) == {}
    assert results.checked(checked_with(0) | {"code": "another"}) == {}


def test_unwritable(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match="choose another --out"):
        Results.open(blocked, "smoke")
