"""Passages: 40 short factual texts of our own, the summarisation-like task's prompts."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from empirical.errors import InputError

TASK = "Summarise the passage in one or two sentences."


@dataclass(frozen=True)
class Passage:
    """A text about one thing, and what to do with it."""

    title: str
    text: str

    @property
    def prompt(self) -> str:
        """What the model is asked."""
        return question_on(self.text, TASK)


def question_on(passage: str, question: str) -> str:
    """A passage, then a question about it: the form of every prompt with a passage, in training judges and in use."""
    return f"{passage}\n\n{question}"


def own_passages() -> list[Passage]:
    """The embedded passages, in their order."""
    table = tomllib.loads(files("empirical").joinpath("passages.toml").read_text(encoding="utf-8"))
    return [Passage(row["title"], row["text"]) for row in table["passage"]]


def passage_prompts(count: int) -> list[str]:
    """The prompts of the first `count` passages; raises InputError past their end."""
    known = own_passages()
    if not 1 <= count <= len(known):
        raise InputError(f"There are {len(known)} embedded passages, not {count}; pass a file with --prompts.")
    return [passage.prompt for passage in known[:count]]
