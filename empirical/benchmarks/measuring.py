"""Time contenders in turns, so that a machine that slows down slows all of them, and find the machine's limit."""

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
            seconds[name].append(seconds_of(contenders[name]))
    return {name: statistics.median(times) for name, times in seconds.items()}


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds of one call, to the end of what it asked of a graphics card."""
    finished()
    start = time.perf_counter()
    work()
    finished()
    return time.perf_counter() - start


def finished() -> None:
    """Wait until a graphics card, if one is in use, has done all it was asked."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def said(found: dict[str, Any], as_json: bool, shown: Callable[[dict[str, Any]], Sequence[object]]) -> None:
    """Print what was measured, as JSON or as `shown` has it; exit 1 if a ratio misses what it has to reach."""
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        Console().print(*shown(found))
    if found["missed"]:
        raise typer.Exit(1)


def roofline(dtype: torch.dtype, device: torch.device | str = "cpu", size: int = 0, repeats: int = 5) -> float:
    """FLOP/s of one large product, the best of torch's own and the re-ordered one: what the device can do at most."""
    size = size or (2048 if torch.device(device).type == "cpu" else 8192)  # a graphics card needs more to be busy
    x, weight = torch.rand(2, size, size, dtype=dtype, device=device).unbind()
    ways = (packed(weight), lambda rows: torch.nn.functional.linear(rows, weight))
    return 2 * size**3 / min(seconds_of(partial(way, x)) for way in ways for _ in range(repeats))


def peak_memory(code: str, device: str = "cpu") -> int:
    """The most bytes that a fresh interpreter held while it ran `code` (Linux), or its tensors on a graphics card."""
    # Not getrusage: its figure starts from what the parent held when it forked.
    measure = "\nprint(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    if device == "cuda":
        measure = "\nprint(torch.cuda.max_memory_allocated() // 1024)"
    run = subprocess.run([sys.executable, "-c", code + measure], capture_output=True, text=True, check=True)
    return int(run.stdout.split()[-1]) * 1024
