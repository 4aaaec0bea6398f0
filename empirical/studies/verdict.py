"""The ledger's entries of a real triple: every sentence by its registered rule, with checks, controls and a summary."""

import time
from collections.abc import Sequence
from typing import Any

import pandas as pd

from empirical.preregistration import Condition, sentences, summaries
from empirical.presets import Settings
from empirical.schemes import Scheme
from empirical.studies.controls import (
    PLANTED,
    chain_evidence,
    dealt,
    identities,
    null_control,
    planted_control,
    rescored,
    secret_evidence,
)
from empirical.studies.entries import Writer
from empirical.studies.findings import Findings
from empirical.studies.tradeoff import Triple
from theory.ledger import Check, Control, Entry

CHAINED = ("tan.emp.acceptance", "tan.emp.mixing")


def entries(
    triple: Triple,
    prompts: dict[str, str],
    rows: pd.DataFrame,
    schemes: Sequence[Scheme],
    found: Findings,
    settings: Settings,
    real: bool,
) -> list[Entry]:
    """One entry a registered sentence and one a summary. `prompts`: text by id; real: False where models are random."""
    start = time.perf_counter()
    passed = [rescored(triple, prompts, rows)]
    slipped = Control("answers of other rows", not rescored(triple, prompts, rows, shift=1).passed)
    evidence = {
        "reward": ([*passed, *identities(found.reward)], [slipped]),
        "secret": _joined(([*passed, *identities(found.secret)], [slipped]), secret_evidence(found.secret_rows)),
    }
    chained = _joined((passed, [slipped]), chain_evidence(found.chains, found.strings, rows, settings.seed))
    nulls = dealt(rows, found.texts, schemes, settings)
    scale = (
        f"The paper's 7B models are replaced; {triple.name}: {triple.prior.name} and {triple.aligned.name}, "
        f"{len(rows)} answers to {len(prompts)} prompts; "
        f"answers are cut at {settings.max_new} tokens, and a cut answer is scored as the prefix it is; "
        f"the global law is that of the {settings.samples} answers drawn in each cell, self-normalised"
    )
    writer = Writer("tan", scale, real)
    made = []
    for sentence in sentences():
        measured = found.measures(sentence.triple)
        checks, controls = chained if sentence.id in CHAINED else evidence[sentence.triple]
        if sentence.id in PLANTED:
            controls = [*controls, planted_control(sentence, found.strings, rows, len(prompts))]
        elif sentence.conditions and sentence.id not in CHAINED:
            controls = [*controls, null_control(sentence, nulls, len(prompts))]
        verdict = sentence.verdict(measured, len(prompts))
        here = "; ".join(shown(condition, measured) for condition in sentence.conditions)
        made.append(writer.entry(sentence, verdict, here, checks, controls, time.perf_counter() - start))
        start = time.perf_counter()
    return [*made, *(writer.summary(one, made) for one in summaries())]


def _joined(*parts: tuple[list[Check], list[Control]]) -> tuple[list[Check], list[Control]]:
    return [check for checks, _ in parts for check in checks], [
        control for _, controls in parts for control in controls
    ]


def shown(condition: Condition, measured: pd.DataFrame) -> str:
    """What was measured of a condition: its value, or the values at either end where it has several items."""
    rows = condition.of(measured).sort_values("value")
    name = condition.quantity.replace("_", " ")
    if len(rows) == 1:
        return f"{name} {_interval(rows.iloc[0])}"
    ends = " to ".join(f"{_interval(end)} ({end['item']})" for end in (rows.iloc[0], rows.iloc[-1]))
    return f"{name} of {len(rows)}: {ends}"


def _interval(row: Any) -> str:
    if pd.isna(row["value"]):
        return "has no value here"
    ends = "no interval" if pd.isna(row["low"]) else f"{row['low']:+.3g}, {row['high']:+.3g}"
    return f"{row['value']:+.3g} [{ends}]"
