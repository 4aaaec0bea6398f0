"""Mutants of one module: made by mutmut in a copy of the sources and their tests, then run and reported.

mutmut runs all mutants of theory/; `trial` runs those of the other rooms. Decorated functions are never mutated.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.mutation.sources import ROOT, source_of, tiers_of

TRIAL = ROOT / "tests/mutation/trial.py"
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
# As tests/conftest.py has them, which comes too late where libraries are imported before it.
SETTINGS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "HF_HUB_OFFLINE"), "1")
SETTINGS |= {"PYTHONHASHSEED": "0", "TOKENIZERS_PARALLELISM": "false"}
KILLED = {"killed", "timeout", "segfault"}
SURVIVED = {"survived", "no tests"}
RESULT = re.compile(r"\s+(?P<name>[\w.]+__mutmut_\d+): (?P<status>[a-z ]+)")
Change = tuple[str, str]
"""The line as it was and as it became."""

CONFTEST = """
import json
import os
from pathlib import Path
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
from hypothesis import Phase, settings
# Nothing is shrunk or stored: here a failure only counts.
phases = (Phase.explicit, Phase.generate)
settings.register_profile("mutation", deadline=None, derandomize=True, max_examples=20, database=None, phases=phases)
settings.load_profile("mutation")


def pytest_collection_modifyitems(items):
    known = Path("mutmut-stats.json")
    seconds = json.loads(known.read_text())["duration_by_test"] if known.exists() else {}
    items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))  # the first failure decides, so quick tests go first
"""
# A mutant counts as an endless loop after four times the clean time and 8 s. Warnings are errors, as in the suite.
# Tests of whole claims guard the claims, not the module, and would take most of the time.
PROJECT = """
[tool.pytest.ini_options]
addopts = "--strict-markers --import-mode=importlib -p no:cacheprovider -p no:xdist -k 'not test_claims'"
filterwarnings = {warnings}
markers = {markers}
[tool.mutmut]
source_paths = ["{room}"]
only_mutate = ["{source}"]
also_copy = {copied}
pytest_add_cli_args_test_selection = {tests}
timeout_multiplier = 4.0
timeout_constant = 2.0
track_dependencies = false
use_git_change_detection = false
use_setproctitle = false
"""
# mutmut's command line lists no mutants before a run and shows one difference a call; its functions do both at once.
NAMES = """
import json, pathlib
from mutmut.__main__ import collect_source_file_mutation_data, copy_also_copy_files, copy_src_dir, create_mutants
pathlib.Path("mutants").mkdir()
copy_src_dir(), copy_also_copy_files(), create_mutants(1)
print("\\n" + json.dumps([name for _, name, _ in collect_source_file_mutation_data(mutant_names=())[0]]))
"""
DIFFERENCES = """
import json, sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
print("\\n" + json.dumps({name: get_diff_for_mutant(name) for name in json.load(sys.stdin)}))
"""


@dataclass(frozen=True)
class Outcome:
    """What became of the mutants drawn of a module; `survivors` maps the name of each that lived to its change."""

    module: str
    mutants: int
    sampled: int
    survivors: Mapping[str, Change]

    @property
    def killed(self) -> int:
        return self.sampled - len(self.survivors)


def parse(report: str) -> dict[str, str]:
    """The status of every mutant in mutmut's report. Raises ValueError if it is empty, garbled or unfinished."""
    results: dict[str, str] = {}
    for line in report.splitlines():
        match = RESULT.fullmatch(line)
        if not match or match["status"] not in KILLED | SURVIVED or match["name"] in results:
            raise ValueError(f"mutmut's report has a line that is no verdict: {line!r}")
        results[match["name"]] = match["status"]
    if not results:
        raise ValueError("mutmut's report is empty.")
    return results


def changed(difference: str) -> Change:
    """The removed and the added lines of a unified difference, each joined. Raises ValueError if there are none."""
    lines = difference.splitlines()[2:]
    was, now = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    if was == now:
        raise ValueError(f"no change in the difference {difference!r}")
    return was, now


def measure(module: str, folder: Path, sample: int | None = None, seed: int = 0) -> Outcome:
    """Run the mutants of a module (all, or a seeded sample) in `folder`. Raises ValueError without a whole report."""
    source, tiers = source_of(module), tiers_of(module)
    room = source.partition("/")[0]
    prepare(folder, room, source, tiers[0])
    known = json.loads(_call(folder, [sys.executable, "-c", NAMES]).splitlines()[-1])
    names = drawn(known, module, sample, seed)
    if not names:
        return Outcome(module, 0, 0, {})
    if room == "theory":
        only = names if sample is not None else []
        (folder / "run.log").write_text(_call(folder, [MUTMUT, "run", "--max-children", "1", *only]))
        results = _call(folder, [MUTMUT, "results", "--all", "true"], names)
    else:
        asked = json.dumps({"tiers": tiers, "names": names})
        results = _call(folder / "mutants", [sys.executable, str(TRIAL)], names, text=asked)
    statuses = parse(results)
    if statuses.keys() != set(names):
        raise ValueError(f"{len(statuses)} verdicts on {len(names)} mutants of {module}")
    lived = [name for name, status in statuses.items() if status in SURVIVED]
    found = json.loads(_call(folder, [sys.executable, "-c", DIFFERENCES], text=json.dumps(lived)).splitlines()[-1])
    return Outcome(module, len(known), len(names), {name: changed(found[name]) for name in lived})


def prepare(folder: Path, room: str, source: str, tests: Sequence[str]) -> None:
    """Copy what a module and its tests need, and say to mutmut and pytest what to do there."""
    copied = {"theory": ["tests"], "toy": ["tests", "theory"]}.get(room, ["docs", "figures", "tests", "theory", "toy"])
    for name in (room, *copied) if room != "theory" else ("theory", "tests/theory", "tests/statistical"):
        # What numba compiled goes along: it knows its source by the content.
        ignored = shutil.ignore_patterns("*.pyc", *(["claims"] if name == "tests/theory" else []))
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    fixtures = (ROOT / "tests/conftest.py").read_text(encoding="utf-8") if room == "empirical" else ""
    (folder / "tests/conftest.py").write_text(fixtures + CONFTEST)
    suite = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    lists = {"copied": copied, "tests": tests, "warnings": suite["filterwarnings"], "markers": suite["markers"]}
    project = PROJECT.format(room=room, source=source, **{name: json.dumps(one) for name, one in lists.items()})
    (folder / "pyproject.toml").write_text(project)


def drawn(known: Sequence[str], module: str, sample: int | None, seed: int) -> list[str]:
    """All mutants, or a sample without replacement from a stream of the module's own."""
    if sample is None or sample >= len(known):
        return list(known)
    rng = np.random.default_rng([seed, *module.encode()])
    return rng.choice(known, sample, replace=False).tolist()


def _call(folder: Path, command: Sequence[str], only: Iterable[str] = (), text: str = "") -> str:
    """What a command prints in a folder, its lines restricted to those that name one of `only`."""
    done = subprocess.run(
        command, cwd=folder, env=os.environ | SETTINGS, input=text, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ValueError(f"{' '.join(command[:3])} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    wanted = set(only)
    return "\n".join(line for line in done.stdout.splitlines() if not wanted or line.split(":")[0].strip() in wanted)
