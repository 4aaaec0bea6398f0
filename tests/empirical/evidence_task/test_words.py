"""Canonical words: numbers against a speller written here, the other way round; phrases only whole and in a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empirical.evidence_task.words import STOP_WORDS, content, occurs, words

SMALL = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
SMALL += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def spelled(number, hyphen="-", linked=" and "):
    if number < 20:
        return SMALL[number]
    if number < 100:
        return TENS[number // 10 - 2] + (hyphen + SMALL[number % 10] if number % 10 else "")
    for scale, name in ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred")):
        if number >= scale:
            rest = number % scale
            join = linked if rest < 100 else " "
            return f"{spelled(number // scale, hyphen, linked)} {name}" + (
                join + spelled(rest, hyphen, linked) if rest else ""
            )


@given(
    number=st.integers(0, 999_999_999) | st.integers(0, 1_200),
    hyphen=st.sampled_from(["-", " ", "‑"]),
    linked=st.sampled_from([" and ", " "]),
)
def test_numbers_in_words_are_numbers_in_digits(number, hyphen, linked):
    text = f"It has {spelled(number, hyphen, linked)} doors."
    assert words(text) == ["it", "has", str(number), "doors"]
    assert words(f"It has {number:,} doors.") == words(text) == words(text.upper())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("twenty, five and six", ["20", "5", "and", "6"]),
        ("one two three", ["1", "2", "3"]),
        ("a hundred and five", ["105"]),
        ("a thousand nights and a night", ["1000", "nights", "and", "a", "night"]),
        ("nineteen hundred", ["1900"]),
        ("3 million, 2 hundred", ["3000000", "200"]),
        ("12.5, 1,30 and 1,9999", ["12.5", "1", "30", "and", "1", "9999"]),
        ("seventh heaven, often, stone, twofold", ["seventh", "heaven", "often", "stone", "twofold"]),
        ("Widow’s Apron and the dogs' bowl", ["widow", "apron", "and", "the", "dogs", "bowl"]),
        ("Zoë at the CAFÉ: H₂O_x", ["zoe", "at", "the", "cafe", "h2o", "x"]),
        ("B-52 and 1914-18", ["b", "52", "and", "1914", "18"]),
        (" ?!", []),
    ],
)
def test_odd_texts(text, expected):
    assert words(text) == expected


@given(st.text())
def test_canonical_words_stay_as_they_are(text):
    once = words(text)
    assert all(word == word.lower() and not any(c.isspace() for c in word) for word in once)
    assert occurs(text, f"before, {text}, after") == bool(once)


@pytest.mark.parametrize(
    ("phrase", "text", "stands"),
    [
        ("art", "a party", False),
        ("art", "the art.", True),
        ("Anneke Roos", "Roos, Anneke", False),
        ("Anneke Roos", "by anneke  ROOS's son", True),
        ("31", "thirty-one cabins", True),
        ("1", "thirty-one cabins", False),
        ("thirty", "thirty-one cabins", False),
        ("2", "2,430 metres", False),
        ("", "anything", False),
        ("", "", False),
        ("?", "what?", False),
    ],
)
def test_whole_and_in_a_row(phrase, text, stands):
    assert occurs(phrase, text) is stands


def test_content_words():
    assert content("The wheels of the clock are cut from bone.") == {"wheels", "clock", "cut", "bone"}
    assert content("It is what it is.") == set()
    assert all(words(stop) == [stop] for stop in STOP_WORDS), "a stop word in another form would never be left out"
