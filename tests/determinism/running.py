"""A row of the matrix, run: in subprocesses, into a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.determinism.matrix import ONE_THREAD, Row

ROOT = Path(__file__).parents[2]
HALF = 4
"""Shards of samples that are there when a run is killed."""


def run(row: Row, out: Path) -> Path:
    """Run it; return the folder with its results. Raises RuntimeError with what it said where it failed."""
    if row.how == "killed":
        _killed(row, out)
    if row.how == "in pieces":
        _ended(_start(row, out, ("--first", "2")))
    _ended(_start(row, out))
    [folder] = (path.parent for path in out.glob("*/manifest.json"))
    return folder


def kernels(out: Path) -> dict[str, Any]:
    """What the run's process ran on."""
    return json.loads((out / "kernels.json").read_text(encoding="utf-8"))


def _start(row: Row, out: Path, more: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    command = [sys.executable, *row.flags, "-m", "tests.determinism.once", str(out), str(row.rows), *row.arguments]
    surroundings = {name: value for name, value in os.environ.items() if name not in ("LANG", "LC_CTYPE")}
    out.mkdir(parents=True, exist_ok=True)
    with (out / "said").open("ab") as said:
        return subprocess.Popen(
            [*command, *more], env=surroundings | ONE_THREAD | row.variables, cwd=ROOT, stdout=said, stderr=said
        )


def _ended(running: subprocess.Popen[bytes]) -> None:
    if running.wait():
        raise RuntimeError(f"A run ended with {running.returncode}: {' '.join(map(str, running.args))}")


def _killed(row: Row, out: Path) -> None:
    """Begin it, and kill it as soon as a few shards are there."""
    running = _start(row, out)
    while running.poll() is None and len(list(out.glob("*/samples/[!.]*.parquet"))) < HALF:
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGKILL)
    if running.wait() != -signal.SIGKILL:
        raise RuntimeError("The run had ended before it could be killed.")
