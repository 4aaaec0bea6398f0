"""The runner of mutants on planted ones, which a test file makes itself: it reads which mutant it is asked about."""

import subprocess
import sys

import pytest

from tests.mutation.sources import ROOT

TESTS = """
import os, signal, time
mutant = os.environ["MUTANT_UNDER_TEST"]
if mutant == "unimportable":
    raise ImportError(mutant)
def test_slow(slow):
    assert mutant != "seen by a slow test"
def test_quick():
    assert mutant not in ("fail", "seen")
    if mutant == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if mutant == "wrong exit":
        raise KeyboardInterrupt
import pytest
@pytest.fixture
def slow():
    time.sleep(0.2)
    with open("order.txt", "a") as order:
        order.write(mutant + "\\n")
"""


def tried(folder, tests, *names, second=None):
    (folder / "test_planted.py").write_text(tests)
    (folder / "test_second.py").write_text(second or "")
    tiers = [["test_planted.py"], ["test_second.py"] if second is not None else []]
    program = f"from tests.mutation import trial; trial.main({tiers}, {list(names)}, libraries=())"
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )


def test_each_planted_mutant_gets_its_verdict(tmp_path):
    expected = {
        "seen": "killed",
        "seen by a slow test": "killed",
        "unimportable": "killed",
        "wrong exit": "killed",
        "crash": "segfault",
        "unseen": "survived",
    }
    done = tried(tmp_path, TESTS, *expected)
    assert dict(line.strip().split(": ") for line in done.stdout.splitlines()) == expected, done.stderr
    asked_slowly = (tmp_path / "order.txt").read_text().splitlines()
    assert asked_slowly == ["", "", "seen by a slow test", "unseen"]  # the quick test ends the others


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (TESTS.replace('"fail", "seen"', '"seen",'), "the control 'fail' was survived"),
        (TESTS.replace('!= "seen by', '> "" and "seen by'), "the tests fail without a mutant"),
        ("", "found no tests"),
    ],
)
def test_tests_that_say_nothing_are_refused(tmp_path, wrong, said):
    done = tried(tmp_path, wrong, "seen")
    assert done.returncode == 1
    assert said in done.stderr
    assert not done.stdout


def test_a_conftest_that_a_mutant_breaks_is_a_failure(tmp_path):
    (tmp_path / "conftest.py").write_text("import os\nassert os.environ['MUTANT_UNDER_TEST'] != 'unimportable'\n")
    done = tried(tmp_path, TESTS.replace('"unimportable"', '"x"'), "unimportable", "unseen")
    assert done.stdout == "    unimportable: killed\n    unseen: survived\n", done.stderr


SECOND = """
import os
mutant = os.environ["MUTANT_UNDER_TEST"]
def test_second():
    with open("second.txt", "a") as second:
        second.write(mutant + "\\n")
    assert mutant not in ("fail", "seen by others")
"""


def test_what_the_first_files_let_live_is_asked_of_the_second(tmp_path):
    expected = {"unseen": "survived", "seen": "killed", "seen by others": "killed"}
    done = tried(tmp_path, TESTS, *expected, second=SECOND)
    assert dict(line.strip().split(": ") for line in done.stdout.splitlines()) == expected, done.stderr
    assert (tmp_path / "second.txt").read_text().splitlines() == ["", "", "fail", "unseen", "seen by others"]


def test_the_second_files_are_asked_only_about_survivors(tmp_path):
    done = tried(tmp_path, TESTS, "seen", second=SECOND)
    assert done.stdout == "    seen: killed\n", done.stderr
    assert not (tmp_path / "second.txt").exists()


def test_second_files_that_never_get_to_the_module_say_nothing(tmp_path):
    elsewhere = SECOND.replace('"fail", "seen by others"', '"seen by others",')
    done = tried(tmp_path, TESTS, "seen by others", second=elsewhere)
    assert done.stdout == "    seen by others: survived\n", done.stderr


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (SECOND.replace('("fail"', '("", "fail"'), "the tests fail without a mutant"),
        ("", "found no tests"),
    ],
)
def test_second_files_that_fail_or_are_empty_are_refused(tmp_path, wrong, said):
    done = tried(tmp_path, TESTS, "unseen", second=wrong)
    assert done.returncode == 1
    assert said in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(("asleep", "end"), [(30, "while True: pass"), (1, "time.sleep(60)")])
def test_a_mutant_that_never_ends_is_stopped(tmp_path, asleep, end):
    program = f"""
import time
from tests.mutation import trial
def endless():
    {end}
trial.ASLEEP = {asleep}
print(trial.forked('m', endless, 1))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "timeout\n"
