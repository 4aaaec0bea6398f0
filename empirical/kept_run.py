"""Keep what a long run found: `python -m empirical.kept_run results/paper docs/tradeoff/long --paper tan`.

Its tables but those of single answers, its figures, its manifest, the ledger's empirical entries, and a page of their
verdicts. Nothing that a model wrote is kept.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from empirical.errors import InputError, one_sentence
from theory.files import write_text

LEFT_OUT = ("samples", "strings", "alone", "corpora")
"""Parts of the names of tables with a row an answer or a drawn corpus."""


def main(
    results: Annotated[Path, typer.Argument(help="A run's folder, such as results/paper.")],
    out: Annotated[Path, typer.Argument(help="Where what is kept goes.")],
    paper: Annotated[str, typer.Option(help="tan, cd or chang: whose tables, figures and experiments.")] = "tan",
) -> None:
    """Copy, and write README.md."""
    with one_sentence():
        if not (results / "ledger.json").is_file():
            raise InputError(f"There is no run in {results}; name the folder that holds ledger.json.")
        keep(results, out, paper)


def keep(results: Path, out: Path, paper: str) -> None:
    """Copy what is kept into `out`, and write its page."""
    ledger = json.loads((results / "ledger.json").read_text(encoding="utf-8"))
    entries = [entry for entry in ledger if entry["paper"] == paper and entry["kind"] == "experiment"]
    tables = [path for path in sorted((results / "tables").glob(f"{paper}_*.csv")) if not left_out(path.stem)]
    figures = sorted((results / "figures").glob(f"{paper}_*.png"))
    for name, paths in (("tables", tables), ("figures", figures)):
        (out / name).mkdir(parents=True, exist_ok=True)
        for path in paths:
            shutil.copyfile(path, out / name / path.name)
    manifest = json.loads((results / "manifest.json").read_text(encoding="utf-8"))
    manifest["command"] = without_paths(manifest.get("command", ""))
    write_text(out / "manifest.json", json.dumps(manifest, indent=1) + "\n")
    write_text(out / "ledger.json", json.dumps(entries, indent=1) + "\n")
    write_text(out / "README.md", page(entries, manifest, [path.stem for path in figures]))


def left_out(table: str) -> bool:
    """Whether a table has a row an answer."""
    return any(part in table.split("_") for part in LEFT_OUT)


def without_paths(command: str) -> str:
    """A command without the folder that it wrote to.

    >>> without_paths("python paper_repro.py run tan.emp --out /somewhere --first 10")
    'python paper_repro.py run tan.emp --first 10'
    """
    words = command.split()
    return " ".join(word for k, word in enumerate(words) if "--out" not in (word, words[k - 1] if k else ""))


def page(entries: Sequence[Mapping[str, Any]], manifest: Mapping[str, Any], figures: Sequence[str]) -> str:
    """The page: the command, the verdicts with what was measured, the figures."""
    lines = [
        "# A run and its verdicts",
        "",
        f"Made by `{manifest['command']}`, {manifest.get('seconds', 0) / 60:.0f} minutes in its last run; rows that an",
        "earlier run had drawn were read. What the verdicts go by, and every check and control, is in `ledger.json`;",
        "`manifest.json` has models, versions and seed. This file is written by `python -m empirical.kept_run`.",
        "",
        "| id | verdict | sentence, and what was measured |",
        "| --- | --- | --- |",
        *(f"| `{one['id']}` | {one['verdict']} | {one['statement'].replace('|', chr(92) + '|')} |" for one in entries),
        "",
        *(f"![{name}](figures/{name}.png)" for name in figures),
    ]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    typer.run(main)
