"""Figures and the report: they read tables and run nothing."""

from pathlib import Path
from types import ModuleType

import pandas as pd

from figures import style, tan_fig1, tan_fig2

FIGURES: dict[str, ModuleType] = {module.__name__.removeprefix("figures."): module for module in (tan_fig1, tan_fig2)}
"""Name -> a module with TABLES (what it draws), CAPTION (its point) and draw(*tables) -> Figure."""


def redraw(results: Path) -> list[str]:
    """Draw every figure whose tables are in `results`; return the names of the figures drawn."""
    drawn = []
    for name, module in FIGURES.items():
        paths = [results / "tables" / f"{table}.csv" for table in module.TABLES]
        if all(path.is_file() for path in paths):
            style.save(module.draw(*map(pd.read_csv, paths)), results / "figures", name)
            drawn.append(name)
    return drawn
