"""A small whole run of the command line that can be started many times: a warm parent forks a child a run."""

import io
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import IO

import torch

import empirical.studies.run  # noqa: F401 (with torch and transformers, once)
import paper_repro
from empirical import presets
from empirical.recipes import Recipe
from empirical.sealed import UnusableError, unseal
from empirical.studies import verdict

TARGET = ("run", "tan.fig2", "--preset", "smoke")
SIZE = presets.Preset(2, 2, 2, real=False, corpora=5, resamples=3, small=True)
Plant = Callable[[], object]
"""What a child does to itself before it starts."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, or minus the signal that killed it; and its standard error."""

    status: int
    said: str

    @property
    def sentence(self) -> str:
        """The last line of a refusal: exit code 2, one sentence, no traceback. Empty where it is none."""
        last = self.said.strip().rpartition("\n")[2]
        return last if self.status == 2 and last.endswith(".") and "Traceback" not in self.said else ""


def small() -> None:
    """Shrink the smoke preset in this process; leave out figures and most checks, which are most of its time."""
    presets.PRESETS["smoke"] = SIZE
    verdict.entries = lambda *_: []
    paper_repro.redraw = lambda *_: []


@dataclass(frozen=True)
class Running:
    """A child that runs, and the file that it speaks to."""

    child: int
    said: IO[str]

    def ended(self) -> Ended:
        """Wait for it."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        with self.said as said:
            said.seek(0)
            return Ended(status, said.read())


def start(folder: Path, plant: Plant | None = None, arguments: tuple[str, ...] = TARGET) -> Running:
    """Begin a run into `folder` in a child."""
    said = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (closed by `Running.ended`)
    child = os.fork()
    if child:
        return Running(child, said)
    status = 1
    try:
        sys.stdout, sys.stderr = io.StringIO(), said
        small()
        if plant:
            plant()
        sys.argv = ["paper_repro.py", *arguments, "--out", str(folder)]
        paper_repro.main()
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            said.flush()
        os._exit(status)


def run(folder: Path, plant: Plant | None = None, arguments: tuple[str, ...] = TARGET) -> Ended:
    """A run from start to end."""
    return start(folder, plant, arguments).ended()


def tables(folder: Path) -> dict[str, bytes]:
    """The final tables."""
    return {path.name: path.read_bytes() for path in folder.glob("smoke/tables/[!.]*.csv")}


def shards(folder: Path) -> dict[str, tuple[int, int]]:
    """The shards that are there and whole, each with what changes when it is written anew."""
    found = {}
    for path in folder.glob("smoke/samples/[!.]*.parquet"):
        with suppress(UnusableError, OSError):
            unseal(path.read_bytes())
            found[path.name] = (path.stat().st_ino, path.stat().st_size)
    return found


def half_written(folder: Path, whole: dict[str, bytes]) -> list[str]:
    """The visible files that are there and not whole."""
    found = [name for name, data in tables(folder).items() if data != whole[name]]
    found += [path.name for path in folder.glob("smoke/samples/[!.]*.parquet") if path.name not in shards(folder)]
    for path in folder.glob("smoke/**/[!.]*.json"):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found.append(path.name)
    return found


@dataclass
class World:
    """A scratch folder, and an undisturbed run in it to compare with."""

    scratch: Path
    whole: dict[str, bytes]
    made: int = 0

    @classmethod
    def undisturbed(cls) -> "World":
        """Make the run."""
        torch.set_num_threads(1)  # a fork of a process whose torch has several threads may hang
        Recipe(SIZE).load()  # what is imported late is imported here, once
        scratch = Path(mkdtemp(prefix="faults-"))
        result = run(scratch / "whole")
        if result.status:
            raise RuntimeError(f"The undisturbed run failed: {result.said}")
        return cls(scratch, tables(scratch / "whole"))

    def fresh(self, copied: bool = False) -> Path:
        """A new folder to run into: empty, or a copy of the undisturbed run."""
        self.made += 1
        folder = self.scratch / f"run-{self.made}"
        if copied:
            shutil.copytree(self.scratch / "whole", folder)
        return folder

    def close(self) -> None:
        """Remove every run."""
        shutil.rmtree(self.scratch)


@dataclass
class Row:
    """What became of one fault. lost: points at which work that was whole had to be made again, or no run could be
    finished; wrong: points at which something false was taken, half a file was visible, or no clear sentence was said.
    """

    fault: str
    points: int = 0
    lost: int = 0
    wrong: int = 0
    same_tables: bool = True
    what: str = ""

    def judge(self, world: World, folder: Path, *faults: str, plant: Plant | None = None) -> None:
        """Count a point, disturbed already: what is there must be whole, and a run must go on from it to the end."""
        before, half = shards(folder), half_written(folder, world.whole)
        last = run(folder, plant)
        after = shards(folder)
        self.points += 1
        self.wrong += bool(half or any(faults))
        self.lost += last.status != 0 or any(after.get(name) != kept for name, kept in before.items())
        self.same_tables &= tables(folder) == world.whole
        shutil.rmtree(folder, ignore_errors=True)

    @property
    def sound(self) -> bool:
        """Whether nothing was lost and nothing wrong taken."""
        return self.points > 0 and not self.lost and not self.wrong and self.same_tables
