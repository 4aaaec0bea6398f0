"""Two runs side by side: verdicts and text must be the same, numbers as near as the bound says."""

import csv
import json
import math
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tests.determinism.matrix import EXACT, FULL
from theory.ledger import REGISTRY

NOTHING = 1e-12
"""Numbers this near are the same: what rounding leaves of float64 sums of about 1e4 numbers of size 1."""

COARSE = {"toy_concentration_epsilons": 1e-6}
"""Tables whose numbers may be as far apart as this, and are not counted then. Found by the first run: Bahadur and Rao's
estimate takes a second difference of five terms, each of which loses 1e-15 / (1e-4 rate): 3e-7 at the least rate, 2e-4.
"""

DRAWN = {"corpus_pearson", "corpus_spearman", "outliers", "distance"}
"""Columns and quantities of the models' tables that are read off drawn corpora or chains. Found by the first run: a
weight's last digit may have a corpus drawn anew (NumPy mirrors a binomial at p = 1/2), and that is Monte Carlo.
"""
REDRAWN = 0.21
"""How far they may be apart, and are not counted then: three standard errors of a correlation of 200 corpora."""


@dataclass(frozen=True)
class Outcome:
    """What a run left: of each claim what was decided, and each table's text."""

    verdicts: dict[str, Any]
    tables: dict[str, str]

    @classmethod
    def of(cls, folder: Path, part: str) -> "Outcome":
        """The part's claims and tables in results/<preset>/."""
        ledger = json.loads((folder / "ledger.json").read_text(encoding="utf-8"))
        exact = part in (EXACT, FULL)
        return cls(
            {entry["id"]: decided(entry) for entry in ledger if (entry["id"] in REGISTRY) == exact},
            {path.stem: path.read_text(encoding="utf-8")
             for path in sorted((folder / "tables").glob("*.csv")) if is_exact(path.stem) == exact},
        )  # fmt: skip


@dataclass
class Difference:
    """Changed claims, changed texts, tables compared and those of equal bytes, the largest relative difference."""

    claims: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    tables: int = 0
    same_bytes: int = 0
    largest: float = 0.0
    where: str = ""

    def within(self, bound: float) -> bool:
        """Whether verdicts and texts are the same, something was compared, and no number is farther than the bound.

        A bound of 0 asks for the same bytes.
        """
        near = self.largest <= bound if bound else self.same_bytes == self.tables
        return not self.claims and not self.texts and self.tables > 0 and near


def is_exact(table: str) -> bool:
    """Whether a table is of an exact world, by its name: figure 1 of Tan et al. is one."""
    return table.startswith(("toy_", "tan_fig1"))


def decided(entry: dict[str, Any]) -> Any:
    """The verdict, and which checks passed and which controls were rejected; not how near they came."""
    checks = [(one["name"], one["passed"]) for one in entry["checks"]]
    return entry["verdict"], checks, [(one["name"], one["rejected"]) for one in entry["controls"]]


def compared(one: Outcome, other: Outcome) -> Difference:
    """Claim by claim and cell by cell."""
    found = Difference()
    found.claims = [
        id for id in sorted(one.verdicts | other.verdicts) if one.verdicts.get(id) != other.verdicts.get(id)
    ]
    for name in sorted(one.tables | other.tables):
        left, right = one.tables.get(name), other.tables.get(name)
        if left is None or right is None:
            found.texts.append(f"{name} is only in one of them")
            continue
        found.tables += 1
        found.same_bytes += left == right
        _cells(found, name, left, right)
    return found


def _cells(found: Difference, name: str, left: str, right: str) -> None:
    lines = zip_longest(csv.reader(left.splitlines(True)), csv.reader(right.splitlines(True)), fillvalue=())
    head: list[str] = []
    for number, (row, against) in enumerate(lines):
        head = head or list(row)
        for column, (a, b) in enumerate(zip_longest(row, against, fillvalue="")):
            if a == b or (not is_exact(name) and _redrawn(dict(zip(head, row, strict=False)), head, column, a, b)):
                continue
            where = f"{name}, line {number}, column {column}: {a!r} and {b!r}"
            if (far := difference(a, b)) is None:
                found.texts.append(where)
            elif far > max(found.largest, COARSE.get(name, 0.0)):
                found.largest, found.where = far, where


def _redrawn(row: dict[str, str], head: list[str], column: int, a: str, b: str) -> bool:
    """Whether two cells are of what is drawn, and no farther apart than another draw."""
    if column >= len(head) or not {head[column], row.get("quantity")} & DRAWN:
        return False
    try:
        return abs(float(a) - float(b)) <= REDRAWN
    except ValueError:
        return False


def difference(a: str, b: str) -> float | None:
    """How far two cells that differ are apart, relative to the larger; None where they are no numbers.

    >>> difference("1.0", "1.1"), difference("1e-15", "0.0"), difference("yes", "no"), difference("", "1")
    (0.09090909090909098, 0.0, None, None)
    """
    try:
        one, other = float(a), float(b)
    except ValueError:
        return None
    if not (math.isfinite(one) and math.isfinite(other)):
        return None
    apart = abs(one - other)
    return 0.0 if apart <= NOTHING else apart / max(abs(one), abs(other))
