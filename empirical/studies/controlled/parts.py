"""What the study runs on: the base, the tasks with their rewards and judges, prefix scorers and trained policies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from empirical.adapter_cards import cards_in
from empirical.errors import InputError
from empirical.fetch import sha256
from empirical.judging.judges import judge_of, shipped_head
from empirical.models import LanguageModel, load, with_adapter
from empirical.passages import own_passages, passage_prompts
from empirical.prefix_scorers import PrefixScorer
from empirical.prompts import alignment_prompts, short_prompts, study_prompts
from empirical.rewards import load_reward
from empirical.scored import Reward
from empirical.shipped import shipped
from empirical.studies.controlled.cells import DPO, FUDGE, HH, IPO, LENGTH, PPO, SUMMARY, Q
from empirical.studies.controlled.sizes import Size

REWARD_OF = {LENGTH: "length", HH: "preference", SUMMARY: "finegrained"}
"""A task's reward, as adapters' cards and scorers name it."""
TRAINED_BY = {PPO: ("ppo", "rloo"), DPO: ("online-dpo", "dpo"), IPO: ("online-ipo",)}
"""The methods of `empirical.align` that stand for each of the paper's, the nearest first."""


@dataclass(frozen=True)
class Task:
    """Prompts, the reward that is sought, and the judge of wins: never the reward itself; None: no wins are counted."""

    name: str
    prompts: Sequence[str]
    reward: Reward
    judge: Reward | None


@dataclass(frozen=True)
class Source:
    """A model that is loaded when it is needed: few copies of the base's weights are held; sha256: its key."""

    name: str
    sha256: str
    load: Callable[[], LanguageModel]


@dataclass(frozen=True)
class Parts:
    """All models and heads.

    scorers: by task and name (CD-Q, CD-FUDGE); policies: by task, method and beta; other: another base.
    """

    base: LanguageModel
    tasks: tuple[Task, ...]
    scorers: Mapping[tuple[str, str], PrefixScorer]
    policies: Mapping[tuple[str, str, float], Source]
    other: Source | None = None

    def of_task(self, task: str) -> list[tuple[str, float]]:
        """(method, beta) of the task's trained policies."""
        return [(method, beta) for name, method, beta in self.policies if name == task]

    def place(self, task: str, scorer: str) -> int:
        """Which of a scorer's rewards is the task's; raises InputError if it has none."""
        rewards = self.scorers[task, scorer].about.rewards
        if REWARD_OF[task] not in rewards:
            raise InputError(f"The {scorer} scorer of {task} values {', '.join(rewards)}, not {REWARD_OF[task]}.")
        return rewards.index(REWARD_OF[task])


def tasks(base: LanguageModel, size: Size) -> tuple[Task, ...]:
    """The three tasks, with what ships: see `controlled.toml` for what stands in for what."""
    length, passages = halves(LENGTH)[0][: size.prompts], halves(SUMMARY)[0][: size.prompts]
    return (
        Task(LENGTH, length, load_reward("length", base, size.max_new), None),
        Task(HH, study_prompts(min(size.prompts, 100)), load_reward("preference", base), judge_of("preference")),
        Task(SUMMARY, passages, shipped_head("finegrained"), judge_of("finegrained")),
    )


def halves(task: str) -> tuple[list[str], list[str]]:
    """A task's embedded prompts: those that the study answers, and those that anything may be trained on."""
    if task == HH:
        return study_prompts(100), alignment_prompts()
    every = short_prompts() if task == LENGTH else passage_prompts(len(own_passages()))
    return every[: len(every) // 2], every[len(every) // 2 :]


def found_policies(base: LanguageModel, folder: Path, most: int) -> dict[tuple[str, str, float], Source]:
    """The base's adapters in a folder, by the task and method that each card names; at most so many betas a method."""
    cards = cards_in(folder, base.sha256)
    found: dict[tuple[str, str, float], Source] = {}
    for task, reward in REWARD_OF.items():
        for method, names in TRAINED_BY.items():
            for name in names:
                mine = {at: c for at, c in cards.items() if (c["reward"], c["method"]) == (reward, name)}
                chosen = {card["beta"]: folder / at for at, card in mine.items()}
                for beta in sorted(chosen, reverse=True)[:most]:
                    found[task, method, float(beta)] = source(base, chosen[beta])
                if chosen:
                    break
    return found


def source(base: LanguageModel, where: Path | str) -> Source:
    """An adapter's folder, to be put on the base, or another model's directory or hub id."""
    name, weights = Path(where).name, Path(where) / "adapter_model.safetensors"
    if weights.is_file():
        return Source(name, sha256(weights), lambda: with_adapter(base, Path(where), name))
    return Source(name, str(where), lambda: load(where, str(base.device), name))


def shipped_scorers(base: LanguageModel) -> dict[tuple[str, str], PrefixScorer]:
    """The shipped prefix scorers: artifacts/scorers/<task>-<q or fudge>, or one for length and hh together."""
    found = {}
    for task in REWARD_OF:
        for name, short in ((Q, "q"), (FUDGE, "fudge")):
            folders = [shipped("scorers") / f"{one}-{short}" for one in (task, "dialogue")]
            at = next((folder for folder in folders if (folder / "config.json").is_file()), None)
            if at is not None:
                found[task, name] = PrefixScorer.from_pretrained(at, base)
    return found
