"""The rules that decide the empirical verdicts, as they were written down before the run: `preregistration.toml`."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from theory.ledger import Verdict


@dataclass(frozen=True)
class Condition:
    """One side of a threshold for every item of a measured quantity; `above` and `below` together are a band."""

    quantity: str
    law: str
    above: float | None = None
    below: float | None = None

    def of(self, measures: pd.DataFrame) -> pd.DataFrame:
        """The rows of one triple's measures that the condition speaks of; raises ValueError if there is none."""
        rows = measures[(measures.quantity == self.quantity) & (measures.law == self.law)]
        if rows.empty:
            raise ValueError(f"{self.quantity!r} under the {self.law} law was registered but not measured.")
        return rows

    def inside(self, measures: pd.DataFrame) -> bool:
        """Whether every item's 95 % interval lies wholly on the stated side; False if one is not a number."""
        rows = self.of(measures)
        return all(
            (self.above is None or low > self.above) and (self.below is None or high < self.below)
            for low, high in zip(rows.low, rows.high, strict=True)
        ) and bool(rows[["low", "high"]].notna().all(axis=None))

    def outside(self, measures: pd.DataFrame) -> bool:
        """Whether some item's interval, widened for their number, lies wholly on the other side."""
        rows = self.of(measures)
        return any(
            (self.above is not None and high < self.above) or (self.below is not None and low > self.below)
            for low, high in zip(rows.wide_low, rows.wide_high, strict=True)
        )

    def __str__(self) -> str:
        sides = [
            f"{word} {side:g}" for word, side in (("above", self.above), ("below", self.below)) if side is not None
        ]
        return f"{self.quantity} ({self.law}) {' and '.join(sides)}"


@dataclass(frozen=True)
class Sentence:
    """An empirical sentence of the paper in our words, and the conditions whose conjunction it is.

    triple: whose measures they speak of, and experiment: which one of the paper's, where a study has several.
    """

    id: str
    where: str
    statement: str
    conditions: tuple[Condition, ...]
    triple: str = ""
    experiment: str = ""
    why: str = ""
    known: str = ""

    def verdict(self, measures: pd.DataFrame, prompts: int) -> Verdict:
        """Reproduced iff every condition holds, not-reproduced if one is reversed; no condition: not-testable-here.

        measures: the rows of one triple, see `empirical.studies.measures.measures`, from so many prompts.
        """
        if not self.conditions:
            return "not-testable-here"
        if prompts < registered()["least_prompts"]:
            return "inconclusive"
        if all(condition.inside(measures) for condition in self.conditions):
            return "reproduced"
        return "not-reproduced" if any(c.outside(measures) for c in self.conditions) else "inconclusive"

    @property
    def rule(self) -> str:
        """The rule as a sentence for the ledger."""
        if not self.conditions:
            return self.why
        asked = "; ".join(map(str, self.conditions))
        return (
            f"reproduced iff every 95 % interval lies wholly on its side ({asked}), not-reproduced if one lies wholly "
            f"on the other side (Bonferroni among items), inconclusive otherwise. {self.why}"
        ).strip()


@dataclass(frozen=True)
class Summary:
    """A verdict made of verdicts: all of some sentences, or pairs that must agree."""

    id: str
    where: str
    statement: str
    all: tuple[str, ...] = ()
    pairs: tuple[tuple[tuple[str, ...], str], ...] = ()

    def verdict(self, verdicts: Mapping[str, Verdict]) -> Verdict:
        """The verdict, from those of the sentences."""
        if self.all:
            return together(verdicts[name] for name in self.all)
        pairs = [(together(verdicts[name] for name in left), verdicts[right]) for left, right in self.pairs]
        decided = ("reproduced", "not-reproduced")
        if any({left, right} == set(decided) for left, right in pairs):
            return "not-reproduced"
        return "reproduced" if all(left == right and left in decided for left, right in pairs) else "inconclusive"

    @property
    def rule(self) -> str:
        """The rule as a sentence for the ledger."""
        if self.all:
            names = ", ".join(self.all)
            return f"reproduced iff all of these are, not-reproduced if one is, inconclusive otherwise: {names}"
        pairs = "; ".join(f"{' and '.join(left)} with {right}" for left, right in self.pairs)
        return f"reproduced iff each pair has one decided verdict, not-reproduced if a pair has both: {pairs}"


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on a conjunction.

    >>> together(["reproduced", "inconclusive"]), together(["reproduced", "inconclusive", "not-reproduced"])
    ('inconclusive', 'not-reproduced')
    """
    found = set(verdicts)
    if "not-reproduced" in found:
        return "not-reproduced"
    return "reproduced" if found == {"reproduced"} else "inconclusive"


TRADEOFF, CONTROLLED, GUIDED = "preregistration.toml", "controlled.toml", "guided.toml"
"""The file of each study; the threshold `least_prompts` of the first is that of all."""


@cache
def registered(file: str = TRADEOFF) -> dict[str, Any]:
    """A file of rules as it stands."""
    return tomllib.loads(files("empirical").joinpath(file).read_text(encoding="utf-8"))


def sentences(file: str = TRADEOFF) -> list[Sentence]:
    """The registered sentences, in the paper's order."""
    return [
        Sentence(**one | {"conditions": tuple(Condition(**condition) for condition in one["conditions"])})
        for one in registered(file)["sentence"]
    ]


def summaries(file: str = TRADEOFF) -> list[Summary]:
    """The registered summaries."""
    made = []
    for one in registered(file)["summary"]:
        pairs = tuple((tuple(left), right) for left, right in one.get("pairs", ()))
        made.append(Summary(**one | {"all": tuple(one.get("all", ())), "pairs": pairs}))
    return made


def predictions() -> list[Sentence]:
    """Prediction before sampling, of whole answers and of their first tokens: decided by a rule of its own."""
    one = registered()["prediction"]
    about = {"where": one["where"], "triple": "reward", "conditions": (), "why": one["rule"]}
    start = f"{one['statement']} (the first {one['short']} tokens of each answer)"
    return [
        Sentence(id=one["id"], statement=one["statement"], **about),
        Sentence(id=f"{one['id']}.short", statement=start, **about),
    ]
