"""Run everything again in other surroundings, and compare verdicts and tables with an undisturbed run.

    python -m tests.determinism [--only WORDS] [--keep FOLDER] [--against FOLDER] [--store]

An hour of a core. `--only` takes the rows whose name or part has WORDS in it; `--keep` keeps every run in FOLDER, and
takes those that are there already; `--against` has a run of another machine, made there by
`python -m tests.determinism.once FOLDER 0 --preset smoke`. Ends with 1 if a run fails or a row is not within its bound.
`--store` keeps the table, and the rows of other machines that are there.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tests.determinism.comparing import Difference, Outcome, compared
from tests.determinism.kernels import machine
from tests.determinism.matrix import BASE, BOUNDS, EXACT, MATRIX, TINY, Row
from tests.determinism.running import kernels, run
from tests.stored import in_order, updated
from theory.files import write_text

TABLE = Path(__file__).parents[2] / "figures/report/evidence/determinism.csv"


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    part: str
    same_verdicts: bool
    tables: int
    same_bytes: int
    largest_relative_difference: float
    bound: float
    within: bool
    machine: str

    @classmethod
    def of(cls, row: Row, part: str, found: Difference, machine: str = "") -> "Line":
        """Judge what was found."""
        bound = BOUNDS[part] if row.bound is None else row.bound
        counts = (found.tables, found.same_bytes, found.largest)
        return cls(row.what, part, not found.claims, *counts, bound, found.within(bound), machine)


def lines(row: Row, folder: Callable[[Row], Path]) -> list[tuple[Line, Difference]]:
    """A row's lines; none where this machine does not have what it asks for. folder: runs a row, once."""
    if row.card and not torch.cuda.is_available():
        return []
    made = folder(row)
    for_part = {part: folder(BASE[EXACT if part == TINY else part]) for part in row.parts}
    if (row.variables or row.flags) and all(kernels(made.parent) == kernels(one.parent) for one in for_part.values()):
        return []
    pairs = [(part, compared(Outcome.of(base, part), Outcome.of(made, part))) for part, base in for_part.items()]
    # A row may change what a processor says of itself: the run beside it is asked.
    named = machine(kernels((made if row.how == "elsewhere" else next(iter(for_part.values()))).parent))
    return [(Line.of(row, part, found, named), found) for part, found in pairs]


def table(found: Sequence[Line], older: str = "") -> str:
    """The table that the report shows, as CSV, with the older rows of other machines."""
    rows = updated(older, list(Line.__annotations__), map(_cells, found), ("what", "part", "machine"))
    return in_order(rows, ("machine",))


def _cells(line: Line) -> dict[str, object]:
    words = {name: str(value).lower() for name, value in asdict(line).items() if isinstance(value, bool)}
    return {**asdict(line), **words, "largest_relative_difference": f"{line.largest_relative_difference:.1e}"}


def folders(scratch: Path, against: Path | None = None) -> Callable[[Row], Path]:
    """A function that gives a row's results: made in `scratch`, unless they are there; or those of another machine."""

    def folder(row: Row) -> Path:
        if row.how == "elsewhere" and against is not None:
            [made] = (path.parent for path in against.glob("*/ledger.json"))
            return made
        out = scratch / f"{row.what}, {', '.join(row.parts)}".replace(" ", "-")
        if not (out / "whole").is_file():
            run(row, out)
            (out / "whole").touch()
        [made] = (path.parent for path in out.glob("*/manifest.json"))
        return made

    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, compare, print; 0 if every row is within its bound, else 1."""
    parser = argparse.ArgumentParser(description="Run everything again in other surroundings and compare.")
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args(arguments)
    found, broken = list[Line](), False
    with TemporaryDirectory(prefix="determinism-") as scratch:
        folder = folders(options.keep or Path(scratch), options.against)
        for row in MATRIX:
            skipped = row.how == "elsewhere" and options.against is None
            if skipped or options.only not in f"{row.what}, {', '.join(row.parts)}":
                continue
            started = time.monotonic()
            try:
                made = lines(row, folder)
            except RuntimeError as problem:
                broken = True
                print(f"{row.what}: {problem}", flush=True)
                continue
            if not made:
                print(f"{row.what}: this machine has not what it asks for", flush=True)
            for line, seen in made:
                said = "within" if line.within else "NOT WITHIN"
                about = f"{line.same_bytes} of {line.tables} tables the same, {seen.largest:.1e} {seen.where}"
                print(f"{line.what} ({line.part}), {time.monotonic() - started:.0f} s: {said}; {about}", flush=True)
                for fault in [*seen.claims, *seen.texts[:5]]:
                    print(f"  {fault}", flush=True)
                found.append(line)
    if options.store:
        write_text(TABLE, table(found, TABLE.read_text(encoding="utf-8") if TABLE.is_file() else ""))
    return int(broken or not found or not all(line.within for line in found))


if __name__ == "__main__":
    sys.exit(main())
