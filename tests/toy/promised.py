"""What the tables of the exact worlds promise their readers: their columns in order, and the words that stand in them.

The promises are in promised.toml; `words` are those of columns that hold a dozen at most.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

TABLES: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
OF_THE_MACHINE = {"fingerprint", "python"}


def said(table: pd.DataFrame) -> dict[str, Any]:
    """The columns of a table, and the words of each column that holds a few."""
    texts = table.select_dtypes(exclude=["number", "bool"])
    words = {name: sorted(set(texts[name].dropna().astype(str))) for name in texts if name not in OF_THE_MACHINE}
    return {"columns": list(table.columns)} | {name: found for name, found in words.items() if len(found) <= 12}


def columns_of(name: str) -> list[str]:
    """The columns that a table promises."""
    columns: list[str] = TABLES[name]["columns"]
    return columns


def keeps_its_promise(prefix: str, tables: Mapping[str, pd.DataFrame]) -> bool:
    """Whether an experiment's tables are those that are promised under this prefix."""
    found = {name: said(table) for name, table in tables.items()}
    promised = {name: table for name, table in TABLES.items() if name.startswith(prefix)}
    assert found == promised  # here, so that pytest shows what differs
    return bool(promised)
