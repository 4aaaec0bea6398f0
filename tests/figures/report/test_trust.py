"""The part on planted bugs, mutants and faults shows the stored tables, whole, with the commands that make them."""

import pandas as pd
import pytest

from figures.report import build
from figures.report.trust import HERE, evidence

STORED = evidence()


@pytest.mark.parametrize("one", STORED, ids=lambda one: one.name)
def test_what_is_shown_is_what_is_stored(one):
    table = pd.read_csv(HERE / "evidence" / f"{one.name}.csv", dtype=str, keep_default_na=False)
    assert one.columns == list(table.columns)
    assert one.rows == table.to_numpy().tolist()


def test_every_stored_table_is_listed():
    assert {path.stem for path in (HERE / "evidence").glob("*.csv")} == {one.name for one in STORED}


def test_the_sums_count_rows_or_add_columns(tmp_path):
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence.toml").write_text(
        '[[table]]\nname = "a"\ntitle = "A"\ntext = "<t>"\ncommand = "run a"\ncount = "ok"\nunit = "bugs"\n'
        '[[table]]\nname = "b"\ntitle = "B"\ntext = "t"\ncommand = "run b"\ntotal = ["k", "n"]\nunit = "mutants"\n'
        '[[table]]\nname = "s"\ntitle = "S"\ntext = "t"\ncommand = "run s"\n'
        'total = ["k", "n"]\nweight = "m"\nunit = "sampled"\n'
        '[[table]]\nname = "c"\ntitle = "C"\ntext = "t"\ncommand = "run c"\ncount = "ok"\nunit = "-"\n'
    )
    (tmp_path / "evidence" / "a.csv").write_text("name,ok\nx,true\ny,false\n")
    (tmp_path / "evidence" / "b.csv").write_text("module,k,n\nx,900,1000\ny,90,100\n")
    (tmp_path / "evidence" / "s.csv").write_text("module,m,n,k\nx,3000,10,10\ny,10,10,5\nz,0,0,0\n")
    assert [(one.name, one.sum) for one in evidence(tmp_path)] == [
        ("a", "1 of 2 bugs"),
        ("b", "990 of 1,100 mutants"),
        ("s", "15 of 20 sampled, weighted 0.998 [0.722, 1.000]"),
    ]


def test_the_page_has_them(tmp_path):
    page = build(tmp_path).read_text(encoding="utf-8")
    assert 'id="trust"' in page
    assert all(one.command in page and one.sum in page for one in STORED)
