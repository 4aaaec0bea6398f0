"""Measure the power and the false alarms of every randomised test of the suite.

    python -m tests.statistical [FILE ...] [--seconds 20] [--store]

FILE: parts of names of test files; without any, all. Draws that are dear are repeated for `--seconds` each, so that
their lower bound is lower. `--store` keeps the table for the report, and of the rows that are there already it replaces
those of the files named. Ends with 1 if an honest draw was refused, or more than a thousandth of planted ones accepted.
"""

import argparse
import csv
import sys
from collections.abc import Sequence

from tests.statistical.power import rows, table
from tests.statistical.randomised import ROOT, declared
from theory.files import write_text

TABLE = ROOT / "figures/report/evidence/power.csv"


def kept(table: str, modules: set[str], known: set[tuple[str, str]]) -> list[dict[str, object]]:
    """The rows of an older table that are still of a known test, but for those of the modules measured now."""
    found = []
    for row in csv.DictReader(table.splitlines()):
        module = row["file"].removesuffix(".py").replace("/", ".")
        if module not in modules and (module, row["test"]) in known:
            found.append(row)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, judge, print; 0 if every test is as good as it says, else 1."""
    parser = argparse.ArgumentParser(description="Measure what randomised tests notice.")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args(arguments)
    every = declared()
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
            modules, known = {done.module for done in chosen}, {(known.module, known.name) for known in every}
            merged = kept(older, modules, known) + found
            write_text(TABLE, table(sorted(merged, key=lambda row: (row["file"], row["test"]))))
    bad = [row for row in found if row["false_alarms"] or int(row["rejected"]) < 0.999 * int(row["repetitions"])]
    for row in bad:
        print("not as good as it says:", row, file=sys.stderr)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
