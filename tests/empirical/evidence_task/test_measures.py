"""Measures against answers whose measure is plain; wrong versions of each measure must miss one of them."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empirical.evidence_task.items import own_items
from empirical.evidence_task.measures import common_found, distinct, found, overlap, self_bleu
from empirical.evidence_task.words import STOP_WORDS, content, words

ITEMS = {item.id: item for item in own_items()}

FOUND = [
    ("conflict-spider", "A spider has 12 legs.", True, False),
    ("conflict-spider", "Twelve, in that story; eight in truth.", True, True),
    ("conflict-spider", "It has eight legs, and it was born in 2012.", False, True),
    ("conflict-metre", "Eighty centimetres.", True, False),
    ("conflict-metre", "A hundred centimetres, of course.", False, True),
    ("conflict-metre", "There are 180 of them.", False, False),
    ("conflict-coal", "ORANGE!", True, False),
    ("conflict-tomato", "It was gathered and covered.", False, False),
    ("conflict-mona-lisa", "It is by Da Vinci.", False, True),
    ("conflict-mona-lisa", "Leonard.", False, False),
    ("only-orchard-apple", "They ask for the Widow’s Apron.", True, False),
    ("only-lost-property", "It handed back one thousand three hundred and six umbrellas.", True, False),
    ("only-lost-property", "It handed back 1306.", True, False),
    ("only-lost-property", "It handed back 306.", False, False),
    ("only-ferry-cabins", "It has thirty cabins, and one lounge.", False, False),
    ("common-water-formula", "The formula is H₂O.", True, False),
    ("common-olympic-rings", "", False, False),
    ("only-choir-leader", "Mrs Achterberg leads it.", True, False),
    ("only-observatory-door", "In the tin, by the sugar.", False, False),
]


def test_found():
    for name, text, evidence, common in FOUND:
        assert (found(text, ITEMS[name]), common_found(text, ITEMS[name])) == (evidence, common), (name, text)


def plain_substring(text, item):
    return any(answer.lower() in text.lower() for answer in item.answers)


def whole_words_without_numbers(text, item):
    return any(f" {answer.lower()} " in f" {text.lower().strip('.!')} " for answer in item.answers)


def bag_of_words(text, item):
    return any(set(words(answer)) <= set(words(text)) for answer in item.answers)


def only_the_first_answer(text, item):
    return found(text, replace(item, answers=item.answers[:1]))


@pytest.mark.parametrize("wrong", [plain_substring, whole_words_without_numbers, bag_of_words, only_the_first_answer])
def test_the_cases_refuse_wrong_measures(wrong):
    assert any(wrong(text, ITEMS[name]) != evidence for name, text, evidence, _ in FOUND)


PASSAGE = "The wheels of the clock are cut from bone, and the dial is of painted paper."
OVERLAPS = [
    ("The wheels are cut from bone.", "", 1.0),
    ("The wheels are of brass.", "", 1 / 2),
    ("Brass brass brass wheels.", "", 1 / 2),
    ("What are the wheels cut from? From bone.", "What are the wheels cut from?", 1.0),
    ("The wheels are cut from brass.", "What are the wheels cut from?", 0.0),
    ("Of tin.", "", 0.0),
]


def recall(text, passage, beside=""):
    kept = content(passage) - content(beside)
    return len(content(text) & kept) / len(kept)


def with_stop_words(text, passage, beside=""):
    said = set(words(text)) - set(words(beside))
    return len(said & set(words(passage))) / len(said)


def by_tokens(text, passage, beside=""):
    said = [word for word in words(text) if word not in STOP_WORDS and word not in words(beside)]
    return sum(word in words(passage) for word in said) / len(said)


def question_counts(text, passage, beside=""):
    return overlap(text, passage)


def test_overlap():
    for text, beside, share in OVERLAPS:
        assert overlap(text, PASSAGE, beside) == share, text
    assert math.isnan(overlap("It is what it is.", PASSAGE))
    assert math.isnan(overlap("", PASSAGE))
    assert math.isnan(overlap("The wheels.", PASSAGE, "Which wheels?"))


@pytest.mark.parametrize("wrong", [recall, with_stop_words, by_tokens, question_counts])
def test_the_overlaps_refuse_wrong_measures(wrong):
    assert any(wrong(text, PASSAGE, beside) != share for text, beside, share in OVERLAPS)


DISTINCT = [
    ([["a", "b", "a", "b"], ["a", "b"]], 2, 1 / 2),
    ([["a", "b"], ["b", "a"]], 2, 1.0),
    ([["a", "a", "a", "a"]], 1, 1 / 4),
    ([[1, 2], [2, 3], [1, 2]], 2, 2 / 3),
    ([["a"], [["b", "c"][0], "c"]], 2, 1.0),
]


def across_texts(texts, n):
    joined = [token for text in texts for token in text]
    grams = [tuple(joined[i : i + n]) for i in range(len(joined) - n + 1)]
    return len(set(grams)) / len(grams)


def mean_over_texts(texts, n):
    return sum(distinct([text], n) for text in texts) / len(texts)


def over_tokens(texts, n):
    grams = [tuple(text[i : i + n]) for text in texts for i in range(len(text) - n + 1)]
    return len(set(grams)) / sum(map(len, texts))


def test_distinct():
    for texts, n, share in DISTINCT:
        assert distinct(texts, n) == share
    assert math.isnan(distinct([["a"]], 2))
    assert math.isnan(distinct([], 1))
    with pytest.raises(ValueError, match="n must be 1 or more, not 0"):
        distinct([["a"]], 0)


@pytest.mark.parametrize("wrong", [across_texts, mean_over_texts, over_tokens])
def test_the_cases_refuse_wrong_distinct(wrong):
    assert any(wrong(texts, n) != share for texts, n, share in DISTINCT)


@settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=5), st.integers(1, 3))
def test_distinct_ignores_the_order_of_texts_and_falls_with_copies(texts, n):
    once = distinct(texts, n)
    assert distinct(texts[::-1], n) == once or math.isnan(once)
    if not math.isnan(once):
        assert distinct(texts * 2, n) == once / 2


def test_self_bleu():
    """Of five words the last differs: 4, 3, 2, 1 of 5, 4, 3, 2 n-grams agree, and BLEU is their geometric mean."""
    pair = ["one two three four five", "one two three four six"]
    assert self_bleu(pair) == pytest.approx((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4))
    assert self_bleu([*pair, pair[0]]) == pytest.approx((2 + self_bleu(pair)) / 3)  # two of three have their like
    assert self_bleu(pair[:1] * 3) == 1
    assert math.isnan(self_bleu(pair[:1]))
