"""Is this machine fit for preset `default`: packages, threads, the cached model, memory, disk. It asks no network.

It stands in this room because it knows what real models need, and imports none of it.
"""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from platformdirs import user_cache_path

from empirical.errors import InputError
from empirical.fetch import SMOLLM2, Source, cache_directory, sha256

DISTRIBUTION = "decoding-tradeoffs"
MODEL_PACKAGES = ("torch", "transformers", "peft", "safetensors", "gguf", "huggingface-hub", "numba")
"""What real models need and theory, toy and figures do without."""
MEMORY = 4e9  # bytes: the largest study, of controlled decoding, see `empirical.memory`; the trade-off study needs 3 GB
CACHE_DISK, RESULTS_DISK = 0.8e9, 0.1e9  # bytes: the download twice while it is unpacked, 540 MB of weights; tables


@dataclass(frozen=True)
class Probe:
    """One thing looked at: what was found, whether it will do, what to do if not; advice on what will do is a hint."""

    what: str
    found: str
    ok: bool
    advice: str = ""


def probes(out: Path) -> Iterator[Probe]:
    """Everything that preset `default` needs, with results to `out`."""
    yield python()
    yield from packages()
    yield numba_cache()
    yield threads()
    yield model(SMOLLM2)
    yield memory()
    yield disk("disk for results", out, RESULTS_DISK)
    yield disk("disk for the model cache", cache_directory(), CACHE_DISK)


def refuse_without_models(what: str) -> None:
    """Raise InputError, one sentence with the command that helps, where a package that real models need is absent."""
    if absent := [name for name in MODEL_PACKAGES if not _there(name)]:
        pins = {one.name: str(one) for one in _required()}
        raise InputError(
            f"{what} needs real models, and {', '.join(absent)} cannot be found; run `pip install "
            f"{' '.join(pins.get(name, name) for name in absent)}`, or `python paper_repro.py verify`, without any."
        )


def python() -> Probe:
    """The interpreter's version against the distribution's."""
    here = platform.python_version()
    try:
        asked = metadata(DISTRIBUTION)["Requires-Python"] or ">=3.11"
    except PackageNotFoundError:
        asked = ">=3.11"
    fits = SpecifierSet(asked).contains(here, prereleases=True)
    return Probe("Python", here, fits, "" if fits else f"make an environment with Python {asked}")


def packages() -> Iterator[Probe]:
    """Every requirement of the installed distribution against what is there; those that agree share a line."""
    asked = _required()
    if not asked:
        yield Probe(DISTRIBUTION, "not installed", False, "run `pip install -e .` in the repository")
        return
    right = 0
    for one in asked:
        try:
            found = version(one.name)
        except PackageNotFoundError:
            found = "absent"
        absent = found == "absent" or (one.name in MODEL_PACKAGES and not _there(one.name))
        if not absent and one.specifier.contains(found, prereleases=True):
            right += 1
            continue
        without = "; theory and toy run without it, models do not" if absent and one.name in MODEL_PACKAGES else ""
        yield Probe(one.name, "absent" if absent else found, False, f'run `pip install "{one}"`{without}')
    yield Probe("packages", f"{right} of {len(asked)} as pinned", right == len(asked))


def numba_cache() -> Probe:
    """Compiled kernels are kept beside the source, or in the user's cache; without either, nothing compiles."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    beside = Path(str(files("empirical"))) / "engines" / "__pycache__"
    places = [Path(chosen)] if chosen else [beside, user_cache_path("numba", appauthor=False)]
    for place in places:
        if _writable(place):
            return Probe("cache of compiled kernels", str(place), True)
    return Probe(
        "cache of compiled kernels", f"{places[-1]} cannot be written", False, "set NUMBA_CACHE_DIR to a folder"
    )


def threads() -> Probe:
    """Cores, the variables that bound threads, and how busy the machine is."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    bound = os.environ.get("OMP_NUM_THREADS", "")
    found = f"{cores} cores, OMP_NUM_THREADS {bound or 'not set'}"
    if bound.isdecimal() and int(bound) > cores:
        return Probe("threads", found, True, f"set OMP_NUM_THREADS to {cores}: more threads than cores slow a run")
    if bound.isdecimal() and int(bound) < cores:
        return Probe("threads", found, True, "unset OMP_NUM_THREADS to use every core")
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    hint = f"others use {busy:.1f} cores: a run will take longer than is said" if busy > cores / 2 else ""
    return Probe("threads", found, True, hint)


def model(source: Source) -> Probe:
    """The default model in the cache, hashed."""
    path = cache_directory() / source.name / Path(source.hub_file).name
    if not path.is_file():
        advice = "connect once and run `python paper_repro.py run tan.fig2`, which downloads it (98 MB)"
        return Probe(source.name, f"not in {cache_directory()}", False, advice)
    if (found := sha256(path)) != source.sha256:
        return Probe(source.name, f"SHA-256 {found[:12]}..., not {source.sha256[:12]}...", False, f"delete {path}")
    return Probe(source.name, f"SHA-256 {found[:12]}... as pinned", True)


def memory() -> Probe:
    """Free memory, of the machine or of the container, whichever is less."""
    free = free_memory()
    advice = "" if free >= MEMORY else "stop other programs, or run `--preset smoke` or `verify`"
    return Probe("free memory", f"{free / 1e9:.1f} GB of {MEMORY / 1e9:.1f} GB needed", free >= MEMORY, advice)


def free_memory() -> float:
    """Bytes that a new process can have."""
    known = []
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        known.append(1024.0 * int(lines["MemAvailable"].split()[0]))
    except (OSError, KeyError, ValueError):  # no Linux: all of the memory, which is too kind
        known.append(float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")))
    try:
        limit, used, parts = (
            Path("/sys/fs/cgroup", f"memory.{name}").read_text() for name in ("max", "current", "stat")
        )
        counts = dict(line.split() for line in parts.splitlines())
        cached = float(counts["inactive_file"]) + float(counts["active_file"])  # given back when it is asked for
        known.append(float(limit) - float(used) + cached)
    except (OSError, KeyError, ValueError):  # no container, or one without a limit: "max"
        pass
    return min(known)


def disk(what: str, folder: Path, needed: float) -> Probe:
    """Whether a folder, or the nearest one above it that exists, can be written and has room."""
    if not _writable(folder):
        return Probe(
            what, f"{folder} cannot be written", False, "choose another --out, or set DECODING_TRADEOFFS_CACHE"
        )
    free = shutil.disk_usage(_existing(folder)).free
    advice = "" if free >= needed else f"free some space under {_existing(folder)}"
    return Probe(what, f"{free / 1e9:.1f} GB of {needed / 1e9:.1f} GB needed", free >= needed, advice)


def _required() -> list[Requirement]:
    """What the installed distribution requires whatever extras are asked for; nothing where it is not installed."""
    try:
        every = [Requirement(line) for line in requires(DISTRIBUTION) or []]
    except PackageNotFoundError:
        return []
    return [one for one in every if one.marker is None or one.marker.evaluate({"extra": ""})]


def _there(name: str) -> bool:
    try:
        return find_spec(name.replace("-", "_")) is not None
    except (ImportError, ValueError):
        return False


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.exists())


def _writable(folder: Path) -> bool:
    place = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            return place.is_dir()
    except OSError:
        return False
