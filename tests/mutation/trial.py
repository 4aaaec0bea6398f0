"""The mutants of one module, each tried in a process of its own; run in the folder of the mutated copy.

    echo '{"tiers": [["tests/toy/test_tilts.py"]], "names": ["toy.tilts.x_tilted__mutmut_1"]}' | python trial.py

mutmut's own runner asks of each mutant only the tests that called its function when nothing was mutated, and forks
processes that have already run them: a fixture of a whole file then counts for the first test that uses it, and what
was cached stays cached. Here libraries are imported once, our own modules afresh under each mutant, and every test of
the files is asked, the quick ones first, until one fails; what survives one tier of files is asked of the next. Prints
a line a mutant, as mutmut does.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

LIBRARIES = ("hypothesis", "mutmut.mutation.trampoline", "numpy", "pandas", "scipy.optimize", "scipy.stats")
HEAVY = ("torch", "transformers", "peft", "numba")  # for empirical/ alone
SPECIAL = {-signal.SIGXCPU: "timeout", -signal.SIGALRM: "timeout", -signal.SIGSEGV: "segfault"}
ASLEEP = 30
"""Seconds by the clock for each second of work after which a process is thought to wait for ever."""


# Quiet, up to the first failure; hypothesis is imported before pytest could rewrite its asserts.
OPTIONS = ("-x", "-q", "-W", "ignore::pytest.PytestAssertRewriteWarning")


class Clock:
    """The seconds that each test and each fixture takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        with self._timed(item.nodeid):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef) -> Iterator[None]:
        with self._timed(fixturedef.argname):
            return (yield)

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start


class QuickFirst:
    """The first failure decides, so quick tests go first, those with slow fixtures last."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=self.cost)

    def cost(self, item: pytest.Item) -> float:
        return sum(self.seconds.get(name, 0.0) for name in (item.nodeid, *getattr(item, "fixturenames", ())))


def clean(tests: Sequence[str]) -> dict[str, float]:
    """Seconds of all tests and fixtures without a mutant."""
    seconds = Path("trial-seconds.json")

    def run() -> int:
        clock = Clock()
        code = pytest.main([*OPTIONS, *tests], plugins=[clock])
        seconds.write_text(json.dumps(clock.seconds))
        return int(code)

    if forked("", run, 3600) != "survived":
        raise SystemExit(f"the tests fail without a mutant: {Path('trial-clean.log').read_text()[-2000:]}")
    return json.loads(seconds.read_text())


def forked(mutant: str, run: Callable[[], int], limit: int) -> str:
    """Run in a fork under a mutant, `limit` seconds of work at most: survived, killed, timeout or segfault."""
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.environ["MUTANT_UNDER_TEST"] = mutant
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        signal.alarm(ASLEEP * limit)  # the machine may be busy
        code = 3
        try:
            with open(f"trial-{mutant or 'clean'}.log"[:200], "w") as log:
                os.dup2(log.fileno(), 1), os.dup2(log.fileno(), 2)
                code = run()
        except BaseException:  # whatever it is, this process ends here
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(ProcessLookupError):  # processes that the test had started
        os.killpg(pid, signal.SIGKILL)
    if code in (4, 5) and not mutant:  # under a mutant 4 is a conftest.py that cannot be imported
        raise SystemExit(f"pytest found no tests: {code}")
    return "survived" if code == 0 else SPECIAL.get(code, "killed")


class NeverThere(SystemExit):
    """The tests do not call the module's functions."""


def verdicts(tests: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """What the tests say of each mutant; before that, of nothing (must live) and a failure at the first call (not)."""
    before = _work()
    order = QuickFirst(clean(tests))
    limit = 8 + round(4 * (_work() - before))  # an endless loop: four times the clean time and 8 s

    def asked() -> int:
        return int(pytest.main([*OPTIONS, *tests], plugins=[order]))

    for name, expected in (("", "survived"), ("fail", "killed")):
        if (found := forked(name, asked, limit)) != expected:
            refused = NeverThere if found == "survived" else SystemExit
            raise refused(f"the control {name!r} was {found}: the tests depend on their order, or never get there")
    return {name: forked(name, asked, limit) for name in names}


def _work() -> float:
    """The seconds that forks worked so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(tiers: Sequence[Sequence[str]], names: Sequence[str], libraries: Sequence[str] = LIBRARIES) -> None:
    """Try each mutant on the first files; what survives them on the next, if these ever get there."""
    for library in libraries:
        importlib.import_module(library)
    gc.freeze()  # or pytest would search all of them for garbage in every fork, which took half of the time
    sys.path.insert(0, os.getcwd())
    found = dict.fromkeys(names, "survived")
    for place, tests in enumerate(tiers):
        if tests and (lived := [name for name in names if found[name] == "survived"]):
            try:
                found |= verdicts(tests, lived)
            except NeverThere:
                if place == 0:
                    raise
    print("".join(f"    {name}: {verdict}\n" for name, verdict in found.items()), end="")


if __name__ == "__main__":
    asked_for = json.load(sys.stdin)
    heavy = HEAVY if any(name.startswith("empirical.") for name in asked_for["names"]) else ()
    main(asked_for["tiers"], asked_for["names"], (*LIBRARIES, *heavy))
