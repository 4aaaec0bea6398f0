"""The report: one self-contained HTML page made from a run's ledger, tables, figures and manifest."""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from figures import FIGURES
from figures.report.checklists import checklists
from figures.report.claims import ROOMS, row
from figures.report.errata import errata
from figures.report.numbers import compared, number
from figures.report.pictures import pictures
from figures.report.trust import evidence
from theory.files import write_text

__all__ = ["PAPERS", "VERDICTS", "build", "compared", "number", "traces"]

PAPERS = {
    "chang": (
        "Chang et al. 2023",
        "Characterizing Tradeoffs in Language Model Decoding with Informational Interpretations",
        "2311.10083",
    ),
    "cd": ("Mudgal et al. 2024", "Controlled Decoding from Language Models", "2310.17022"),
    "tan": (
        "Tan et al. 2024",
        "A Probability-Quality Trade-off in Aligned Language Models and its Relation to Sampling Adaptors",
        "2406.10203",
    ),
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
MARKS = {
    "holds": ("●", "hold"),
    "holds-with-assumption": ("◐", "hold with assumptions"),
    "erratum": ("✕", "errata"),
    "reproduced": ("▲", "reproduced"),
    "not-reproduced": ("▽", "not reproduced"),
    "inconclusive": ("?", "inconclusive"),
    "not-testable-here": ("–", "not testable here"),
}
"""Verdict -> the sign that stands for it beside its colour, and the words that follow a count."""

WORDED = ("tan_samples", "chang_samples", "chang_relevance")
"""Tables that hold what a model wrote."""
FULL = 4.0  # nats: the strongest shade of a trace
HERE = Path(__file__).parent


def build(results: Path) -> Path:
    """Write report/index.html and report/errata.md from what is in `results`; return the page's path."""
    ledger, manifest = _json(results / "ledger.json", []), _json(results / "manifest.json", {})
    # An answer may well read "NA" or "null": only numbers may be missing.
    tables = {
        path.stem: pd.read_csv(path, keep_default_na=path.stem not in WORDED)
        for path in sorted((results / "tables").glob("*.csv"))
    }
    shown, trust = pictures(results, FIGURES), evidence()
    run = _command(results.name, manifest)
    rows = [row(entry, tables, {one.name for one in shown}, run) for entry in ledger]
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("style.css", "ledger.js"))
    page = (
        _environment()
        .get_template("page.html")
        .render(
            style=Markup(style),
            script=Markup(script),
            # Nothing but this very script may run, whatever stands in a table.
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
            papers=PAPERS,
            meanings=VERDICTS,
            marks=MARKS,
            rooms={name: what for name, what in ROOMS.items() if any(one.room == name for one in rows)},
            kinds=_counts(entry["kind"] for entry in ledger),
            counts={
                paper: Counter(entry["verdict"] for entry in ledger if entry["paper"] == paper) for paper in PAPERS
            },
            rows={paper: [one for one in rows if one.entry["paper"] == paper] for paper in PAPERS},
            figures=shown,
            compared=compared(tables),
            covariance=tables.get("tan_covariance", pd.DataFrame()).to_dict("records"),
            schemes=tables.get("tan_schemes", pd.DataFrame()).to_dict("records"),
            traces=traces(tables.get("chang_relevance", pd.DataFrame())),
            samples=tables.get("tan_samples", pd.DataFrame()).to_dict("records"),
            trust=trust,
            checklists=checklists(ledger, tables, manifest, trust),
            command=manifest.get("command", ""),
            manifest=json.dumps(manifest, indent=1),
        )
    )
    target = results / "report" / "index.html"
    write_text(target, page)
    write_text(target.with_name("errata.md"), errata(ledger, PAPERS))
    return target


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


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("figures.report", ""), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "math": Markup}
    return environment


def _command(preset: str, manifest: dict[str, Any]) -> str:
    """The command line that runs one claim again, but for the claim's id: with the preset and seed of this run."""
    options = f" --preset {preset}" if preset in ("smoke", "paper") else ""
    options += f" --seed {manifest['seed']}" if manifest.get("seed") else ""
    return f"python paper_repro.py run{options}"


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _json(path: Path, default: Any) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else default
