"""Faults b and c: a disk that is full, and folders that cannot be written."""

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from empirical import fetch, models
from tests.faults.world import TARGET, Ended, Plant, Row, World, run

BYTES = b"weights" * 1000
REAL = ("run", "tan.fig2", "--preset", "default")


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[bool]:
    """A disk of so many bytes at `place`; False where this process may not mount one."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    there = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield there
    finally:
        if there:
            subprocess.run(["umount", str(place)], check=True)
        place.rmdir() if there else shutil.rmtree(place)


def again(place: Path, how: str) -> None:
    """Mount once more: another size, or for reading alone."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def occupied(folder: Path) -> int:
    """Bytes of whole pages that a run's files occupy."""
    page = resource.getpagesize()
    return sum(-(-path.stat().st_size // page) * page for path in folder.rglob("*") if path.is_file())


def full_disk(world: World, points: int, seed: int = 0, plant: Plant | None = None) -> Row:
    """Fill the disk somewhere in a run, see what it says, make room, run again."""
    rng, row = random.Random(seed), Row("full disk")
    total, said = occupied(world.scratch / "whole"), set()
    while row.points < points:
        size = int(rng.uniform(0.05, 0.95) * total)
        with small_disk(world.fresh(), size) as mounted:
            folder = world.scratch / f"run-{world.made}" / "out"

            def filled(limit: int = size // 20) -> None:
                if not mounted:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
                if plant:
                    plant()

            stopped = run(folder, filled)
            clear = stopped.status == 2 and "free some space" in stopped.sentence
            said.add("tmpfs" if mounted else "RLIMIT_FSIZE")
            if mounted:
                again(folder.parent, f"size={64 << 20}")
            row.judge(world, folder, "" if clear else stopped.said or "it ended with 0", plant=plant)
    row.what = f"{' and '.join(sorted(said))} of 5 to 95 % of what a run takes; room was made, then the run went on"
    return row


def serving(cache: Path, plant: Plant | None = None) -> Plant:
    """A hub that serves a file of its own as the default model, to be kept in `cache`."""

    def planted() -> None:
        os.environ["DECODING_TRADEOFFS_CACHE"] = str(cache)
        os.environ.pop("HF_HUB_OFFLINE", None)
        fetch.urlopen = lambda address, timeout: BytesIO(BYTES)
        models.SMOLLM2 = replace(models.SMOLLM2, sha256=sha256(BYTES).hexdigest())
        if plant:
            plant()

    return planted


def no_writing(world: World, points: int = 4, seed: int = 0, plant: Plant | None = None) -> Row:
    """A file in the place of the cache; where root may mount: a cache, one with a damaged file, results, all read-only.

    The study on random models needs no cache and must not mind.
    """
    row, cache, folder = Row("read-only folders"), world.fresh(), world.fresh()
    with small_disk(cache, 1 << 20) as mounted:
        damaged = cache / models.SMOLLM2.name / models.SMOLLM2.hub_file
        asked = [(REAL, folder, "DECODING_TRADEOFFS_CACHE")] * 2 + [(TARGET, cache / "out", "--out")]
        for number, (target, out, advice) in enumerate(asked[: points - 1] if mounted else []):
            again(cache, "rw")
            if number:
                damaged.parent.mkdir(exist_ok=True)
                damaged.write_bytes(BYTES[:-1])
            again(cache, "ro")
            _refused(row, run(out, serving(cache, plant), target), advice)
        again(cache, "rw") if mounted else None
        (blocked := cache / "file").write_text("")
        _refused(row, run(folder, serving(blocked, plant), REAL), "DECODING_TRADEOFFS_CACHE")
        again(cache, "ro") if mounted else None
        shutil.rmtree(folder, ignore_errors=True)
        row.judge(world, folder, plant=serving(cache))
    row.what = "mounted read-only, or a file in the place of the folder" if mounted else "a file in the place of it"
    return row


def _refused(row: Row, ended: Ended, advice: str) -> None:
    row.points += 1
    row.wrong += advice not in ended.sentence
