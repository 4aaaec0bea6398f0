"""Figures and the report: they read tables and run nothing."""

from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pandas as pd
from matplotlib.figure import Figure

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
"""Name -> a module with COLUMNS (what it reads of which tables), TABLES (their names), CAPTION (its point) and
draw(*tables) -> Figure."""


def draw(name: str, *tables: pd.DataFrame) -> Figure:
    """Draw one figure from tables of your own, given in the order of `FIGURES[name].COLUMNS`.

    Raises ValueError, one sentence, on a name that is no figure's, too few tables, or a table that lacks a column.

    >>> table = pd.DataFrame({"reward": "length", "method": "dpo", "beta": 0.1, "value": 0.5, "low": 0.4, "high": 0.6,
    ...                       "quantity": ["kl", "gain", "share_of_optimum", "correlation_on_prior"]})
    >>> draw("tan_adapters", table).axes[0].get_title(loc="left")
    'a  Length: bought and paid'
    >>> draw("tan_adapters", table.drop(columns="beta"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: tan_adapters needs beta in the table tan_adapters, which has reward, ... alone; add what is missing.
    """
    if name not in FIGURES:
        near = get_close_matches(name, FIGURES, cutoff=0.4) or FIGURES
        raise ValueError(f"There is no figure {name!r}; the nearest are {', '.join(near)}.")
    figure: Figure = FIGURES[name].draw(*tables)
    return figure


def redraw(results: Path, pgf: bool = False) -> list[str]:
    """Draw every figure whose tables are in `results`, as PDF and PNG; return the names of the figures drawn.

    pgf: for LaTeX too, see `figures.style.save`.
    """
    found = {name: _tables(results, module) for name, module in FIGURES.items()}
    drawn = {name: paths for name, paths in found.items() if all(path.is_file() for path in paths)}
    for name, paths in drawn.items():
        style.save(draw(name, *map(pd.read_csv, paths)), results / "figures", name, pgf)
    return list(drawn)


def _tables(results: Path, module: ModuleType) -> list[Path]:
    return [results / "tables" / f"{table}.csv" for table in module.TABLES]
