"""Figures and the report: they read tables and run nothing."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pandas as pd

from figures import style

_NAMES = [
    "tan_fig2",
    "tan_fig3",
    "tan_decomposition",
    "tan_prediction",
    "tan_adapters",
    "cd_fig3",
    "cd_fig4",
    "cd_fig5",
    "cd_fig6",
    "cd_fig7",
    "cd_fig8",
    "cd_fig9",
    "cd_fig10",
    "cd_fig11",
    "cd_fig12",
    "cd_fig13",
    "cd_table1",
    "chang_tradeoffs",
    "chang_relevance",
    "tan_fig1",
    "reversal",
    "tilts",
    "adaptor_control",
    "normalisation",
    "concentration",
    "controlled",
    "controlled_findings",
    "evidence",
    "anti_attribution",
]
FIGURES: dict[str, ModuleType] = {name: import_module(f"figures.{name}") for name in _NAMES}
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
