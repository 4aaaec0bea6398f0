"""One item of the task: a passage, a question on it, what counts as its answer, and the two prompts that it makes."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["only", "conflict", "common"]

SLOT = "{answer}"
OPENING = "According to the passage, "
TASK = "Answer in one short sentence."


@dataclass(frozen=True)
class Item:
    """A passage with a question.

    kind: `only`, answerable from the passage alone (it is invented); `conflict`, the passage supposes something that
    contradicts common knowledge; `common`, the passage supports what is commonly known.
    answers: accepted strings, each to be read in the passage; the first stands in fixed answers.
    common: of a conflict, the accepted strings of the commonly known answer, none of them in the passage; else empty.
    template: a sentence that restates the question around `SLOT`, with or without `OPENING` before it.
    """

    id: str
    kind: Kind
    topic: str
    passage: str
    question: str
    answers: tuple[str, ...]
    template: str
    common: tuple[str, ...] = ()


def with_evidence(item: Item) -> str:
    """The prompt that shows the passage."""
    return f"Passage: {item.passage}\n\n{without_evidence(item)}"


def without_evidence(item: Item) -> str:
    """The same prompt without the passage."""
    return f"Question: {item.question}\n{TASK}"
