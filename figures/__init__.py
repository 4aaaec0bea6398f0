"""Figures and the report: they read tables and run nothing."""

from pathlib import Path

import pandas as pd

from figures import style, tan_fig1, tan_fig2


def redraw(results: Path) -> list[str]:
    """Draw every figure whose tables are in `results`; return the names of the figures drawn."""
    tables = {path.stem: pd.read_csv(path) for path in sorted((results / "tables").glob("*.csv"))}
    drawn = []
    toy = [f"tan_fig1{part}" for part in ("", "_variants", "_epsilon", "_strings", "_corpora")]
    if all(name in tables for name in toy):
        style.save(tan_fig1.draw(*(tables[name] for name in toy)), results / "figures", "tan_fig1")
        drawn.append("tan_fig1")
    if "tan_schemes" in tables:
        tradeoff, covariance = (_global(tables[name]) for name in ("tan_tradeoff", "tan_covariance"))
        drawing = tan_fig2.draw(tables["tan_strings"], tables["tan_schemes"], tradeoff, covariance)
        style.save(drawing, results / "figures", "tan_fig2")
        drawn.append("tan_fig2")
    return drawn


def _global(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["law"] == "global"]
