"""A run's folder: tables, samples, ledger and manifest, each written whole or not at all."""

import hashlib
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from empirical.errors import InputError, first_line
from theory.files import alone, write_text
from theory.ledger import Entry, entries, write

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "torch",
    "transformers",
    "peft",
    "statsmodels",
    "matplotlib",
    "decoding-tradeoffs",
)


def checked_with(seed: int) -> dict[str, Any]:
    """What the verdicts of theory and toy depend on: their code, the numerical libraries and the seed."""
    code = hashlib.blake2b(digest_size=16)
    for room in ("theory", "toy"):
        for file in sorted(Path(str(files(room))).rglob("*.py")):
            code.update(file.read_bytes())
    return {"code": code.hexdigest(), "seed": seed, **{name: version(name) for name in ("numpy", "scipy", "pandas")}}


def _version(package: str) -> str | None:
    """None: theory and toy run without the packages of real models, and in a clone that is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Results:
    """`results/<preset>/` and what may be written into it."""

    folder: Path

    @classmethod
    def open(cls, out: Path, preset: str) -> "Results":
        """Make the folder and see that it can be written; raises InputError if not."""
        results = cls(out / preset)
        results._guard(
            lambda: [(results.folder / name).mkdir(parents=True, exist_ok=True) for name in ("tables", "samples")]
        )
        results.note()
        return results

    @property
    def samples(self) -> Path:
        """Where the corpus rows are kept."""
        return self.folder / "samples"

    def write_tables(self, tables: dict[str, pd.DataFrame]) -> None:
        """Write each table to tables/<name>.csv."""
        for name, table in tables.items():
            self._write(f"tables/{name}.csv", table.to_csv(index=False))

    def write_ledger(self, entries: Sequence[Entry]) -> None:
        """Put these entries into ledger.json, in place of older ones of the same id, sorted by id."""
        with alone(self.folder):
            self._guard(lambda: write(entries, self.folder / "ledger.json", keep_others=True))

    def checked(self, stamp: dict[str, Any]) -> dict[str, Entry]:
        """Ledger entries, by id, that an earlier run earned with the same code and seed; none if either has changed."""
        if self.manifest().get("checked") != stamp or not (self.folder / "ledger.json").is_file():
            return {}
        return {entry.id: entry for entry in entries(self.folder / "ledger.json")}

    def made(self, stamp: dict[str, Any]) -> list[str]:
        """The exact worlds whose tables an earlier run wrote here with the same code and seed."""
        return [name for name, with_ in self.manifest().get("made", {}).items() if with_ == stamp]

    def note_made(self, name: str, stamp: dict[str, Any]) -> None:
        """Note in the manifest that the tables of an exact world are written, and what they depend on."""
        with alone(self.folder):
            self._keep({"made": self.manifest().get("made", {}) | {name: stamp}})

    def manifest(self) -> dict[str, Any]:
        """What is known of the run so far: versions, seeds, models, commands, wall time; InputError if damaged."""
        path = self.folder / "manifest.json"
        try:
            known = json.loads(path.read_bytes()) if path.is_file() else {}
        except (ValueError, RecursionError) as problem:
            raise InputError(f"{path} is damaged ({first_line(problem)}); delete it, and run the command again.") from (
                problem
            )
        if not isinstance(known, dict) or not isinstance(known.get("made", {}), dict):
            raise InputError(f"{path} is damaged (it is no manifest); delete it, and run the command again.")
        return known | {"python": platform.python_version(), "versions": {name: _version(name) for name in PACKAGES}}

    def note(self, **facts: Any) -> None:
        """Add facts to the manifest."""
        with alone(self.folder):
            self._keep(facts)

    def _keep(self, facts: dict[str, Any]) -> None:
        self._write("manifest.json", json.dumps(self.manifest() | facts, indent=1))

    def _write(self, name: str, text: str) -> None:
        self._guard(lambda: write_text(self.folder / name, text))

    def _guard(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except OSError as problem:
            raise InputError(
                f"Cannot write results to {self.folder} ({problem.strerror or problem}); free some space or choose "
                "another --out."
            ) from problem
