"""Human preferences: pairs of answers to one conversation, split by conversation so that no prompt leaks."""

import gzip
import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import hf_hub_download

from empirical.errors import InputError, first_line
from empirical.fetch import cache_directory, sha256
from theory.files import write_text

TURN = re.compile(r"\n\n(Human|Assistant):")
HUB, HUB_FILE = "Anthropic/hh-rlhf", "harmless-base/test.jsonl.gz"
SPLITS = {"train": (0, 70), "validation": (70, 85), "test": (85, 100)}


class PreferenceError(InputError):
    """The preference data cannot be found or read; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Pair:
    """A conversation (alternating user and assistant turns, user last) and its preferred and other answer."""

    turns: tuple[str, ...]
    chosen: str
    rejected: str

    @property
    def split(self) -> str:
        """train, validation or test, decided by the first user turn alone."""
        bucket = int(hashlib.blake2b(self.turns[0].encode(), digest_size=4).hexdigest(), 16) % 100
        return next(name for name, (low, high) in SPLITS.items() if low <= bucket < high)


def hh_pairs(folder: Path | None = None) -> list[Pair]:
    """Anthropic's HH pairs from every *.jsonl.gz under `folder`, else $HH_RLHF_DIR, else the hub's test file.

    Dropped: pairs whose conversations differ, whose answers are equal, or that have an empty turn.
    """
    chosen = folder or (Path(os.environ["HH_RLHF_DIR"]) if "HH_RLHF_DIR" in os.environ else None)
    files = sorted(chosen.rglob("*.jsonl.gz")) if chosen else [_from_hub()]
    if not files:
        raise PreferenceError(f"There is no *.jsonl.gz under {chosen}; download Anthropic/hh-rlhf and pass its folder.")
    pairs = []
    for file in files:
        try:
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                for line in lines:
                    row = json.loads(line)
                    pairs.append(_pair(row["chosen"], row["rejected"]))
        except Exception as problem:  # gzip, zlib and json raise from five families, by where the damage is
            raise PreferenceError(
                f"Cannot read dialogues from {file} ({first_line(problem)}); download Anthropic/hh-rlhf anew."
            ) from problem
    return [pair for pair in pairs if pair is not None]


def _from_hub() -> Path:
    try:
        file = Path(hf_hub_download(HUB, HUB_FILE, repo_type="dataset", revision="main"))
    except Exception as problem:  # the hub's client raises from three families
        raise PreferenceError(
            f"Cannot download {HUB} ({first_line(problem)}); pass a folder that holds it, or set HH_RLHF_DIR."
        ) from problem
    return as_first_seen(file)


def as_first_seen(file: Path) -> Path:
    """The file, if its SHA-256 is the one that its first download had, which is noted in the cache for every later one.

    The data set publishes no hash that we could pin: the first download is trusted, a later change is not.
    """
    note, found = cache_directory() / "hh-rlhf" / f"{HUB_FILE.replace('/', '-')}.sha256", sha256(file)
    if not note.is_file():
        note.parent.mkdir(parents=True, exist_ok=True)
        write_text(note, found + "\n")
        print(f"{HUB} has no hash to compare with: {found[:12]}... is trusted and noted in {note}.", file=sys.stderr)
    elif (known := note.read_text(encoding="utf-8").strip()) != found:
        raise PreferenceError(
            f"{file} has the SHA-256 {found[:12]}... but its first download had {known[:12]}...; if you trust the new "
            f"one, remove {note}."
        )
    return file


def _pair(chosen: str, rejected: str) -> Pair | None:
    first, second = _turns(chosen), _turns(rejected)
    if len(first) < 2 or len(first) % 2 or first[:-1] != second[:-1] or first[-1] == second[-1]:
        return None
    if not all(first) or not second[-1]:
        return None
    return Pair(tuple(first[:-1]), first[-1], second[-1])


def _turns(dialogue: str) -> list[str]:
    return [part.strip() for part in TURN.split(dialogue)[2::2]]
