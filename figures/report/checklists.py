"""Two checklists for artifacts and papers, answered from the evidence: what rests on a count is counted, not typed."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from figures.report.claims import room
from figures.report.trust import Evidence

HERE = Path(__file__).parent
ANSWERS = ("yes", "partly", "no", "does not apply")
OPEN = "not in this run"
"""The answer where a run has nothing to count."""
UNDECIDED = ("inconclusive", "not-testable-here")
MEASURED = ("cd_findings", "chang_measures", "tan_emp_measures")
"""Tables of measured numbers that verdicts rest on, with their bounds."""


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    some: int
    every: int

    def __str__(self) -> str:
        return f"{self.some:,} of {self.every:,}"

    @property
    def answer(self) -> str:
        """yes where it is all, partly where it is some, no where it is none."""
        if not self.every:
            return OPEN
        return "yes" if self.some == self.every else "partly" if self.some else "no"


@dataclass(frozen=True)
class Item:
    """One question with its answer, why, and where that can be seen."""

    name: str
    question: str
    answer: str
    why: str
    evidence: list[str]
    commands: list[str]


@dataclass(frozen=True)
class Checklist:
    """A titled list of items."""

    title: str
    items: list[Item]

    @property
    def sum(self) -> str:
        """How often each answer is given, in one line."""
        counts = [(sum(item.answer == answer for item in self.items), answer) for answer in (*ANSWERS, OPEN)]
        return ", ".join(f"{count} {answer}" for count, answer in counts if count)


def checklists(
    ledger: Sequence[Mapping[str, Any]],
    tables: Mapping[str, pd.DataFrame],
    manifest: Mapping[str, Any],
    trust: Sequence[Evidence],
    path: Path = HERE / "checklists.toml",
) -> list[Checklist]:
    """The lists of `checklists.toml`, answered.

    Raises ValueError on an unknown answer, or a yes without evidence, and KeyError on a share that nothing counts.
    """
    known = shares(ledger, tables) | {one.name: Share(round(one.some), round(one.every)) for one in trust}
    words = {name: str(share) for name, share in known.items()} | {"seconds": _time(manifest)}
    listed = tomllib.loads(path.read_text(encoding="utf-8"))["list"]
    return [Checklist(one["title"], [_item(item, known, words) for item in one["item"]]) for one in listed]


def shares(ledger: Sequence[Mapping[str, Any]], tables: Mapping[str, pd.DataFrame]) -> dict[str, Share]:
    """What is counted of a run: claims decided and checked, experiments that came out as reported, bounded numbers."""
    passed = [all(check["passed"] for check in entry["checks"]) for entry in ledger]
    exact = [right for entry, right in zip(ledger, passed, strict=True) if room(entry["id"]) == "theory"]
    verdicts = [entry["verdict"] for entry in ledger]
    found = [
        tables[name].query("value.notna()")[["low", "high"]] for name in MEASURED if "value" in tables.get(name, ())
    ]
    return {
        "decided": Share(sum(one not in UNDECIDED for one in verdicts), len(verdicts)),
        "checked": Share(sum(passed), len(passed)),
        "mathematics": Share(sum(exact), len(exact)),
        "reproduced": Share(
            verdicts.count("reproduced"), sum(verdicts.count(f"{no}reproduced") for no in ("", "not-"))
        ),
        "intervals": Share(sum(int(one.notna().all(axis=1).sum()) for one in found), sum(map(len, found))),
    }


def _item(about: Mapping[str, Any], known: Mapping[str, Share], words: Mapping[str, str]) -> Item:
    share = known[about["share"]] if "share" in about else None
    answer = share.answer if share else about["answer"]
    if answer not in (*ANSWERS, OPEN):
        raise ValueError(f"{about['name']}: the answer must be one of {', '.join(ANSWERS)}, not {answer!r}.")
    if answer == "yes" and not about.get("evidence"):
        raise ValueError(f"{about['name']}: yes needs evidence.")
    evidence, commands = (list(about.get(name, ())) for name in ("evidence", "commands"))
    return Item(about["name"], about["question"], answer, about["why"].format_map(words), evidence, commands)


def _time(manifest: Mapping[str, Any]) -> str:
    seconds = manifest.get("seconds")
    return "no time is noted" if seconds is None else f"{seconds / 60:,.0f} min, all rows that were there not counted"
