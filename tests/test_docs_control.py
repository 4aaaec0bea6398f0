"""The page on control names the methods that there are, and says of the experiments what the shipped rows say."""

import re

import pytest
import typer
from typer.testing import CliRunner

from empirical import align, align_sweep
from empirical.alignment_methods import Method
from empirical.studies.controlled import shipped_tables
from empirical.studies.controlled.tables import measured_from, tables
from tests.documents import text


@pytest.mark.parametrize("module", [align.main, align_sweep.sweep])
def test_the_methods_it_names(module):
    app = typer.Typer()
    app.command()(module)
    assert "--task" in CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    named = re.search(r"--method (\w+)` \(also ([^)]*)\)", text("docs/control.md"))
    assert {named[1], *re.findall(r"`([\w-]+)`", named[2])} == set(Method)


@pytest.fixture(scope="module")
def findings():
    kept, about = shipped_tables.read()
    size = about["size"]
    data = measured_from(kept["cells"], size["block"], kept["predictions"], kept["pairs"], size["resamples"], 0)
    found = tables(data)["cd_findings"]
    return found[found.decides]


SAID = re.findall(r"\| ([^|]*) \| `(cd\.[\w.]+)`: ([\w-]+) \|", text("docs/control.md"))


@pytest.mark.parametrize(("here", "id", "verdict"), SAID, ids=[id for _, id, _ in SAID])
def test_what_came_out(findings, here, id, verdict):
    """The verdict, and every interval that is told, whichever way round it is told."""
    rows = findings[findings.id == id]
    assert set(rows.verdict) == {verdict}
    measured = [{f"{sign * one.low:.2f}", f"{sign * one.high:.2f}"} for one in rows.itertuples() for sign in (1, -1)]
    told = [set(ends) for ends in re.findall(r"\[(-?[\d.]+), (-?[\d.]+)\]", here)]
    assert told
    assert all(ends in measured for ends in told)


def test_all_experiments_are_told():
    assert {id.split(".")[1] for _, id, _ in SAID} == {f"exp{n}" for n in range(1, 9)} | {"table1"}
