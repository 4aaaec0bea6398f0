"""Faults f and g: a clock that jumps, and a machine with too little memory."""

import os
import random
import shutil
import time

from empirical import memory
from empirical.memory import needed
from empirical.planning.shapes import NAMED
from empirical.presets import PRESETS, TORCH
from tests.faults.disks import REAL, serving
from tests.faults.world import Plant, Row, World, run

EPOCHS = (0.0, 4.1e9)
"""1 January 1970 and the year 2099: a clock without a battery, and one that was set wrong."""
DAY = 86400.0  # seconds
SHORT = 200e6  # bytes below what a run needs


def shifted(by: float, plant: Plant | None = None) -> Plant:
    """A run whose clock is wrong, and jumps a day to and fro each time it is read."""

    def planted() -> None:
        true, sign = time.time, [1.0]

        def wrong() -> float:
            sign[0] = -sign[0]
            return max(0.0, true() + by + sign[0] * DAY)

        time.time = wrong
        time.time_ns = lambda: int(wrong() * 1e9)
        if plant:
            plant()

    return planted


def clock_jumps(world: World, points: int, seed: int = 0, plant: Plant | None = None) -> Row:
    """Cut some shards off a run, date what is left wrongly, and go on under a clock that is wrong too."""
    rng, row = random.Random(seed), Row("clock jumps")
    while row.points < points:
        folder, to = world.fresh(copied=True), EPOCHS[row.points % 2]
        for path in sorted(folder.rglob("*")):
            if path.suffix == ".parquet" and rng.random() < 0.5:
                path.unlink()
            else:
                os.utime(path, (rng.choice(EPOCHS), rng.choice(EPOCHS)))
        row.judge(world, folder, plant=shifted(to - time.time(), plant))
    row.what = "files of 1970 and 2099, a clock of 1970 or 2099 that jumps by two days at each look"
    return row


def little_memory(world: World, points: int = 1, seed: int = 0, plant: Plant | None = None) -> Row:
    """200 MB less than the default study needs are free: it is refused before anything is loaded or drawn."""
    row, need = Row("too little memory"), needed(PRESETS["default"], TORCH, NAMED["smollm2-135m"])

    def short() -> None:
        serving(world.fresh())()
        memory.free_memory = lambda: need - SHORT
        if plant:
            plant()

    while row.points < points:
        folder = world.fresh()
        refused = run(folder, short, REAL)
        fault = "" if "of memory" in refused.sentence else refused.said
        left = [str(path) for path in folder.rglob("*")]
        shutil.rmtree(folder, ignore_errors=True)
        row.judge(world, folder, fault, *left)
    row.what = (
        f"{(need - SHORT) / 1e9:.2f} GB free (simulated) where {need / 1e9:.2f} GB are needed: a sentence, no file"
    )
    return row
