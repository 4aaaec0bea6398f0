"""Train a prefix scorer: `python -m empirical.fit_scorer --method q --rewards length,preference --out DIR`."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from empirical.align import tenths
from empirical.errors import one_sentence
from empirical.fetch import cache_directory
from empirical.models import LanguageModel, default_prior, load
from empirical.precision import use_fast_float32
from empirical.prefix_calibration import measured
from empirical.prefix_features import Steps, collect, draw_texts, load_steps, missing
from empirical.prefix_scorers import PrefixScorer, new_scorer
from empirical.prefix_targets import Method
from empirical.prefix_training import Recipe, fit
from empirical.rewards import load_reward
from empirical.scored import Reward
from empirical.scorer_config import ScorerError
from empirical.scorer_data import afford, bounded, learnable, split, written


@dataclass(frozen=True)
class Data:
    """What a scorer learns from: `answers` of the base to each prompt, and a budget in GB for their states.

    prompts: what they are called; texts: a file of other texts to learn from instead, see `written`; the base's answers
    then only check and measure.
    """

    prompts: str
    answers: int
    memory: float
    seed: int
    texts: Path | None = None


def main(
    method: Annotated[Method, typer.Option(help="CD-FUDGE or CD-Q.")],
    rewards: Annotated[str, typer.Option(help="Names as `load_reward` takes them, separated by commas.")],
    out: Annotated[Path, typer.Option(help="Where the scorer and its card go.")],
    prior: Annotated[str | None, typer.Option(help="A directory or hub id; else SmolLM2.")] = None,
    prompts: Annotated[
        str, typer.Option(help="length, hh, summary or evidence: a task's, of those no study answers; or a file.")
    ] = "hh",
    count: Annotated[int, typer.Option(min=1, help="How many of the prompts at most; split 70 / 15 / 15.")] = 100,
    answers: Annotated[int, typer.Option(min=1, help="Answers of the base to each.")] = 32,
    max_new: Annotated[int, typer.Option(min=1, help="T_max, where answers are cut.")] = 64,
    texts: Annotated[
        Path | None, typer.Option(help='JSON lines {"prompt", "answer"} to learn from; CD-Q alone.')
    ] = None,
    rank: Annotated[int, typer.Option(min=0, help="Rank of the head; 0: vocabulary-wide.")] = 32,
    inner: Annotated[int, typer.Option(min=0, help="Width of a hidden layer; 0: none.")] = 0,
    steps: Annotated[int, typer.Option(min=1)] = Recipe.steps,
    learning_rate: Annotated[float, typer.Option(min=1e-8)] = Recipe.learning_rate,
    target_every: Annotated[int, typer.Option(min=0, help="Steps between copies of CD-Q's target; 0: none.")] = 0,
    memory: Annotated[float, typer.Option(help="GB that the cached states may take.")] = 2.0,
    work: Annotated[
        Path | None, typer.Option(help="Where states and checkpoints are kept; a killed run goes on.")
    ] = None,
    seed: int = 0,
) -> None:
    """Draw answers of the base, cache its states, train the head, and write it with its figures."""
    recipe = Recipe(method, steps, learning_rate=learning_rate, target_every=target_every, seed=seed)
    with one_sentence():
        model = load(prior, name=Path(prior).name) if prior else default_prior()
        loaded = {Path(name).name: bounded(load_reward(name, model, max_new)) for name in rewards.split(",")}
        described = {name: reward.describe() for name, reward in loaded.items()}
        scorer = new_scorer(model, described, max_new, rank, inner, seed)
        chosen = learnable(prompts, count)
        folder = (work or cache_directory() / "prefix-scorers") / "-".join([*loaded, str(max_new)])
        make(model, scorer, loaded, chosen, recipe, Data(Path(prompts).name, answers, memory, seed, texts), out, folder)


def make(
    model: LanguageModel,
    scorer: PrefixScorer,
    rewards: dict[str, Reward],
    prompts: Sequence[str],
    recipe: Recipe,
    data: Data,
    out: Path,
    work: Path,
) -> None:
    """Train on some prompts, choose by others, measure on others again; write the scorer and its `card.json`."""
    precision, begun = use_fast_float32(), time.monotonic()
    splits = split(prompts, data.seed)
    if data.texts is not None and recipe.method is Method.FUDGE:
        raise ScorerError("CD-FUDGE learns the values of whatever law drew the texts: leave --texts, or use CD-Q.")
    afford(scorer.about, len(prompts) * data.answers, data.memory)
    drawn = {"answers": data.answers, "seed": data.seed}

    def steps_of(some: Sequence[str]) -> Steps:
        gone = missing(scorer, some, work / "states", drawn)
        texts = draw_texts(model, gone, data.answers, scorer.about.max_new, data.seed)
        collect(model, scorer, rewards, _told(texts, len(gone)), work / "states", drawn)
        return load_steps(some, work / "states")

    if data.texts is None:
        train = steps_of(splits["train"])
    else:
        others = written(data.texts, model, scorer.about.max_new, set(splits["check"] + splits["test"]))
        afford(scorer.about, sum(map(len, others.values())), data.memory)
        gone = missing(scorer, list(others), work / "texts", others)
        collect(model, scorer, rewards, ((prompt, others[prompt]) for prompt in gone), work / "texts", others)
        train = load_steps(list(others), work / "texts")
    check, test = steps_of(splits["check"]), steps_of(splits["test"])
    read, about = time.monotonic(), asdict(scorer.about)
    checkpoint = work / f"{recipe.method}-{about['rank']}-{about['inner']}-{recipe.seed}"
    curve = fit(scorer, train, check, recipe, checkpoint, data.texts is None)
    options = f"--method {recipe.method} --rewards {','.join(rewards)} --steps {recipe.steps} --answers {data.answers}"
    options += f" --max-new {about['max_new']} --count {len(prompts)} --rank {about['rank']} --inner {about['inner']}"
    options += (
        f" --prompts {data.prompts} --learning-rate {recipe.learning_rate:g} --target-every {recipe.target_every}"
    )
    card = {
        **about,
        **asdict(recipe),
        "prompts": {name: len(some) for name, some in splits.items()},
        "texts": "the base's own answers" if data.texts is None else f"others, of {data.texts.name}",
        "answers": data.answers,
        "tokens": {"train": len(train), "check": len(check), "test": len(test)},
        "command": f"python -m empirical.fit_scorer {options} --seed {recipe.seed}",
        "curve": {key: tenths([row[key] for row in curve]) for key in ("loss", "check")},
        "chosen_step": min(curve, key=lambda row: row["check"])["step"],
        "measured": measured(scorer, test),
        "float32": precision,
        "minutes": {"states": _minutes(begun, read), "training": _minutes(read, time.monotonic())},
    }
    scorer.save_pretrained(out)
    (out / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(card), flush=True)


def _told(texts: Iterator[tuple[str, list[list[int]]]], count: int) -> Iterator[tuple[str, list[list[int]]]]:
    """The texts, and a line for every prompt."""
    for number, text in enumerate(texts, 1):
        print(f"answers to prompt {number} of {count}", flush=True)
        yield text


def _minutes(start: float, end: float) -> float:
    return round((end - start) / 60, 1)


if __name__ == "__main__":
    typer.run(main)
