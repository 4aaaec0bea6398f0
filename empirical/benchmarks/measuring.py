"""Time contenders in turns, so that a machine that slows down slows all of them, and find the machine's limit."""

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import typer
from rich.console import Console

from empirical.engines.linear import packed


def in_turns(contenders: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The median seconds of each contender over `repeats` rounds in which every one runs once, in another order."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(repeats):
        for name in list(contenders)[:: -1 if turn % 2 else 1]:
            gc.collect()
            start = time.perf_counter()
            contenders[name]()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def said(found: dict[str, Any], as_json: bool, shown: Callable[[dict[str, Any]], Sequence[object]]) -> None:
    """Print what was measured, as JSON or as `shown` has it; exit 1 if a ratio misses what it has to reach."""
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        Console().print(*shown(found))
    if found["missed"]:
        raise typer.Exit(1)


def roofline(dtype: torch.dtype, size: int = 2048, repeats: int = 5) -> float:
    """FLOP/s of one large product, the best of torch's own and the re-ordered one: what this machine can do at most."""
    x, weight = torch.rand(2, size, size, dtype=dtype).unbind()
    ways = (packed(weight), lambda rows: torch.nn.functional.linear(rows, weight))
    return 2 * size**3 / min(_seconds(way, x) for way in ways for _ in range(repeats))


def peak_memory(code: str) -> int:
    """The most bytes that a fresh interpreter held while it ran `code` (Linux)."""
    # Not getrusage: its figure starts from what the parent held when it forked.
    measure = "\nprint(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    run = subprocess.run([sys.executable, "-c", code + measure], capture_output=True, text=True, check=True)
    return int(run.stdout.split()[-1]) * 1024


def _seconds(way: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> float:
    start = time.perf_counter()
    way(x)
    return time.perf_counter() - start
