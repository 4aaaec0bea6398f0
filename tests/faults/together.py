"""Fault e: two runs at once into one folder."""

import json
import os
import random
import signal

from empirical import store
from tests.faults.world import Plant, Row, World, run, start

CLAIMS = ("chang.thm3.5", "tan.ex1")


def halting(place: int, plant: Plant | None = None) -> Plant:
    """A run that holds still before it writes its shard of this number, until it is told to go on."""

    def planted() -> None:
        if plant:
            plant()
        write, written = store.Shards.write, [0]

        def held(self: store.Shards, *given: object) -> None:
            written[0] += 1
            if written[0] == place:
                os.kill(os.getpid(), signal.SIGSTOP)
            write(self, *given)

        store.Shards.write = held

    return planted


def two_at_once(world: World, points: int, seed: int = 0, plant: Plant | None = None) -> Row:
    """Start a second run of the same target while one draws: it is refused, and the first ends as if alone.

    One point in two starts two runs of different claims together instead: both end well, and neither loses its verdict.
    """
    rng, row = random.Random(seed), Row("two runs at once")
    while row.points < points:
        folder, faults = world.fresh(), list[str]()
        if row.points % 2:
            pair = [start(folder, plant, ("run", claim, "--preset", "smoke")) for claim in CLAIMS]
            faults += [one.said for one in (running.ended() for running in pair) if one.status]
            known = {entry["id"] for entry in json.loads((folder / "smoke" / "ledger.json").read_text())}
            faults += ["a verdict is lost"] if known != set(CLAIMS) else []
        else:
            first = start(folder, halting(rng.randint(1, 2), plant))
            os.waitpid(first.child, os.WUNTRACED)
            second = run(folder, plant)
            os.kill(first.child, signal.SIGCONT)
            faults += [second.said or "not refused"] if "Another run is writing" not in second.sentence else []
            faults += [ended.said] if (ended := first.ended()).status else []
        row.judge(world, folder, *faults, plant=plant)
    row.what = "one target twice: the second is refused in a sentence; two claims: both verdicts stay"
    return row
