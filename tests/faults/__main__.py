"""Bring about every fault and see that a run loses nothing and takes nothing wrong.

    python -m tests.faults [--points 100] [--json] [--store]

`--points` is for kill -9; the other faults get a share of it. Ends with 1 if a row is not sound. `--store` keeps the
table for the report.
"""

import argparse
import csv
import io
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.faults.clocks import clock_jumps, little_memory
from tests.faults.damage import downloads, stored
from tests.faults.disks import full_disk, no_writing
from tests.faults.killing import kills
from tests.faults.together import two_at_once
from tests.faults.world import Row, World
from theory.files import write_text

TABLE = Path(__file__).parents[2] / "figures/report/evidence/faults.csv"
COLUMNS = ("fault", "points", "lost", "wrong", "same_tables", "what")
FAULTS: tuple[tuple[Callable[[World, int], Row], float, int], ...] = (
    (kills, 1, 1),
    (full_disk, 0.1, 2),
    (no_writing, 0.05, 5),
    (downloads, 20, 60),
    (stored, 0.2, 5),
    (two_at_once, 0.1, 2),
    (clock_jumps, 0.1, 2),
    (little_memory, 0, 1),
)
"""Each fault, its points for each kill, and its least number of them."""


def rows(points: int) -> Iterator[Row]:
    """Every fault's row."""
    world = World.undisturbed()
    try:
        for fault, share, least in FAULTS:
            yield fault(world, max(least, round(share * points)))
    finally:
        world.close()


def table(found: Sequence[Row]) -> str:
    """The table that the report shows, as CSV."""
    writer = csv.DictWriter(text := io.StringIO(), COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**asdict(row), "same_tables": str(row.same_tables).lower()} for row in found)
    return text.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring about, print; 0 if every row is sound, else 1."""
    parser = argparse.ArgumentParser(description="Bring about faults and see that a run stands them.")
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args(arguments)
    started, found = time.monotonic(), []
    for row in rows(options.points):
        found.append(row)
        verdict = "sound" if row.sound else "NOT SOUND"
        print(f"{row.fault:28} {row.points:5} points, {row.lost} lost, {row.wrong} wrong: {verdict}", flush=True)
    print(f"{len(found)} faults in {time.monotonic() - started:.0f} s")
    if options.store:
        write_text(TABLE, table(found))
    if options.json:
        print(json.dumps([asdict(row) for row in found]))
    return int(not all(row.sound for row in found))


if __name__ == "__main__":
    sys.exit(main())
