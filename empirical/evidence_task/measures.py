"""Measures of an answer, and of several, that need no model."""

from collections.abc import Hashable, Sequence

from sacrebleu import sentence_bleu

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


def self_bleu(texts: Sequence[str]) -> float:
    """The mean BLEU of each text against all the others, in [0, 1]: 1 where all are alike; lower is more diverse.

    sacreBLEU's sentence BLEU (13a words, exponential smoothing). NaN for fewer than two texts. Compare equal numbers of
    texts. Source: Zhu et al. 2018 (arXiv 1802.01886); Post 2018 (arXiv 1804.08771).

    >>> self_bleu(["the cat sat on the mat"] * 3)
    1.0
    """
    if len(texts) < 2:
        return float("nan")
    scores = [sentence_bleu(text, [*texts[:k], *texts[k + 1 :]]).score for k, text in enumerate(texts)]
    return min(1.0, float(sum(scores)) / 100 / len(scores))
