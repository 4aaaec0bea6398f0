"""What makes an item fit for the task: the rules by which its labels are known by construction."""

import re
from collections import Counter
from collections.abc import Sequence

from empirical.evidence_task.item import OPENING, SLOT, Item
from empirical.evidence_task.words import any_occurs, content, occurs, words

SHORTEST, LONGEST = 25, 80
"""Words of a passage, as spaces part them."""
SUPPOSITION = re.compile(r"\b(?:this (?:story|tale|fable|play)|suppose|imagine)\b", re.IGNORECASE)
CHOICE = re.compile(
    r"\bor\b|^(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|may|must|should)\b", re.I
)
INFLECTIONS = ("s", "es", "d", "ed")


def unfit(item: Item) -> str | None:
    """What is wrong with an item, as the end of a sentence; None if nothing is."""
    return _passage(item) or _question(item) or _answers(item) or _common(item) or _template(item)


def repeated(items: Sequence[Item]) -> str | None:
    """What two items share that they must not: an id, a passage or a question, up to case and punctuation."""
    for name, values in (
        ("id", [item.id for item in items]),
        ("passage", [" ".join(words(item.passage)) for item in items]),
        ("question", [" ".join(words(item.question)) for item in items]),
    ):
        counts = Counter(values)
        twice = next((item.id for item, value in zip(items, values, strict=True) if counts[value] > 1), None)
        if twice:
            return f"another item has the same {name} as {twice!r}"
    return None


def _passage(item: Item) -> str | None:
    length = len(item.passage.split())
    if not SHORTEST <= length <= LONGEST:
        return f"its passage has {length} words, not {SHORTEST} to {LONGEST}"
    if item.kind == "conflict" and not SUPPOSITION.search(item.passage):
        return "its passage does not say that it supposes ('In this story ...')"
    return None


def _question(item: Item) -> str | None:
    if not item.question.endswith("?"):
        return "its question does not end with a question mark"
    if CHOICE.search(item.question):
        return "its question offers the answers to choose from"
    return None


def _answers(item: Item) -> str | None:
    for answer in item.answers:
        verbatim = re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", item.passage, re.IGNORECASE)
        if not verbatim or not occurs(answer, item.passage):
            return f"its passage does not contain the answer {answer!r}"
        if occurs(answer, item.question):
            return f"its question gives the answer {answer!r} away"
    return None


def _common(item: Item) -> str | None:
    if (item.kind == "conflict") != bool(item.common):
        return "a conflict needs the commonly known answer, and no other kind may have one"
    for answer in item.common:
        for place, text in (("passage", item.passage), ("question", item.question)):
            if occurs(answer, text):
                return f"its {place} contains the commonly known answer {answer!r}"
        if any_occurs(item.answers, answer):
            return f"its answer and the commonly known answer {answer!r} are not told apart"
    return None


def _template(item: Item) -> str | None:
    if item.template.count(SLOT) != 1 or set("{}") & set(item.template.replace(SLOT, "")):
        return f"its template does not have the slot {SLOT} once"
    if re.search(rf"\ban? {SLOT}", item.template):
        return "the article before the slot of its template hints at the answer"
    frame = item.template.removeprefix(OPENING)
    if not content(frame.partition(SLOT)[0]):
        return "its template has no word that is free of evidence before the slot"
    new = {word for word in content(frame.replace(SLOT, " ")) if not _restates(word, set(words(item.question)))}
    if new:
        return f"its template says more than its question: {', '.join(sorted(new))}"
    return None


def _restates(word: str, asked: set[str]) -> bool:
    return word in asked or any(word.removesuffix(end) in asked for end in INFLECTIONS)
