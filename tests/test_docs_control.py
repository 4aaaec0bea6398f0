"""What the page on control says runs: its commands on the tiny model, then its Python, in one go."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from empirical import align, align_sweep, fit_scorer
from empirical.alignment_methods import Method

PAGE = (Path(__file__).parents[1] / "docs" / "control.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_it_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (making, training) = (shlex.split(line) for block in blocks("sh") for line in block.splitlines())
    assert making[:2] == ["python", "-c"]
    exec(making[2], {})
    assert training[:3] == ["python", "-m", "empirical.fit_scorer"]
    app = typer.Typer()
    app.command()(fit_scorer.main)
    ended = CliRunner().invoke(app, training[3:])
    assert ended.exit_code == 0, ended.output
    for name in ("scorer.safetensors", "config.json", "card.json"):
        assert (tmp_path / "mine" / "scorer" / name).is_file()
        assert f"`{name}`" in PAGE
    names: dict[str, object] = {}
    for number, code in enumerate(blocks("python")):
        exec(compile(code, f"control.md, block {number}", "exec"), names)
    said = capsys.readouterr().out
    assert "KL to the base, exact along each answer:" in said
    assert all(kl >= 0 for kl in map(float, re.findall(r"\d\.\d+", said.partition("answer:")[2].splitlines()[0])))


@pytest.mark.parametrize("module", [align.main, align_sweep.sweep])
def test_the_methods_it_names(module):
    app = typer.Typer()
    app.command()(module)
    assert "--task" in CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    named = re.search(r"--method (\w+)` \(also ([^)]*)\)", PAGE)
    assert {named[1], *re.findall(r"`([\w-]+)`", named[2])} == set(Method)
