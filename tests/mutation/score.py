"""Mutation score of a room: what share of small planted faults do the tests of each module notice?

    python -m tests.mutation.score [--room toy] [--modules toy.tilts] [--sample 8 --seed 0] [--work FOLDER]

Each module is mutated by mutmut in a copy of its own, one mutant after another, and must be caught by the test file
that mirrors it (in theory/ or by the contract of all array functions; in empirical/ or by other fast files of the room
that use it), with 20 hypothesis examples a test: a lower bound on what the whole suite catches. A survivor needs a
reason in survivors.toml, where it is known by its change. With --sample that many mutants a module are drawn, and the
score of the room is estimated, each module weighted by the number of its mutants, with a 95 % interval. Prints a table
and one JSON line, updates the table that the report shows (not by a sample of theory/, of which all are known); ends
with 1 if the score is too low, a survivor is unexplained, or a module could not be measured: the others are then
measured all the same.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from figures.report.sampled import weighted_share
from tests.mutation.mutants import Outcome, measure
from tests.mutation.sources import ROOT, modules_of
from tests.mutation.triage import Triage, read_triage
from tests.stored import in_order, updated
from theory.files import write_text

HERE = Path(__file__).parent
TABLES = ROOT / "figures/report/evidence"
THRESHOLDS = {"theory": 0.95, "toy": 0.95, "empirical": 0.85}
COLUMNS = ("module", "mutants", "sampled", "killed", "score", "triaged")
Row = Mapping[str, str | int]


def table_of(room: str) -> Path:
    """Where the report's table of a room is stored."""
    return TABLES / ("mutation.csv" if room == "theory" else f"mutation_{room}.csv")


def row(outcome: Outcome, triage: Triage) -> dict[str, str | int]:
    """Module, mutants, how many were drawn and killed, score, and how many survivors have a reason."""
    triaged = len(outcome.survivors) - len(triage.unexplained(outcome))
    score = f"{outcome.killed / outcome.sampled:.3f}" if outcome.sampled else ""
    values = (outcome.module, outcome.mutants, outcome.sampled, outcome.killed, score, triaged)
    return dict(zip(COLUMNS, values, strict=True))


def verdict(outcomes: Sequence[Outcome], triage: Triage) -> dict[str, float]:
    """The sums over all modules, the weighted score and its interval. Raises ValueError if there is no mutant."""
    if not any(one.mutants for one in outcomes):
        raise ValueError("no mutant was made.")
    share, low, high = weighted_share((one.mutants, one.sampled, one.killed) for one in outcomes)
    return {
        "mutants": sum(one.mutants for one in outcomes),
        "sampled": sum(one.sampled for one in outcomes),
        "killed": sum(one.killed for one in outcomes),
        "score": round(share, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "unexplained": sum(len(triage.unexplained(one)) for one in outcomes),
    }


def update(path: Path, rows: Iterable[Row], room: str) -> None:
    """Replace the rows of the modules just measured, keep the others, in the order of the names."""
    columns = [name for name in COLUMNS if room != "theory" or name != "sampled"]
    older = path.read_text(encoding="utf-8") if path.exists() else ""
    write_text(path, in_order(updated(older, columns, rows, ("module",)), ("module",)))


def passed(total: Mapping[str, float], room: str) -> bool:
    """Whether the score is high enough and every survivor explained."""
    return total["score"] >= THRESHOLDS[room] and total["unexplained"] == 0


def measured(options: argparse.Namespace, work: Path, triage: Triage) -> list[Outcome]:
    """Measure, print and store one module after another; one that fails is named and left out."""
    outcomes = []
    for module in options.modules:
        shutil.rmtree(work / module, ignore_errors=True)
        try:
            outcome = measure(module, work / module, options.sample, options.seed)
        except (OSError, ValueError) as error:  # mutmut is not installed, or it failed
            print(f"no score of {module}: {error}", file=sys.stderr, flush=True)
            continue
        outcomes.append(outcome)
        print(*(f"{value:>20}" for value in row(outcome, triage).values()), flush=True)
        for name in triage.unexplained(outcome):
            print("", name, *outcome.survivors[name], sep="\n    ", flush=True)
        if options.sample is None or options.room != "theory":
            update(table_of(options.room), [row(outcome, triage)], options.room)
    return outcomes


def asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options; without --modules all of the room."""
    parser = argparse.ArgumentParser(description="Mutation score of a room.")
    parser.add_argument("--room", default="theory", choices=THRESHOLDS)
    parser.add_argument("--modules", nargs="+", metavar="MODULE", help="adaptors; of other rooms toy.tilts")
    parser.add_argument("--sample", type=int, help="mutants a module, drawn with --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="keep the copies and logs here")
    options = parser.parse_args(arguments)
    every = modules_of(options.room)
    if unknown := set(options.modules or ()) - set(every):
        parser.error(f"no such modules in {options.room}: {', '.join(sorted(unknown))}")
    if options.sample is not None and options.sample < 1:
        parser.error("a sample has at least one mutant")
    options.modules = options.modules or every
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, store; 0 if all is well, else 1."""
    options = asked(arguments)
    work = options.work or Path(tempfile.mkdtemp(prefix="mutation-"))
    try:
        triage = read_triage((HERE / "survivors.toml").read_text(encoding="utf-8"))
        outcomes = measured(options, work, triage)
        total = verdict(outcomes, triage)
    except (OSError, ValueError) as error:
        print(f"no score: {error}", file=sys.stderr)
        return 1
    finally:
        if options.work is None:
            shutil.rmtree(work, ignore_errors=True)
    print(json.dumps(total))
    return int(not passed(total, options.room) or len(outcomes) < len(options.modules))


if __name__ == "__main__":
    sys.exit(main())
