"""Text as canonical words, so that "Forty-two metres" and "42 metres" are the same words."""

import re
import unicodedata
from collections.abc import Iterable
from importlib.resources import files

ONES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = {"thousand": 1_000, "million": 1_000_000}
VALUES = {
    "zero": 0,
    **{word: value for value, word in enumerate([*ONES, *TEENS], start=1)},
    **{word: value for value, word in zip(range(20, 100, 10), TENS, strict=True)},
}

_UNDER_100 = rf"(?:(?:{'|'.join(TENS)})(?: (?:{'|'.join(ONES)}))?|{'|'.join(TEENS)}|{'|'.join(ONES)})"
_UNDER_1000 = rf"(?:(?:{_UNDER_100}|\d+|a) hundred(?: (?:and )?{_UNDER_100})?|{_UNDER_100})"
_SCALED = rf"(?:{_UNDER_1000}|\d+|a) (?:{'|'.join(SCALES)})"
NUMBER = re.compile(rf"\b(?:{_SCALED}(?: {_SCALED})*(?: (?:and )?{_UNDER_1000})?|{_UNDER_1000}|zero)\b")

STOP_WORDS = frozenset(files("empirical.evidence_task").joinpath("stop_words.txt").read_text(encoding="utf-8").split())
"""Words that every text has, whatever it speaks of: a small list of our own."""


def words(text: str) -> list[str]:
    """The words of a text: lower case, without accents, possessives and punctuation; whole numbers in digits.

    Number words are read up to the millions; hyphens part words; a comma inside digits belongs to the number.

    >>> words("Zoë's forty-two GOATS ate 1,306 pears, a hundred and five plums and H2O.")
    ['zoe', '42', 'goats', 'ate', '1306', 'pears', '105', 'plums', 'and', 'h2o']
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).lower()
    plain = re.sub(r"['’]s\b|['’]", "", plain)
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", plain)
    plain = " ".join(re.sub(r"(?<=[^\W\d_])[-‐‑](?=[^\W\d_])", " ", plain).split())
    return re.findall(r"\d+\.\d+|[^\W_]+", NUMBER.sub(_digits, plain))


def content(text: str) -> set[str]:
    """The words of a text that are not stop words."""
    return set(words(text)) - STOP_WORDS


def occurs(phrase: str, text: str) -> bool:
    """Whether the phrase's words stand in the text, whole and in a row.

    >>> occurs("twelve legs", "It has 12 legs."), occurs("art", "a party"), occurs("2", "twenty-two")
    (True, False, False)
    """
    return bool(words(phrase)) and f" {' '.join(words(phrase))} " in f" {' '.join(words(text))} "


def any_occurs(phrases: Iterable[str], text: str) -> bool:
    """Whether one of the phrases occurs in the text."""
    return any(occurs(phrase, text) for phrase in phrases)


def _digits(phrase: re.Match[str]) -> str:
    total = group = 0
    for word in phrase[0].split():
        if word in SCALES:
            total, group = total + max(group, 1) * SCALES[word], 0
        elif word == "hundred":
            group = 100 * max(group, 1)
        elif word not in ("a", "and"):
            group += int(word) if word.isdigit() else VALUES[word]
    return str(total + group)
