"""The table of the shipped prefix scorers, from their cards: `python -m empirical.scorer_cards` writes the README."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from empirical.shipped import shipped

HEAD = """# Prefix scorers for SmolLM2-135M-Instruct

This file is written by `python -m empirical.scorer_cards` from the `card.json` of each folder, which also holds the
command that makes the scorer again, what it was trained on, the curve of the run and every figure.

Each is a low-rank head on the base's last hidden states (`empirical/prefix_scorers.py`), trained on the base's own
ancestral answers to prompts that no study answers: `q` by CD-Q, `fudge` by CD-FUDGE, on the same answers. The task is
the beginning of the name; its prompts are embedded ones, but for `summary`, which learns from the passages of
FineGrainedRLHF's feedback (allenai/FineGrainedRLHF, Apache-2.0): our own passages are too few.

Below, on prompts that it has not seen. `share`: how much of the variance of the reward over all prefixes of all answers
the values explain, 1 - loss / loss of the constant mean; no scorer reaches 1, as a prefix does not decide its text, and
what lies below 0 is worse than the constant. `slope`: of the reward on the value at prefixes of so many tokens, 1 where
the scorer is calibrated, with 95 % intervals that resample prompts. `minutes`: the base's states, then training.

"""
PLACES = {"first token": 1, "tokens 5 to 8": 5, "33 and more": 33}
"""Columns of slopes, by the first token of their stretch."""


def main(folder: Annotated[Path | None, typer.Option(help="Holds a folder for each scorer.")] = None) -> None:
    """Write README.md into the folder."""
    folder = folder or shipped("scorers")
    cards = {path.parent.name: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*/card.json"))}
    (folder / "README.md").write_text(HEAD + table(cards), encoding="utf-8")


def table(cards: Mapping[str, Mapping[str, Any]]) -> str:
    """A Markdown table, one row a scorer and reward."""
    titles = ["scorer", "reward", "prompts", "answers", "share", *(f"slope, {name}" for name in PLACES), "minutes"]
    rows = [titles, ["---"] * len(titles)]
    for name, card in cards.items():
        for reward, found in card["measured"].items():
            prompts = " / ".join(str(card["prompts"][part]) for part in ("train", "check", "test"))
            slopes = {one["first"]: one for one in found["calibration"]}
            cells = [_slope(slopes.get(first)) for first in PLACES.values()]
            share = "-" if found["share"] is None else f"{found['share']:.2f}"
            minutes = " + ".join(f"{card['minutes'][part]:g}" for part in ("states", "training"))
            rows.append([f"`{name}`", reward, prompts, str(card["answers"]), share, *cells, minutes])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _slope(one: Mapping[str, Any] | None) -> str:
    if one is None or one["slope"] is None:
        return "-"
    ends = "" if one["low"] is None else f" [{one['low']:.2f}, {one['high']:.2f}]"
    return f"{one['slope']:.2f}{ends}"


if __name__ == "__main__":
    typer.run(main)
