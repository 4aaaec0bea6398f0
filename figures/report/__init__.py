"""The report: one self-contained HTML page made from a run's ledger, tables, figures and manifest."""

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape

from figures import FIGURES
from figures.report.errata import errata
from theory.files import write_text

PAPERS = {
    "chang": ("Chang et al. 2023", "Decoding as dynamic programming with informational terms", "2311.10083"),
    "cd": ("Mudgal et al. 2024", "Controlled decoding", "2310.17022"),
    "tan": ("Tan et al. 2024", "The probability-quality trade-off and sampling adaptors", "2406.10203"),
}
VERDICTS = {
    "holds": "true as printed",
    "holds-with-assumption": "true once the stated assumptions are added",
    "erratum": "the printed form fails by a margin, the corrected form passes",
    "reproduced": "the reported effect was found, by a rule fixed before the run",
    "not-reproduced": "a rule fixed before the run decides against the reported effect",
    "inconclusive": "the evidence does not decide, or contradicts the recorded verdict",
    "not-testable-here": "this preset or machine cannot test it",
}


WORDED = ("tan_samples", "chang_samples", "chang_relevance")
"""Tables that hold what a model wrote."""
FULL = 4.0  # nats: the strongest shade of a trace


def build(results: Path) -> Path:
    """Write report/index.html and report/errata.md from what is in `results`; return the page's path."""
    ledger = _json(results / "ledger.json", [])
    # An answer may well read "NA" or "null": only numbers may be missing.
    tables = {
        path.stem: pd.read_csv(path, keep_default_na=path.stem not in WORDED)
        for path in sorted((results / "tables").glob("*.csv"))
    }
    environment = Environment(loader=PackageLoader("figures.report", ""), autoescape=select_autoescape())
    environment.filters["number"] = number
    page = environment.get_template("page.html").render(
        papers=PAPERS,
        meanings=VERDICTS,
        counts={paper: Counter(entry["verdict"] for entry in ledger if entry["paper"] == paper) for paper in PAPERS},
        ledger=ledger,
        figures=[(name, m.CAPTION, _inline(results, name)) for name, m in FIGURES.items() if _drawn(results, name)],
        compared=compared(tables),
        covariance=tables.get("tan_covariance", pd.DataFrame()).to_dict("records"),
        schemes=tables.get("tan_schemes", pd.DataFrame()).to_dict("records"),
        traces=traces(tables.get("chang_relevance", pd.DataFrame())),
        samples=tables.get("tan_samples", pd.DataFrame()).to_dict("records"),
        manifest=json.dumps(_json(results / "manifest.json", {}), indent=1),
    )
    target = results / "report" / "index.html"
    write_text(target, page)
    write_text(target.with_name("errata.md"), errata(ledger, PAPERS))
    return target


def compared(tables: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Reported numbers beside ours: every quantity of the two figures, those with a reported digit first."""
    rows = []
    for name, figure in (("tan_fig1", "figure 1 (toy)"), ("tan_tradeoff", "figure 2 (real models)")):
        if name in tables:
            table = tables[name].assign(figure=figure)
            rows += table.sort_values("reported", key=lambda column: column.isna(), kind="stable").to_dict("records")
    return rows


def traces(steps: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each kind the first item's fixed answer, token by token: token, nats, shade (0 to 1), needed."""
    if steps.empty:
        return []
    found = []
    for kind, some in steps.groupby("kind", sort=False):
        words = [
            {"token": one.token, "nats": one.information, "shade": round(min(1.0, one.information / FULL), 3),
             "needed": one.part == "evidence"}
            for one in some[some["item"] == some["item"].iloc[0]].sort_values("step").itertuples()
        ]  # fmt: skip
        found.append({"kind": kind, "words": words})
    return found


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


def _json(path: Path, default: Any) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else default


def _drawn(results: Path, name: str) -> bool:
    return (results / "figures" / f"{name}.png").is_file()


def _inline(results: Path, name: str) -> str:
    picture = (results / "figures" / f"{name}.png").read_bytes()
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")
