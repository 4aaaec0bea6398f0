"""Fault a: kill -9 at any moment of the whole command, from its first import to its last table."""

import os
import random
import shutil
import signal
import time

from tests.faults.world import Plant, Row, World, run, start


def kills(world: World, points: int, seed: int = 0, plant: Plant | None = None) -> Row:
    """Kill a run at a random time, then run to the end. plant: what every run does to itself before it starts."""
    rng, row = random.Random(seed), Row("kill -9")
    begun = time.monotonic()
    run(folder := world.fresh(), plant)
    shutil.rmtree(folder)
    lasts, had = time.monotonic() - begun, []
    while row.points < points:
        folder, after = world.fresh(), rng.uniform(0, lasts)
        running = start(folder, plant)
        time.sleep(after)
        os.kill(running.child, signal.SIGKILL)
        if running.ended().status == -signal.SIGKILL:
            had.append(len(list(folder.glob("smoke/samples/*.parquet"))))
            row.judge(world, folder, plant=plant)
        else:  # it had ended; the machine was slow when its time was taken
            lasts *= 0.9
            shutil.rmtree(folder)
    row.what = f"random moments of a run of {lasts:.1f} s; whole shards at death {min(had)} to {max(had)} of 4"
    return row
