"""Make an adapter: `python -m empirical.align --method rloo --reward preference --beta 0.1` (a quarter of an hour)."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from empirical.alignment import draw_pools
from empirical.alignment_distance import distance
from empirical.alignment_methods import AIMS, LEARNING_RATE, PAIRED, STEPS, TILT, Method, named, settings_of, step_of
from empirical.errors import InputError, one_sentence
from empirical.fetch import cache_directory
from empirical.models import LanguageModel, default_prior, load, refuse_long, with_adapter
from empirical.online import Labels
from empirical.ppo import EPOCHS
from empirical.precision import use_fast_float32
from empirical.rewards import load_reward
from empirical.scorer_data import learnable
from empirical.training import Recipe, train, with_new_adapter

MEASURED = 16  # answers of the aligned model to each held-out prompt


def main(
    method: Annotated[Method, typer.Option(help="Policy gradient, preference optimisation, or that on-line.")],
    reward: Annotated[str, typer.Option(help="preference, sentiment, length, or what else `load_reward` takes.")],
    beta: Annotated[float, typer.Option(min=1e-3, help="Strength of the KL penalty; smaller moves further.")],
    out: Annotated[Path | None, typer.Option(help="Where the adapter goes; else adapters/NAME.")] = None,
    prior: Annotated[str | None, typer.Option(help="A directory or hub id; else SmolLM2.")] = None,
    labels: Annotated[Labels, typer.Option(help="Of pairs, on-line: the reward's, or its probabilities.")] = (
        Labels.REWARD
    ),
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=1e-9, help="Of Adam, at its highest.")] = None,
    task: Annotated[
        str, typer.Option(help="Whose prompts, of those no study answers: hh, length, summary; a file.")
    ] = "hh",
    prompts: Annotated[int, typer.Option(help="Prompts to train on.")] = 40,
    held_out: Annotated[int, typer.Option(help="Prompts to measure on, from the other end of the same list.")] = 24,
    max_new: Annotated[int, typer.Option(help="Tokens of the longest answer.")] = 32,
    work: Annotated[Path | None, typer.Option(help="Where checkpoints are kept; a killed run goes on.")] = None,
    seed: int = 0,
) -> None:
    """Train an adapter, measure it on prompts it has not seen, and write it with its figures."""
    name = named(reward, method, beta, labels)
    rate = learning_rate or LEARNING_RATE[method]
    recipe = Recipe(beta, seed, max_new=max_new, steps=steps or STEPS[method], learning_rate=rate)
    folders = out or Path("adapters") / name, (work or cache_directory() / "align") / name
    with one_sentence():
        base = load(prior, name=Path(prior).name) if prior else default_prior()
        make(base, method, reward, recipe, split(task, prompts, held_out), *folders, labels, Path(task).name)


def make(
    prior: LanguageModel,
    method: Method,
    reward_name: str,
    recipe: Recipe,
    prompts: tuple[list[str], list[str]],
    out: Path,
    work: Path,
    labels: Labels = Labels.REWARD,
    task: str = "hh",
) -> None:
    """Train on the first prompts, measure on the second, write the adapter and its `card.json` to `out`."""
    precision = use_fast_float32()
    reward = load_reward(reward_name, prior, recipe.max_new)
    kind = Path(reward_name).name  # a name, not this machine's path
    learnt, held_out = prompts
    refuse_long(prior, [*learnt, *held_out], recipe.max_new)
    settings = settings_of(method, labels)
    texts = hashlib.blake2b("\0".join(learnt).encode(), digest_size=8).hexdigest()
    run = " ".join([prior.sha256, reward.describe(), method, texts, *map(str, settings.values())])
    step = step_of(method, prior, reward, learnt, recipe, labels, work.parent / "answers-learnt.json")
    network = with_new_adapter(prior, recipe)
    figures = train(network, recipe, step, work, run, EPOCHS if method is Method.PPO else 1)
    pools = draw_pools(prior, reward, held_out, recipe, work.parent / "answers-held-out.json")
    known = dict(zip(held_out, pools, strict=True))
    measured = distance(with_adapter(prior, work / "adapter", out.name), prior, reward, known, recipe, MEASURED)
    options = f"--method {method} --reward {kind} --beta {recipe.beta:g} --steps {recipe.steps} --seed {recipe.seed}"
    options += f" --task {task} --prompts {len(learnt)} --held-out {len(held_out)} --max-new {recipe.max_new}"
    options += f" --learning-rate {recipe.learning_rate:g}" + (f" --labels {labels}" if method in PAIRED else "")
    card = {
        "method": str(method),
        "reward": kind,
        "reward_described": reward.describe().replace(reward_name, kind),
        "prior": prior.name,
        "prior_sha256": prior.sha256,
        **asdict(recipe),
        **settings,
        "aims_at": AIMS.get((method, labels), TILT),
        "prompts": {"trained_on": len(learnt), "held_out": len(held_out), "answers_a_held_out_prompt": MEASURED},
        "command": f"python -m empirical.align {options}",
        "curve": {key: tenths([row[key] for row in figures]) for key in figures[0] if key != "seconds"},
        "measured": {key: asdict(interval) for key, interval in measured.items()},
        "float32": precision,
        "minutes_training": round(sum(row["seconds"] for row in figures) / 60, 1),
    }
    shutil.copytree(work / "adapter", out, dirs_exist_ok=True)
    (out / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(card), flush=True)


def split(task: str, trained_on: int, held_out: int) -> tuple[list[str], list[str]]:
    """Prompts to train on and to measure on, from the two ends of those of a task that no study uses."""
    every = learnable(task)
    if min(trained_on, held_out) < 2 or trained_on + held_out > len(every):
        raise InputError(f"There are {len(every)} prompts to train and to measure on; ask for 2 or more of each.")
    return every[:trained_on], every[len(every) - held_out :]


def tenths(values: list[float]) -> list[float]:
    """Means of ten stretches of a run, in its order."""
    return [round(float(np.mean(part)), 5) for part in np.array_split(values, 10) if len(part)]


if __name__ == "__main__":
    typer.run(main)
