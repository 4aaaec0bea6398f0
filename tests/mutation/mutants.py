"""Mutants of one module: made, run and reported by mutmut in a copy of the sources and their tests.

A module of theory/ is named by its stem, one of another room by its path with dots: toy.simpson.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
ARRAY_RULES = {"adaptors", "arrays", "best_of", "certificates", "guidance", "information"}
"""Modules that tests/theory/test_array_contract.py tests as well."""
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
filterwarnings = ["error"]
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
    """What became of the mutants of one module; `survivors` maps the name of each that lived to its change."""

    module: str
    mutants: int
    survivors: Mapping[str, Change]

    @property
    def killed(self) -> int:
        return self.mutants - len(self.survivors)


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


def source_of(module: str) -> str:
    """The file of a module: theory/adaptors.py, toy/simpson.py.

    >>> source_of("empirical.control.rounds")
    'empirical/control/rounds.py'
    """
    return f"{module.replace('.', '/')}.py" if "." in module else f"theory/{module}.py"


def files_of(module: str) -> list[str]:
    """The test files that answer for a module.

    In theory test_<module>.py, its parts test_<module>_<part>.py where no module has that longer name, and the rules of
    arrays; in other rooms the file that mirrors it and those of the room that import it by name.
    """
    if "." in module:
        room = module.partition(".")[0]
        above, _, stem = module.rpartition(".")
        name = rf"from {re.escape(module)} import|from {re.escape(above)} import .*\b{stem}\b"
        paths = [path for path in sorted((ROOT / "tests" / room).rglob("test_*.py")) if "claims" not in path.parts]
        mirror = ROOT / "tests" / Path(source_of(module)).with_name(f"test_{stem}.py")
        named = [path for path in paths if path == mirror or re.search(name, path.read_text(encoding="utf-8"))]
        return [path.relative_to(ROOT).as_posix() for path in named]
    modules = {path.stem for path in (ROOT / "theory").glob("*.py")}
    parts = [path.stem.removeprefix("test_") for path in sorted((ROOT / "tests/theory").glob(f"test_{module}_*.py"))]
    longer = [name for name in modules if name.startswith(f"{module}_")]
    mine = [part for part in parts if not any(part == name or part.startswith(f"{name}_") for name in longer)]
    rules = ["array_contract"] * (module in ARRAY_RULES)
    return [f"tests/theory/test_{name}.py" for name in (module, *mine, *rules)]


def measure(module: str, folder: Path, sample: int | None = None, seed: int = 0) -> Outcome:
    """Run the mutants of a module (all, or a seeded sample) in `folder`. Raises ValueError without a whole report."""
    source, tests = source_of(module), files_of(module)
    room, alone = source.partition("/")[0], "." not in module
    copied = ["tests"] if alone else sorted({"theory", "toy", "empirical", "figures", "tests"} - {room})
    for name in ("theory", "tests/theory", "tests/statistical") if alone else (room, *copied):
        ignored = shutil.ignore_patterns("__pycache__", *(["claims"] if name == "tests/theory" else []))
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    fixtures = "" if alone else (ROOT / "tests/conftest.py").read_text(encoding="utf-8")
    (folder / "tests/conftest.py").write_text(fixtures + CONFTEST)
    project = PROJECT.format(room=room, source=source, copied=json.dumps(copied), tests=json.dumps(tests))
    (folder / "pyproject.toml").write_text(project)
    names: list[str] = []
    if sample is not None:
        known = json.loads(_call(folder, [sys.executable, "-c", NAMES]).splitlines()[-1])
        names = np.random.default_rng(seed).choice(known, min(sample, len(known)), replace=False).tolist()
    (folder / "run.log").write_text(_call(folder, [MUTMUT, "run", "--max-children", "1", *names]))
    return report(module, folder, names)


def report(module: str, folder: Path, only: Iterable[str] = ()) -> Outcome:
    """What mutmut found in `folder`, of all mutants or of some. Raises ValueError as `parse` and `changed`."""
    results = parse(_call(folder, [MUTMUT, "results", "--all", "true"], only))
    lived = [name for name, status in results.items() if status in SURVIVED]
    found = json.loads(_call(folder, [sys.executable, "-c", DIFFERENCES], text=json.dumps(lived)).splitlines()[-1])
    return Outcome(module, len(results), {name: changed(found[name]) for name in lived})


def _call(folder: Path, command: Sequence[str], only: Iterable[str] = (), text: str = "") -> str:
    """What a command prints in a folder, its lines restricted to those that name one of `only`."""
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=folder, env=environment, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"{' '.join(command[:3])} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    wanted = set(only)
    return "\n".join(line for line in done.stdout.splitlines() if not wanted or line.split(":")[0].strip() in wanted)
