"""Plant a bug in a copy of the repository and ask the tests that should notice it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from tests.zoo.entries import LEAST, Entry

ROOT = Path(__file__).parents[2]
COPIED = ("theory", "toy", "empirical", "figures", "tests", "docs", "paper_repro.py", "pyproject.toml", "README.md")
SECONDS = 300
"""A test that has not ended by then has noticed nothing."""
CRASHES = ("AttributeError", "ImportError", "ModuleNotFoundError", "NameError", "SyntaxError", "TypeError")
"""What a patch raises that does not run at all; a test that meets it has not looked at what the bug does."""


@dataclass(frozen=True)
class Found:
    """What became of an entry: the tests that failed on the bug, and why it does not count, if it does not."""

    entry: Entry
    failed: tuple[str, ...]
    fault: str = ""

    @property
    def killed(self) -> bool:
        return not self.fault and len(self.failed) >= LEAST


def plant(entry: Entry) -> Found:
    """Apply the patch to a copy and run its tests. The fault says whether it no longer applies."""
    with TemporaryDirectory(prefix="zoo-") as name:
        folder = Path(name)
        copy_to(folder)
        done = subprocess.run(
            ["git", "apply", "-"], cwd=folder, input=entry.diff, text=True, capture_output=True, check=False
        )
        if done.returncode != 0:
            return Found(entry, (), f"no longer applies: {done.stderr.strip()}")
        failed = set(failures(folder, entry.tests))
    return Found(entry, tuple(test for test in entry.tests if test in failed))


def copy_to(folder: Path) -> None:
    """What the tests need, without what earlier runs left."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy(ROOT / name, folder / name)


def failures(folder: Path, tests: Iterable[str], crashes: bool = False) -> list[str]:
    """Those of the test functions that ran in `folder` and failed; one that could not start, or hung, did not fail.

    crashes: whether one that met any of CRASHES counts.
    """
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options = ["-o", "addopts=--import-mode=importlib --strict-markers", f"--junitxml={report}"]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)  # this may run within such a worker, of which the other knows nothing
    try:
        subprocess.run(
            [*command, *options, *tests], cwd=folder, env=environment, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return []
    cases = ElementTree.parse(report).iter("testcase") if report.exists() else []
    failed = [(name_of(case), case.find("failure")) for case in cases]
    return [name for name, why in failed if why is not None and (crashes or not crashed(why))]


def crashed(failure: ElementTree.Element) -> bool:
    """The failure's message begins with what was raised, by its name."""
    return failure.get("message", "").startswith(CRASHES)


def name_of(case: ElementTree.Element) -> str:
    """`folder/file.py::test_name` of a case of the report, without its parameters."""
    path = case.attrib["classname"].replace(".", "/") + ".py"
    return f"{path}::{case.attrib['name'].split('[')[0]}"
