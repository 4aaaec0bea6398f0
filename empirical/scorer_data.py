"""What may be learnt from when a prefix scorer is trained: which prompts, which rewards, which texts, how many."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from empirical.evidence_task.halves import halves as evidence_halves
from empirical.evidence_task.item import with_evidence
from empirical.evidence_task.items import own_items
from empirical.judging.human import passages_to_sum_up
from empirical.models import LanguageModel
from empirical.prompts import prompts_from
from empirical.rewards import SecretReward
from empirical.scored import Reward
from empirical.scorer_config import About, ScorerError

Texts = dict[str, list[list[int]]]
EVIDENCE = "evidence"


def learnable(where: str, count: int | None = None) -> list[str]:
    """At most `count` (None: all) of the prompts that no study answers of a task, or `count` lines of a text file.

    Tasks: `empirical.studies.controlled.cells.TASKS`, and evidence, questions with their passages. A file that ends in
    .json is FineGrainedRLHF's feedback: its passages, to sum up. Raises InputError or PreferenceError in one sentence.
    """
    # Here, because the studies read scorers themselves.
    from empirical.studies.controlled.cells import TASKS
    from empirical.studies.controlled.parts import halves

    if where == EVIDENCE:
        return [with_evidence(item) for item in evidence_halves(own_items())[1]][:count]
    if where.endswith(".json"):
        return passages_to_sum_up(Path(where))[:count]
    return halves(where)[1][:count] if where in TASKS else prompts_from(Path(where), count)


def split(prompts: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Distinct prompts to learn from, to choose the step by, and to measure on: 70 / 15 / 15, at least one each."""
    distinct = list(dict.fromkeys(prompts))
    if len(distinct) < 3:
        raise ScorerError("Training a prefix scorer needs at least three different prompts.")
    shuffled = [distinct[i] for i in np.random.default_rng(seed).permutation(len(distinct))]
    held = max(1, round(0.15 * len(distinct)))
    return {"train": shuffled[2 * held :], "check": shuffled[:held], "test": shuffled[held : 2 * held]}


def bounded(reward: Reward) -> Reward:
    """The reward itself; raises ScorerError on one that no number bounds from above."""
    if isinstance(reward, SecretReward):
        raise ScorerError("The secret reward has no upper bound and needs an aligned model; train on another reward.")
    return reward


def afford(about: About, texts: int, memory: float) -> None:
    """Raise ScorerError where the states of so many of the longest texts would pass the budget, in GB."""
    width = about.hidden + (about.hidden if about.rank else about.vocabulary)
    needed = 4 * width * texts * about.max_new / 1e9
    if not needed <= memory:
        raise ScorerError(
            f"The states of {texts} texts may take {needed:.1f} GB but --memory is {memory:g}; draw fewer or raise it."
        )


def written(path: Path, model: LanguageModel, max_new: int, held_out: set[str]) -> Texts:
    """Texts of a file of JSON lines {"prompt", "answer"} by prompt: EOS is added, and what passes max_new is cut.

    Those to held-out prompts are left out. Raises ScorerError in one sentence.
    """
    found: Texts = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if row["prompt"] not in held_out:
                ids = model.tokenizer(row["answer"], add_special_tokens=False)["input_ids"]
                found.setdefault(row["prompt"], []).append([*ids, model.eos][:max_new])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as problem:
        raise ScorerError(f'Cannot read texts from {path}; it needs JSON lines {{"prompt", "answer"}}.') from problem
    if not found:
        raise ScorerError(f"{path} holds no text to a prompt that is not held out; give more.")
    return found
