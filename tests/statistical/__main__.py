"""Measure the power and the false alarms of every randomised test of the suite.

    python -m tests.statistical [FILE ...] [--seconds 20] [--store]

FILE: parts of names of test files; without any, all. Draws that are dear are repeated for `--seconds` each, so that
their lower bound is lower. `--store` puts the rows into the report's table as they are measured, and drops those of
wrong versions that are no more. Ends with 1 if an honest draw was refused, or more than a thousandth of planted ones
accepted.
"""

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence

from tests.statistical.power import COLUMNS, rows
from tests.statistical.randomised import ROOT, declared
from tests.stored import in_order, updated, written
from theory.files import write_text

TABLE = ROOT / "figures/report/evidence/power.csv"


ROW = ("file", "test", "planted")


def merged(older: str, found: Sequence[Mapping[str, object]], known: set[tuple[str, ...]]) -> str:
    """The table of what was measured now and of the older rows that are still of a known wrong version."""
    still = [row for row in csv.DictReader(older.splitlines()) if tuple(row[name] for name in ROW) in known]
    return in_order(updated(written(COLUMNS, still), COLUMNS, found, ROW), ("file", "test"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, judge, print; 0 if every test is as good as it says, else 1."""
    parser = argparse.ArgumentParser(description="Measure what randomised tests notice.")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args(arguments)
    every = declared()
    known = {(one.file, one.name, effect) for one in every for effect in one.planted}
    chosen = [one for one in every if not options.files or any(part in one.module for part in options.files)]
    found: list[dict[str, object]] = []
    for one in chosen:
        for row in rows(one, options.seconds):
            found.append(row)
            print(
                *(row[name] for name in ("file", "test", "planted", "rejected", "repetitions")), sep=" | ", flush=True
            )
        if options.store:
            older = TABLE.read_text(encoding="utf-8") if TABLE.is_file() else ""
            write_text(TABLE, merged(older, found, known))
    bad = [row for row in found if row["false_alarms"] or int(row["rejected"]) < 0.999 * int(row["repetitions"])]
    for row in bad:
        print("not as good as it says:", row, file=sys.stderr)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
