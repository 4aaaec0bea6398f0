"""Adapters of several methods and strengths, one after another; each is one run of `python -m empirical.align`.

`python -m empirical.align_sweep --methods rloo,ppo,online-dpo,online-ipo --betas 0.05,0.1,0.2 --reward length`
"""

from math import inf
from pathlib import Path
from typing import Annotated

import typer

from empirical.align import main
from empirical.alignment_methods import Method, named
from empirical.errors import InputError, one_sentence
from empirical.online import Labels


def sweep(
    methods: Annotated[str, typer.Option(help="Names with commas between them, as `align --method` takes them.")],
    betas: Annotated[str, typer.Option(help="Numbers with commas between them.")],
    reward: Annotated[str, typer.Option(help="As for `align`.")],
    out: Annotated[Path, typer.Option(help="Gets a folder each; one with a card is left alone.")] = Path("adapters"),
    prior: Annotated[str | None, typer.Option(help="A directory or hub id; else SmolLM2.")] = None,
    labels: Annotated[Labels, typer.Option(help="Of pairs, on-line.")] = Labels.REWARD,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps; else each method's own.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=1e-9, help="Else each method's own.")] = None,
    task: Annotated[str, typer.Option(help="Whose prompts, as for `align`.")] = "hh",
    prompts: Annotated[int, typer.Option(help="To train on.")] = 40,
    held_out: Annotated[int, typer.Option(help="To measure on.")] = 24,
    max_new: Annotated[int, typer.Option(help="Tokens of the longest answer.")] = 32,
    work: Annotated[Path | None, typer.Option(help="Where checkpoints are kept; a killed sweep goes on.")] = None,
    seed: int = 0,
) -> None:
    """Make the adapters that are not there yet."""
    with one_sentence():
        asked = parsed(methods, betas)
    for method, beta in asked:
        folder = out / named(reward, method, beta, labels)
        if not (folder / "card.json").is_file():
            sizes = steps, learning_rate, task, prompts, held_out, max_new
            main(method, reward, beta, folder, prior, labels, *sizes, work, seed)


def parsed(methods: str, betas: str) -> list[tuple[Method, float]]:
    """Every method with every beta; raises InputError on what is neither."""
    try:
        asked = [(Method(method), float(beta)) for method in methods.split(",") for beta in betas.split(",")]
        if all(1e-3 <= beta < inf for _, beta in asked):
            return asked
    except ValueError:
        pass
    raise InputError(f"Methods are {', '.join(Method)}, and a beta is a number of at least 0.001.")


if __name__ == "__main__":
    typer.run(sweep)
