"""Every quantity that a registered sentence speaks of, measured, and beside it under the other way of counting KL."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

import empirical.studies.controlled.curve_quantities
import empirical.studies.controlled.other_quantities  # noqa: F401 (both register their quantities)
from empirical.measured import rows
from empirical.preregistration import CONTROLLED, Sentence, sentences
from empirical.studies.controlled.cells import LAWS, TASKS, prompts_of
from empirical.studies.controlled.quantities import QUANTITIES, Data


def measures(data: Data, names: Iterable[str] | None = None) -> pd.DataFrame:
    """The table cd_measures: quantity, law, item, value, low, high (95 %), wide_low, wide_high (1 - 0.05 / items).

    names: of the quantities, all unless given.
    """
    wanted = [(name, law) for name in names or QUANTITIES for law in QUANTITIES[name][0]]
    return pd.DataFrame(row for name, law in wanted for row in measured(data, name, law))


def measured(data: Data, name: str, law: str) -> list[dict[str, Any]]:
    """The rows of one quantity under one law."""
    task = name.partition("_")[0]
    if task in TASKS and not prompts_of(data.cells, task):
        items = [("", np.full(data.times + 1, np.nan))]
    else:
        with np.errstate(invalid="ignore", divide="ignore"):  # a resample may hold no prompt that is asked for
            items = list(QUANTITIES[name][1](data, law))
    return rows(name, law, items)


def findings(table: pd.DataFrame, prompts: int) -> pd.DataFrame:
    """The table cd_findings: each condition of each sentence with every item measured, and the sentence's verdict.

    Columns: id, experiment, where, statement, quantity, law, item, value, low, high, above, below, verdict. law
    "estimate" shows what the same sentence would have got by estimated KLs; its verdict decides nothing.
    """
    rows = []
    for sentence in sentences(CONTROLLED):
        for law in ("bound", "estimate"):
            turned = under(sentence, law)
            if law == "estimate" and turned == sentence:
                continue
            verdict = turned.verdict(table, prompts)
            about = {"id": sentence.id, "experiment": sentence.experiment, "where": sentence.where}
            for condition in turned.conditions:
                for one in condition.of(table).itertuples():
                    figures = {"value": one.value, "low": one.low, "high": one.high}
                    sides = {"above": condition.above, "below": condition.below}
                    what = {"statement": sentence.statement, "quantity": one.quantity, "law": one.law, "item": one.item}
                    rows.append(about | what | figures | sides | {"verdict": verdict, "decides": law == "bound"})
    return pd.DataFrame(rows).astype({"above": float, "below": float})


def under(sentence: Sentence, law: str) -> Sentence:
    """The sentence with its comparisons at equal KL under another way of counting KL, where they can be had."""
    conditions = tuple(
        replace(c, law=law) if c.law in LAWS and law in QUANTITIES[c.quantity][0] else c for c in sentence.conditions
    )
    return replace(sentence, conditions=conditions)
