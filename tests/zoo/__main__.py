"""Plant every bug of the zoo and demand that its tests notice.

    python -m tests.zoo [NAME ...] [--jobs 2] [--json] [--store]

Each patch is applied to a copy of its own; at least two test functions have to fail there that pass without it. Ends
with 1 if a bug lives, a patch no longer applies, or a test fails without any bug. `--json` prints one line at the end;
`--store` keeps the table for the report.
"""

import argparse
import csv
import io
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.zoo.entries import entries
from tests.zoo.planting import ROOT, Found, copy_to, failures, plant
from theory.files import write_text

TABLE = ROOT / "figures/report/evidence/zoo.csv"
COLUMNS = ("entry", "pitfall", "bug", "tests", "failed", "killed")


def red_without_bug(found: Sequence[Found]) -> list[str]:
    """The tests that fail in an unchanged copy and so notice nothing."""
    with TemporaryDirectory(prefix="zoo-") as folder:
        copy_to(Path(folder))
        return sorted(failures(Path(folder), sorted({test for one in found for test in one.entry.tests}), crashes=True))


def table(found: Sequence[Found]) -> str:
    """The table that the report shows, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in found:
        numbers = " ".join(map(str, one.entry.pitfalls))
        writer.writerow(
            (one.entry.name, numbers, one.entry.bug, len(one.entry.tests), len(one.failed), str(one.killed).lower())
        )
    return text.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Plant, ask, print; 0 if every bug was noticed, else 1."""
    parser = argparse.ArgumentParser(description="Plant known bugs and see that the tests notice.")
    parser.add_argument("names", nargs="*", help="entries; without any, all")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args(arguments)
    chosen = [entry for entry in entries() if not options.names or entry.name in options.names]
    if not chosen or set(options.names) - {entry.name for entry in chosen}:
        parser.error("there is no such entry in tests/zoo/patches.")
    started, found = time.monotonic(), []
    with ThreadPoolExecutor(options.jobs) as pool:
        for one in pool.map(plant, chosen):
            found.append(one)
            lived = one.fault or ", ".join(sorted(set(one.entry.tests) - set(one.failed)))
            print(f"{one.entry.name:40} {'killed' if one.killed else 'LIVES'}  {lived}", flush=True)
    red = red_without_bug(found)
    for test in red:
        print(f"fails without any bug: {test}", file=sys.stderr)
    killed = sum(one.killed for one in found)
    print(f"{killed} of {len(found)} killed in {time.monotonic() - started:.0f} s")
    if options.store and not options.names:
        write_text(TABLE, table(found))
    if options.json:
        print(json.dumps({"entries": len(found), "killed": killed}))
    return int(killed < len(found) or bool(red))


if __name__ == "__main__":
    sys.exit(main())
