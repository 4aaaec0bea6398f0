"""Mutation score of theory/: what share of small planted faults do the tests of each module notice?

    python -m tests.mutation.score [--modules adaptors guidance] [--sample 50 --seed 0] [--work FOLDER]

Each module is mutated by mutmut in a copy of its own, one mutant after another, and must be caught by the test file
that mirrors it or by the contract of all array functions, with 20 hypothesis examples a test: a lower bound on what
the whole suite catches. A survivor needs a reason in survivors.toml, where it is known by its change. Prints a table
and one JSON line, updates the table that the report shows; ends with 1 if the score is too low, a survivor is
unexplained, or a report is empty or cannot be parsed.
"""

import argparse
import csv
import json
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutants import ROOT, Change, Outcome, measure
from theory.files import write_text

HERE = Path(__file__).parent
TABLE = ROOT / "figures/report/evidence/mutation.csv"
THRESHOLD = 0.95
COLUMNS = ("module", "mutants", "killed", "score", "triaged")
Row = Mapping[str, str | int]


@dataclass(frozen=True)
class Triage:
    """Why survivors live: `reasons` by module and change, `everywhere` by a fragment of a line and what it becomes."""

    reasons: Mapping[tuple[str, Change], str]
    everywhere: Mapping[Change, str]

    def explains(self, module: str, change: Change) -> bool:
        was, now = change
        return (module, change) in self.reasons or any(
            now == was[:at] + other + was[at + len(part) :]
            for part, other in self.everywhere
            for at in range(len(was))
            if was.startswith(part, at)
        )

    def unexplained(self, outcome: Outcome) -> list[str]:
        """The names of the survivors that have no reason."""
        return [name for name, change in outcome.survivors.items() if not self.explains(outcome.module, change)]


def read_triage(text: str) -> Triage:
    """The triage of a TOML text. Raises ValueError where a reason is empty or an entry is given twice."""
    reasons: dict[tuple[str, Change], str] = {}
    everywhere: dict[Change, str] = {}
    tables = tomllib.loads(text)
    if tables.keys() - {"survivor", "everywhere"}:
        raise ValueError(f"unknown tables: {sorted(tables)}")
    for entry in [*tables.get("survivor", []), *tables.get("everywhere", [])]:
        module, was, now, reason = (entry.get(name, "").strip() for name in ("module", "was", "now", "reason"))
        change = (was, now)
        key = (module, change)
        if was == now or not all((was, now, reason)) or key in reasons or change in everywhere:
            raise ValueError(f"a survivor is listed twice, without its change or without a reason: {key}")
        if "module" in entry:
            reasons[key] = reason
        else:
            everywhere[change] = reason
    return Triage(reasons, everywhere)


def row(outcome: Outcome, triage: Triage) -> dict[str, str | int]:
    """Module, mutants, killed, score, and how many survivors have a reason."""
    triaged = len(outcome.survivors) - len(triage.unexplained(outcome))
    score = f"{outcome.killed / outcome.mutants:.3f}"
    return dict(zip(COLUMNS, (outcome.module, outcome.mutants, outcome.killed, score, triaged), strict=True))


def verdict(outcomes: Sequence[Outcome], triage: Triage) -> dict[str, float]:
    """The sums over all modules. Raises ValueError if there is no mutant at all."""
    mutants = sum(one.mutants for one in outcomes)
    if not mutants:
        raise ValueError("no mutant was made.")
    killed = sum(one.killed for one in outcomes)
    unexplained = sum(len(triage.unexplained(one)) for one in outcomes)
    return {"mutants": mutants, "killed": killed, "score": round(killed / mutants, 4), "unexplained": unexplained}


def update(path: Path, rows: Iterable[Row]) -> None:
    """Replace the rows of the modules just measured, keep the others, in the order of the names."""
    old = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []
    every: dict[str, Row] = {str(one["module"]): one for one in [*old, *rows]}
    lines = [COLUMNS, *([str(every[module][name]) for name in COLUMNS] for module in sorted(every))]
    write_text(path, "".join(",".join(line) + "\n" for line in lines))


def passed(total: Mapping[str, float]) -> bool:
    """Whether the score is high enough and every survivor explained."""
    return total["score"] >= THRESHOLD and total["unexplained"] == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, store; 0 if all is well, else 1."""
    every = sorted(path.stem for path in (ROOT / "theory").glob("[!_]*.py"))
    parser = argparse.ArgumentParser(description="Mutation score of theory/.")
    parser.add_argument("--modules", nargs="+", default=every, choices=every, metavar="MODULE")
    parser.add_argument("--sample", type=int, help="mutants a module, drawn with --seed; nothing is stored then")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="keep the copies and logs here")
    options = parser.parse_args(arguments)
    work = options.work or Path(tempfile.mkdtemp(prefix="mutation-"))
    outcomes = []
    try:
        triage = read_triage((HERE / "survivors.toml").read_text(encoding="utf-8"))
        for module in options.modules:
            shutil.rmtree(work / module, ignore_errors=True)
            outcomes.append(measure(module, work / module, options.sample, options.seed))
            print(*(f"{value:>20}" for value in row(outcomes[-1], triage).values()), flush=True)
            for name in triage.unexplained(outcomes[-1]):
                print("", name, *outcomes[-1].survivors[name], sep="\n    ", flush=True)
            if options.sample is None:
                update(TABLE, [row(outcomes[-1], triage)])
        total = verdict(outcomes, triage)
    except (OSError, ValueError) as error:  # mutmut is not installed, or it failed
        print(f"no score: {error}", file=sys.stderr)
        return 1
    finally:
        if options.work is None:
            shutil.rmtree(work, ignore_errors=True)
    print(json.dumps(total))
    return int(not passed(total))


if __name__ == "__main__":
    sys.exit(main())
