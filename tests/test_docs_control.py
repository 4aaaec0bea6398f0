"""The page on control names the methods that there are."""

import re

import pytest
import typer
from typer.testing import CliRunner

from empirical import align, align_sweep
from empirical.alignment_methods import Method
from tests.documents import text


@pytest.mark.parametrize("module", [align.main, align_sweep.sweep])
def test_the_methods_it_names(module):
    app = typer.Typer()
    app.command()(module)
    assert "--task" in CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    named = re.search(r"--method (\w+)` \(also ([^)]*)\)", text("docs/control.md"))
    assert {named[1], *re.findall(r"`([\w-]+)`", named[2])} == set(Method)
