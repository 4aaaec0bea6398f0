"""Theory, toy, figures and the command line where the packages of real models are not installed at all."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from empirical.doctor import MODEL_PACKAGES

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Links to every installed package but those of real models, with their metadata."""
    folder = tmp_path_factory.mktemp("site")
    absent = {name.replace("-", "_") for name in MODEL_PACKAGES}
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if path.name.partition("-")[0].partition(".")[0] not in absent:
            (folder / path.name).symlink_to(path)
    return folder


def python(others, *arguments):
    """A fresh interpreter that sees these packages and the repository; -S: and no others."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, others)))}
    return subprocess.run(
        [sys.executable, "-S", *arguments], capture_output=True, text=True, env=environment, check=False
    )


def test_the_packages_are_absent(others):
    for name in MODEL_PACKAGES:
        ran = python(others, "-c", f"import {name.replace('-', '_')}")
        assert "ModuleNotFoundError" in ran.stderr


def test_what_needs_no_model_runs(others, tmp_path):
    out = ["--out", str(tmp_path), "--preset", "smoke"]
    script = str(ROOT / "paper_repro.py")
    assert "tan.thm2" in python(others, script, "list", *out).stdout
    explained = python(others, script, "explain", "chang.thm3.5", *out)
    assert (explained.returncode, "checked now" in explained.stdout) == (0, True), explained.stderr
    ran = python(others, script, "run", "chang.thm3.5", *out)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "smoke" / "report" / "index.html").is_file()


@pytest.mark.parametrize("arguments", [["run", "tan.fig2"], ["tradeoff"], ["run", "tan.ex1", "--device", "cuda"], []])
def test_what_needs_one_says_what_to_install(others, tmp_path, arguments):
    ran = python(others, str(ROOT / "paper_repro.py"), *arguments, "--preset", "smoke", "--out", str(tmp_path))
    assert ran.returncode == 2
    assert "torch" in ran.stderr
    assert "pip install" in ran.stderr
    assert ran.stderr.count("\n") == 1, "one sentence"


def test_the_doctor_says_so(others, tmp_path):
    ran = python(others, str(ROOT / "paper_repro.py"), "doctor", "--out", str(tmp_path))
    assert ran.returncode == 1, ran.stderr
    assert "models do not" in " ".join(ran.stdout.replace("│", " ").split())
