"""Measures of an answer, and of several, that need no model."""

from collections.abc import Hashable, Sequence

from empirical.evidence_task.item import Item
from empirical.evidence_task.words import any_occurs, content


def found(text: str, item: Item) -> bool:
    """Whether the passage's answer stands in the text: whole words, numbers in words or digits.

    Presence, not assent: a text that names the answer to deny it counts, and one may hold both answers of a conflict.
    """
    return any_occurs(item.answers, text)


def common_found(text: str, item: Item) -> bool:
    """Whether the commonly known answer of a conflict stands in the text; False for the other kinds."""
    return any_occurs(item.common, text)


def overlap(text: str, passage: str, beside: str = "") -> float:
    """Lexical precision: the share of the text's distinct content words that are in the passage.

    beside: a text whose words do not count, such as the question, which the passage and any answer share.
    NaN where no content word is left.
    """
    said = content(text) - content(beside)
    return len(said & content(passage)) / len(said) if said else float("nan")


def distinct(texts: Sequence[Sequence[Hashable]], n: int) -> float:
    """distinct-n: distinct n-grams over all n-grams of the texts, words or tokens; no n-gram spans two texts.

    It falls as texts grow longer or more numerous: compare only equal numbers of texts of like lengths. NaN where no
    text has n words. Raises ValueError if n < 1. Source: Li et al. 2016 (arXiv 1510.03055), section 5.

    >>> distinct(["a b a b".split(), "a b".split()], 2)
    0.5
    """
    if n < 1:
        raise ValueError(f"n must be 1 or more, not {n}.")
    grams = [tuple(text[i : i + n]) for text in texts for i in range(len(text) - n + 1)]
    return len(set(grams)) / len(grams) if grams else float("nan")
