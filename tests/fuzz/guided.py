"""Coverage-guided fuzzing of the readers: bytes that reach new code are kept and changed further.

    python -m tests.fuzz.guided [--seconds 60] [--readers ledger items] [--random] [--store]

Each reader runs in a process of its own under atheris (`pip install -e ".[fuzz]"`), from the whole file that
`tests.fuzz.readers` has for it, with the rule of `tests/fuzz/test_readers.py`: taken, or refused in a sentence.
--random goes without atheris, by `spoilt` alone. Prints a line a reader; ends with 1 if one finds something.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.stored import updated
from theory.files import write_text

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "figures/report/evidence/fuzz.csv"
COLUMNS = ("target", "executions", "seconds", "findings", "sound")
PARSERS = ("empirical", "theory.ledger", "tomllib", "json.decoder")
"""Modules of Python in which coverage guides; a parser in C or Rust is seen from outside only."""
ABSENT = 'Coverage-guided fuzzing needs atheris: pip install -e ".[fuzz]", or choose --random.'


def planted(path: Path) -> None:
    """A reader with a bug behind three bytes, which a control has to find."""
    if path.read_bytes()[:3] == b"\x00\x00\x00":
        raise KeyError("planted")


def target(name: str, folder: Path) -> tuple[Path, Callable[[Path], object]]:
    """A reader by its name, and its whole file in the folder."""
    if name == "planted":
        (folder / "planted").write_bytes(b"whole")
        return folder / "planted", planted
    from tests.fuzz.readers import readers

    return readers(folder)[name]


def names() -> list[str]:
    """All readers; a model's files, of which a hundred a minute can be read, are left to the tests."""
    with tempfile.TemporaryDirectory() as folder:
        from tests.fuzz.readers import readers

        return list(readers(Path(folder)))


def fuzz(name: str, seconds: float, guided: bool) -> None:
    """Run one reader in this process; what is found goes to the standard output as a line of JSON."""
    if guided:
        import atheris

        with atheris.instrument_imports(include=list(PARSERS)):
            from tests.fuzz.readers import answer
    else:
        from tests.fuzz.readers import answer
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        file, read = target(name, folder)
        whole, start, rng, done = file.read_bytes(), time.monotonic(), random.Random(name), 0

        def once(data: bytes) -> None:
            nonlocal done
            done += 1
            file.write_bytes(data)
            said = answer(read, file)
            if said not in ("taken", "refused"):
                found = {"executions": done, "seconds": time.monotonic() - start, "found": said, "input": data.hex()}
                print(json.dumps(found), flush=True)
                raise SystemExit(1)
            if done % 50 == 0:
                print(json.dumps({"executions": done, "seconds": time.monotonic() - start}), flush=True)

        if guided:
            corpus = folder / "corpus"
            corpus.mkdir()
            (corpus / "whole").write_bytes(whole)
            limits = [
                f"-max_total_time={max(1, round(seconds))}",
                "-rss_limit_mb=4096",
                "-timeout=60",
                "-max_len=20000",
                f"-artifact_prefix={folder}/",  # what was found is printed, not left in the repository
            ]
            atheris.Setup([name, str(corpus), *limits, "-verbosity=0", "-print_final_stats=0"], once)
            atheris.Fuzz()
        while time.monotonic() - start < seconds:
            once(spoilt_once(whole, rng))


def spoilt_once(whole: bytes, rng: random.Random) -> bytes:
    """One spoilt file, see `spoilt`."""
    from tests.fuzz.readers import spoilt

    return spoilt(whole, rng)


def row(name: str, seconds: float, guided: bool) -> dict[str, object]:
    """What became of one reader, fuzzed in a process of its own."""
    command = [sys.executable, "-m", "tests.fuzz.guided", "--one", name, "--seconds", str(seconds)]
    ran = subprocess.run(
        [*command, *([] if guided else ["--random"])], cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    last = said[-1] if said else {"executions": 0, "seconds": 0.0}
    # A crash of the whole process (memory, a hang, a signal) leaves no line: it is a finding all the same.
    findings = int("found" in last or ran.returncode != 0 or not said)
    if findings:
        print(f"{name}: {last.get('found', ran.stderr[-2000:])}\n{last.get('input', '')[:400]}", file=sys.stderr)
    counts = (name, last["executions"], round(last["seconds"]), findings, str(not findings).lower())
    return dict(zip(COLUMNS, counts, strict=True))


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each reader")
    parser.add_argument("--readers", nargs="*", help="some readers only")
    parser.add_argument("--random", action="store_true", help="without atheris")
    parser.add_argument("--store", action="store_true", help="put the rows into the table that the report shows")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    said = parser.parse_args(given)
    if not said.random and find_spec("atheris") is None:
        print(ABSENT, file=sys.stderr)
        return 2
    if said.one:
        fuzz(said.one, said.seconds, not said.random)
        return 0
    rows = []
    for name in said.readers or names():
        rows.append(row(name, said.seconds, not said.random))
        print(*rows[-1].values(), flush=True)
    if said.store:
        older = TABLE.read_text(encoding="utf-8") if TABLE.is_file() else ""
        write_text(TABLE, updated(older, COLUMNS, rows, ("target",)))
    return int(any(one["findings"] for one in rows))


if __name__ == "__main__":
    raise SystemExit(main())
