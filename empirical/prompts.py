"""Prompts: 200 of our own, embedded; or HH prompts from the user's copy."""

import hashlib
from importlib.resources import files
from pathlib import Path

from empirical.errors import InputError
from empirical.preferences import hh_pairs

HH = Path("hh")
LONGEST = 256  # characters; the study's filter on HH prompts


def own_prompts() -> list[str]:
    """The embedded default: 200 short, varied, harmless single-turn prompts."""
    return files("empirical").joinpath("prompts.txt").read_text(encoding="utf-8").splitlines()


def study_prompts(count: int) -> list[str]:
    """The first `count` prompts of the half that no alignment run has seen; raises InputError past its end."""
    held_out = own_prompts()[:100]
    if not 1 <= count <= len(held_out):
        raise InputError(f"There are {len(held_out)} embedded study prompts, not {count}; pass a file with --prompts.")
    return held_out[:count]


def alignment_prompts() -> list[str]:
    """The other half of the embedded prompts, on which the shipped adapter was trained."""
    return own_prompts()[100:]


def short_prompts() -> list[str]:
    """60 embedded questions that ask for a short answer, for studies of length at a limit of 64 tokens.

    Of 240 ancestral answers by the default prior, four a question, 0.67 [0.59, 0.75] (over questions) end by themselves
    within 64 tokens, 0.39 within 32; log(T / 64) has a standard deviation of 0.50 within a question.
    """
    return files("empirical").joinpath("short_prompts.txt").read_text(encoding="utf-8").splitlines()


def prompts_from(path: Path, count: int | None = None) -> list[str]:
    """The first `count` prompts of a text file (one a line), of a folder of HH dialogues, or, for `hh`, of the hub's.

    None: all of them. Of a dialogue: the first paragraph of the first user turn, if it is shorter than 256 characters.
    """
    try:
        if path.is_dir() or path == HH:
            openings = [pair.turns[0].split("\n\n")[0] for pair in hh_pairs(None if path == HH else path)]
            found = [text for text in dict.fromkeys(openings) if len(text) < LONGEST]
        else:
            found = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as problem:
        raise InputError(
            f"Cannot read prompts from {path} ({problem}); pass a UTF-8 text file, one a line."
        ) from problem
    if len(found) < (least := count or 1):
        raise InputError(f"{path} holds {len(found)} usable prompts but {least} were asked for; pass more or ask less.")
    return found[:count]


def prompt_id(prompt: str) -> str:
    """A short stable name for a prompt, from its text alone."""
    return hashlib.blake2b(prompt.encode(), digest_size=6).hexdigest()
