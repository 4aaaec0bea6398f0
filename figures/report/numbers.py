"""Numbers as a reader wants them, and the reported ones beside ours."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

COMPARED = {
    "tan_fig1": "figure 1 (toy)",
    "tan_tradeoff": "figure 2 (real models)",
    "tan_emp_secret_tradeoff": "figure 3 (secret reward)",
    "cd_table1": "table 1 (prefix scorers as classifiers)",
}
"""Tables that hold reported numbers -> what the paper calls them."""
CLAIMS = {
    "tan.fig1": "tan_fig1",
    "tan.fig2": "tan_tradeoff",
    "tan.emp.dpo": "tan_emp_secret_tradeoff",
    "cd.table1": "cd_table1",
}
"""Prefix of claims -> the table that holds their reported numbers."""


def number(value: Any) -> str:
    """A number as a reader wants it: three significant digits, thousands apart, a dash for a missing one.

    >>> number(-500524.0), number(0.48611), number(float("nan")), number(None), number(1.2e-14)
    ('−500,524', '0.486', '–', '–', '1.2e−14')
    """
    if value is None or pd.isna(value):
        return "–"
    if isinstance(value, bool):
        return str(value)
    size = abs(float(value))
    shown = f"{value:,.0f}" if size >= 1000 or float(value).is_integer() else f"{value:.3g}"
    return shown.replace("-", "−").replace("e−0", "e−").replace("e+0", "e+")


def compared(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Reported numbers beside ours: every quantity of the tables at hand, those with a reported digit first."""
    rows = []
    for name, figure in COMPARED.items():
        if name in tables:
            table = _alike(tables[name]).assign(figure=figure)
            rows += table.sort_values("reported", key=lambda column: column.isna(), kind="stable").to_dict("records")
    return rows


def beside(claim: str, tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The rows with a reported number that belong to one claim; empty if there are none."""
    for prefix, name in CLAIMS.items():
        if within(claim, prefix) and name in tables:
            table = _alike(tables[name])
            return table[table["reported"].notna()].to_dict("records")
    return []


def measured(claim: str, tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """What was measured for one experiment of controlled decoding, beside the bounds of its rule."""
    table = tables.get("cd_findings", pd.DataFrame({"id": []}))
    return table[table["id"] == claim].to_dict("records")


def within(claim: str, prefix: str) -> bool:
    """Whether a claim's id is the prefix or lies below it.

    >>> within("cd.exp1.blocks", "cd.exp1"), within("cd.exp10", "cd.exp1")
    (True, False)
    """
    return claim == prefix or claim.startswith(f"{prefix}.")


def _alike(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the columns quantity and value, which table 1 calls method (and split) and accuracy."""
    if "accuracy" not in table:
        return table
    return table.assign(quantity=table["method"] + ", " + table["split"], value=table["accuracy"])
