"""How we would know: what became of planted bugs, mutants and faults, from tables that their commands store."""

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path

from figures.report.sampled import weighted_share

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Evidence:
    """One table: its words, the command that makes it again, its sum as numbers and in a line, its cells as text."""

    name: str
    title: str
    text: str
    command: str
    some: float
    every: float
    sum: str
    columns: list[str]
    rows: list[list[str]]


def evidence(folder: Path = HERE) -> list[Evidence]:
    """The tables of `evidence.toml` that are stored in `folder`/evidence, in its order."""
    listed = tomllib.loads((folder / "evidence.toml").read_text(encoding="utf-8"))["table"]
    return [_read(one, path) for one in listed if (path := folder / "evidence" / f"{one['name']}.csv").is_file()]


def _read(about: dict, path: Path) -> Evidence:
    columns, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    if "count" in about:
        some, every = sum(row[columns.index(about["count"])] == "true" for row in rows), len(rows)
    else:
        some, every = (sum(int(row[columns.index(name)]) for row in rows) for name in about["total"])
    said = f"{some:,} of {every:,} {about['unit']}"
    if "weight" in about:
        names = (about["weight"], *reversed(about["total"]))
        share, low, high = weighted_share(tuple(int(row[columns.index(name)]) for name in names) for row in rows)
        said += f", weighted {share:.3f} [{low:.3f}, {high:.3f}]"
    return Evidence(about["name"], about["title"], about["text"], about["command"], some, every, said, columns, rows)
