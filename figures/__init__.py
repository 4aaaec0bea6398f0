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
        schemes = tables["tan_schemes"]
        triple = schemes["triple"].iloc[0]
        files = sorted((results / "samples").glob(f"{triple}-*.parquet"))
        rows = pd.concat([pd.read_parquet(file, columns=["scheme", "log_prior", "reward"]) for file in files])
        rows = rows.merge(schemes[["scheme", "adaptor", "temperature"]], on="scheme")
        tradeoff, covariance = (_global(tables[name]) for name in ("tan_tradeoff", "tan_covariance"))
        style.save(tan_fig2.draw(rows, schemes, tradeoff, covariance), results / "figures", "tan_fig2")
        drawn.append("tan_fig2")
    return drawn


def _global(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["law"] == "global"]
