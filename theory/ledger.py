"""The ledger: each claim of the papers with its checks, its planted wrong versions, and the verdict it earns.

A claim is a generator function that yields `Check` and `Control` objects, registered with the `claim` decorator:

    @claim("tan.eq11", paper="tan", where="equation 11", kind="inequality", statement="...", verdict="holds")
    def chebyshev(rng: np.random.Generator) -> Evidence:
        yield at_most("...", oracle="enumeration", residuals=..., tolerance=1e-12)
        yield rejects("mean instead of entropy", at_most(...))
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from theory.files import write_text

Verdict = Literal[
    "holds",
    "holds-with-assumption",
    "erratum",
    "reproduced",
    "not-reproduced",
    "inconclusive",
    "not-testable-here",
]
PAPERS = {"chang": "Chang et al., 2311.10083", "cd": "Mudgal et al., 2310.17022", "tan": "Tan et al., 2406.10203"}


@dataclass(frozen=True)
class Check:
    """One comparison with an independent oracle: `worst` over `instances` against `tolerance`."""

    name: str
    oracle: str
    instances: int
    worst: float
    tolerance: float
    passed: bool


@dataclass(frozen=True)
class Control:
    """A planted wrong version; a check worth its name rejects it."""

    name: str
    rejected: bool


Evidence: TypeAlias = Iterator[Check | Control]


@dataclass(frozen=True)
class Claim:
    """What a paper says, the verdict we recorded for it, and the function that earns or breaks that verdict."""

    id: str
    paper: str
    where: str
    kind: str
    statement: str
    verdict: Verdict
    assumptions: str
    evidence: Callable[[np.random.Generator], Evidence]

    @property
    def room(self) -> str:
        """theory or toy: where the evidence stands."""
        return self.evidence.__module__.partition(".")[0]


@dataclass(frozen=True)
class Entry:
    """One row of `ledger.json`."""

    id: str
    paper: str
    where: str
    kind: str
    statement: str
    verdict: Verdict
    assumptions: str
    checks: tuple[Check, ...]
    controls: tuple[Control, ...]
    seconds: float

    def faults(self) -> list[str]:
        """Why the evidence contradicts the verdict; empty if it stands."""
        found = [f"check failed: {check.name}" for check in self.checks if not check.passed]
        found += [f"control not rejected: {control.name}" for control in self.controls if not control.rejected]
        if self.verdict == "not-testable-here":
            return found
        if not self.checks:
            found.append("no check was run")
        if not self.controls:
            found.append("no control was run")
        if self.verdict == "erratum":
            for side in ("printed", "corrected"):
                if not any(check.name.startswith(side) for check in self.checks):
                    found.append(f"an erratum needs a check whose name starts with '{side}'")
        return found


REGISTRY: dict[str, Claim] = {}


def claim(
    id: str, *, paper: str, where: str, kind: str, statement: str, verdict: Verdict, assumptions: str = ""
) -> Callable[[Callable[[np.random.Generator], Evidence]], Claim]:
    """Register the decorated evidence function under `id`; raises ValueError on a duplicate or unknown paper."""

    def register(evidence: Callable[[np.random.Generator], Evidence]) -> Claim:
        if id in REGISTRY:
            raise ValueError(f"claim {id} is registered twice.")
        if paper not in PAPERS:
            raise ValueError(f"claim {id} names the unknown paper {paper!r}.")
        REGISTRY[id] = Claim(id, paper, where, kind, statement, verdict, assumptions, evidence)
        return REGISTRY[id]

    return register


def at_most(name: str, *, oracle: str, residuals: Iterable[float], tolerance: float) -> Check:
    """A check that every residual is <= tolerance; NaN or no residual at all fails."""
    return _check(name, oracle, residuals, tolerance, upper=True)


def at_least(name: str, *, oracle: str, margins: Iterable[float], tolerance: float) -> Check:
    """A check that every margin is >= tolerance, as for a printed form that must fail; NaN or none at all fails."""
    return _check(name, oracle, margins, tolerance, upper=False)


def _check(name: str, oracle: str, figures: Iterable[float], tolerance: float, upper: bool) -> Check:
    values = np.asarray(list(figures), dtype=float)
    if values.size == 0:
        return Check(name, oracle, 0, float("nan"), tolerance, False)
    worst = float(values.max() if upper else values.min())  # NaN propagates, and compares false below
    # bool and float: a NumPy scalar would not go into the JSON.
    passed = bool(worst <= tolerance if upper else worst >= tolerance)
    return Check(name, oracle, values.size, worst, float(tolerance), passed)


def rejects(name: str, check: Check) -> Control:
    """The control that `check`, fed with a planted wrong version, fails."""
    # NaN is a broken control, not a rejection (and so is no instance at all, whose worst is NaN).
    return Control(name, rejected=not check.passed and not np.isnan(check.worst))


def verify(claim: Claim, seed: int = 0) -> Entry:
    """Run one claim's evidence with a generator keyed by (seed, id), so that no claim moves another's draws."""
    start = time.perf_counter()
    key = int.from_bytes(claim.id.encode(), "little")
    items = list(claim.evidence(np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, key])))))
    checks = tuple(item for item in items if isinstance(item, Check))
    controls = tuple(item for item in items if isinstance(item, Control))
    fields = {name: getattr(claim, name) for name in ("id", "paper", "where", "kind", "statement", "assumptions")}
    return Entry(**fields, verdict=claim.verdict, checks=checks, controls=controls, seconds=time.perf_counter() - start)


def settled(entry: Entry) -> Entry:
    """The entry as it may be published: a verdict that its own evidence contradicts becomes `inconclusive`."""
    return replace(entry, verdict="inconclusive") if entry.faults() else entry


def write(entries: Iterable[Entry], path: Path, keep_others: bool = False) -> None:
    """Write the ledger as JSON, sorted by id, atomically; numbers that JSON lacks (inf, NaN) become null.

    keep_others: entries of an existing ledger at `path` stay unless one of the same id takes their place.
    """
    rows = {row["id"]: row for row in read(path)} if keep_others and path.is_file() else {}
    rows |= {entry.id: _finite(asdict(settled(entry))) for entry in entries}
    write_text(path, json.dumps([rows[id] for id in sorted(rows)], indent=1, allow_nan=False))


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a written ledger; raises ValueError, one sentence, where the file is damaged."""
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as problem:
        raise _damaged(path, str(problem)) from problem
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and Entry.__annotations__.keys() <= row.keys() for row in rows
    ):
        raise _damaged(path, "it holds no entries")
    return rows


def entries(path: Path) -> list[Entry]:
    """The rows of a written ledger as entries; a number that was written as null comes back as NaN.

    Raises ValueError, one sentence, where the file is damaged.
    """
    found = []
    try:
        for row in read(path):
            checks = tuple(Check(**{key: _nan(value) for key, value in check.items()}) for check in row["checks"])
            controls = tuple(Control(**control) for control in row["controls"])
            found.append(Entry(**{**row, "checks": checks, "controls": controls}))
    except (TypeError, AttributeError) as problem:
        raise _damaged(path, str(problem)) from problem
    return found


def _damaged(path: Path, why: str) -> ValueError:
    return ValueError(f"{path} is damaged ({why}); delete it, and run the command again.")


def _nan(value: Any) -> Any:
    return float("nan") if value is None else value


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
