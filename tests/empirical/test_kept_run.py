"""What is kept of a run: no text a model wrote, no path, every verdict; and that what is kept is whole."""

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from empirical import kept_run

DOCS = Path(__file__).parents[2] / "docs"
ENTRY = {"paper": "tan", "kind": "experiment", "statement": "It rises | it falls. Here: 3.", "verdict": "inconclusive"}


def command(*arguments):
    app = typer.Typer()
    app.command()(kept_run.main)
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_what_is_kept(tmp_path):
    results, out = tmp_path / "results", tmp_path / "out"
    for name in ("tan_schemes", "tan_strings", "tan_emp_secret_strings", "tan_samples", "cd_fig3", "tan_emp_alone"):
        path = results / "tables" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a\n1\n", encoding="utf-8")
    (results / "figures").mkdir()
    for name in ("tan_fig2.png", "tan_fig2.pdf", "cd_fig3.png"):
        (results / "figures" / name).write_bytes(b"x")
    rows = [
        {"id": "tan.emp.x", **ENTRY},
        {"id": "tan.thm1", **ENTRY, "kind": "theorem"},
        {"id": "cd.x", **ENTRY, "paper": "cd"},
    ]
    (results / "ledger.json").write_text(json.dumps(rows), encoding="utf-8")
    manifest = {"command": f"python paper_repro.py run tan.emp --out {results} --first 9", "seconds": 120.0}
    (results / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert command(results, out).exit_code == 0
    kept = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert kept == {"tables/tan_schemes.csv", "figures/tan_fig2.png", "manifest.json", "ledger.json", "README.md"}
    assert [entry["id"] for entry in json.loads((out / "ledger.json").read_text())] == ["tan.emp.x"]
    text = (out / "README.md").read_text(encoding="utf-8")
    assert "`python paper_repro.py run tan.emp --first 9`, 2 minutes" in text
    assert "| `tan.emp.x` | inconclusive | It rises \\| it falls. Here: 3. |" in text
    assert str(tmp_path) not in text + (out / "manifest.json").read_text(encoding="utf-8")


def test_no_run_there(tmp_path):
    ended = command(tmp_path, tmp_path / "out")
    assert ended.exit_code == 2
    assert "There is no run in" in ended.output


def test_kept_pages_say_what_their_ledgers_say():
    folders = [path.parent for path in DOCS.rglob("ledger.json")]
    assert folders
    for folder in folders:
        entries, manifest = (
            json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("ledger", "manifest")
        )
        figures = sorted(path.stem for path in (folder / "figures").glob("*.png"))
        assert (folder / "README.md").read_text("utf-8") == kept_run.page(entries, manifest, figures)
        assert not any(kept_run.left_out(path.stem) for path in (folder / "tables").glob("*.csv"))
