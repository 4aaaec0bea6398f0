"""What ships of the study: per-prompt rows from which every table and verdict is computed again."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from empirical.errors import InputError
from empirical.shipped import shipped
from theory.files import write_text

NAMES = ("cells", "predictions", "pairs")
DIGITS = 6  # of what ships: far below any interval


def save(folder: Path, tables: dict[str, pd.DataFrame | None], about: dict[str, Any]) -> None:
    """Write <name>.csv of each table there is, and about.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        if table is not None:
            write_text(folder / f"{name}.csv", table.round(DIGITS).to_csv(index=False))
    write_text(folder / "about.json", json.dumps(about, indent=1) + "\n")


def read(folder: Path | None = None) -> tuple[dict[str, pd.DataFrame | None], dict[str, Any]]:
    """The tables by name, None where one does not ship, and what about.json says. Raises InputError without cells."""
    folder = folder or shipped("controlled")
    if not (folder / "cells.csv").is_file():
        raise InputError(
            f"There are no rows of controlled decoding in {folder}; `python -m empirical.studies.controlled.run` makes "
            "them."
        )
    tables: dict[str, pd.DataFrame | None] = {}
    for name in NAMES:
        path = folder / f"{name}.csv"
        tables[name] = pd.read_csv(path, keep_default_na=False, na_values=[""]) if path.is_file() else None
    cells = tables["cells"]
    assert cells is not None
    tables["cells"] = cells.fillna({"scorer": "", "knob": ""})
    return tables, json.loads((folder / "about.json").read_text(encoding="utf-8"))
