"""Fixed answers whose steps are known by construction to need the evidence, or not to."""

from dataclasses import dataclass
from typing import Any, Literal

from empirical.errors import InputError
from empirical.evidence_task.item import OPENING, SLOT, Item

Part = Literal["opening", "frame", "evidence", "end"]


@dataclass(frozen=True)
class FixedAnswer:
    """An item's template with its slot filled; `spans` (start, end, part) tile the text's characters, in order.

    opening: "According to the passage, ": tells nothing of the passage, but speaks of one, so that a prompt without a
    passage makes it unlikely: leave it out, or report it apart, where steps free of evidence are wanted.
    frame: restates the question: free of evidence. evidence: the answer, which only the passage gives (for the kind
    `common`, common knowledge gives it too). end: what follows: free of evidence once the answer is given.
    """

    text: str
    spans: tuple[tuple[int, int, Part], ...]


@dataclass(frozen=True)
class Steps:
    """The tokens of a fixed answer; parts[t] is the part of token t, that is, of the step that draws it."""

    token_ids: tuple[int, ...]
    parts: tuple[Part, ...]


def fixed_answer(item: Item, common: bool = False) -> FixedAnswer:
    """The template with the first accepted answer, or with the commonly known one of a conflict.

    Raises ValueError if the item has no commonly known answer.
    """
    if common and not item.common:
        raise ValueError(f"The item {item.id!r} has no commonly known answer beside its own.")
    before, after = item.template.split(SLOT)
    answer = (item.common if common else item.answers)[0]
    opening = OPENING if before.startswith(OPENING) else ""
    pieces: tuple[tuple[str, Part], ...] = (
        (opening, "opening"),
        (before.removeprefix(opening), "frame"),
        (answer, "evidence"),
        (after, "end"),
    )
    text, spans = "", []
    for piece, part in pieces:
        if piece:
            spans.append((len(text), len(text) + len(piece), part))
            text += piece
    return FixedAnswer(text, tuple(spans))


def steps(tokenizer: Any, answer: FixedAnswer) -> Steps:
    """The answer's tokens, alone and without special tokens, each with its part, by the tokenizer's offset mapping.

    A token that reaches into the answer's characters carries evidence, whatever else it covers (a space before, a full
    stop after); any other belongs to the part of its last character. Raises InputError where there are no offsets.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            "The tokenizer gives no character offsets; use a fast one, that is, one with a tokenizer.json."
        )
    read = tokenizer(answer.text, add_special_tokens=False, return_offsets_mapping=True)
    parts = tuple(_part(answer, start, end) for start, end in read["offset_mapping"])
    return Steps(tuple(read["input_ids"]), parts)


def _part(answer: FixedAnswer, start: int, end: int) -> Part:
    covered = [part for left, right, part in answer.spans if start < right and left < end]
    return "evidence" if "evidence" in covered else covered[-1]
