"""Qualitative findings and the rules that decide them, written before the experiments were first run whole.

"Better": at equal KL nowhere below; "on par": everywhere within five per cent; "clearly": by five per cent or more.
Helpfulness is what the judge sees, the true pairs; the length and the summaries are their own rewards.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from toy.comparisons import Points

Margin: TypeAlias = Callable[[Points, pd.DataFrame], float]
"""(points, scorers) -> the least slack of a rule's conditions: >= 0 where it holds, NaN where nothing compares."""


@dataclass(frozen=True)
class Finding:
    """A finding in our words, its rule in words, and the rule."""

    id: str
    experiment: str
    statement: str
    rule: str
    margin: Margin


FINDINGS: dict[str, Finding] = {}


def findings(points: Points, scorers: pd.DataFrame) -> pd.DataFrame:
    """One row a finding: id, experiment, statement, rule, margin (a share of the gain), holds."""
    rows = [(f.id, f.experiment, f.statement, f.rule, f.margin(points, scorers)) for f in FINDINGS.values()]
    table = pd.DataFrame(rows, columns=["id", "experiment", "statement", "rule", "margin"])
    return table.assign(holds=table["margin"] >= 0)


def finding(id: str, experiment: str, statement: str, rule: str) -> Callable[[Margin], Margin]:
    """Register the decorated rule; raises ValueError on a second one of the same id."""

    def register(margin: Margin) -> Margin:
        if id in FINDINGS:
            raise ValueError(f"finding {id} is registered twice.")
        FINDINGS[id] = Finding(id, experiment, statement, rule, margin)
        return margin

    return register


def least(slack: Iterable[float]) -> float:
    """The least slack; NaN wins, as it does not in Python's own minimum."""
    return float(np.min(list(slack)))
