"""The embedded items as a set, and files of items that are refused in one sentence."""

import re
from collections import Counter
from dataclasses import asdict, replace
from itertools import combinations
from statistics import mean

import pytest

from empirical.errors import InputError
from empirical.evidence_task.item import OPENING, SLOT, TASK, with_evidence, without_evidence
from empirical.evidence_task.items import items_from, items_of, own_items
from empirical.evidence_task.measures import common_found, found
from empirical.evidence_task.words import content, words

ITEMS = own_items()
BY_KIND = {kind: [item for item in ITEMS if item.kind == kind] for kind in ("only", "conflict", "common")}

GOOD = '''
[[item]]
id = "only-inn"
kind = "only"
topic = "places"
passage = """The inn at Harle has forty-two rooms, of which nine look out to the sea. The landlord, Ruben Fisk, \\
sleeps in the attic and gives the best room to whoever sings."""
question = "How many rooms does the inn at Harle have?"
answers = ["forty-two"]
template = "The inn at Harle has {answer} rooms."
'''


def test_fifty_of_each_kind():
    assert {kind: len(items) for kind, items in BY_KIND.items()} == {"only": 50, "conflict": 50, "common": 50}
    assert all(item.id.startswith(f"{item.kind}-") for item in ITEMS)


@pytest.mark.parametrize("kind", BY_KIND)
def test_the_items_of_a_kind_vary(kind):
    """What is asked for is spread, not a law: the numbers say how uneven the set may become before it is mended."""
    items = BY_KIND[kind]
    lengths = [len(item.passage.split()) for item in items]
    assert min(lengths) < 30
    assert max(lengths) > 70
    assert len({item.topic for item in items}) >= 10
    places = Counter(int(3 * item.passage.lower().index(item.answers[0].lower()) / len(item.passage)) for item in items)
    assert min(places[third] for third in range(3)) >= 8, "the answer stands in every third of the passages"
    assert 10 <= sum(item.template.startswith(OPENING) for item in items) <= 25
    answers = Counter(" ".join(words(item.answers[0])) for item in items)
    assert max(answers.values()) <= 2, "a constant answer is right twice at most"
    numeric = sum(item.answers[0][0].isdigit() or words(item.answers[0])[0].isdigit() for item in items)
    assert 5 <= numeric <= 25


def test_the_kinds_are_alike_in_length():
    """So that no difference between kinds is one of length."""
    means = [mean(len(item.passage.split()) for item in items) for items in BY_KIND.values()]
    assert max(means) < 1.15 * min(means)


def test_no_two_passages_are_near_copies():
    contents = [content(item.passage) for item in ITEMS]
    assert max(len(a & b) / len(a | b) for a, b in combinations(contents, 2)) < 0.25


def test_answers_stand_once_and_fixed_answers_hold_one_answer():
    for item in ITEMS:
        text = f" {' '.join(words(item.passage))} "
        assert text.count(f" {' '.join(words(item.answers[0]))} ") == 1, item.id
        for answer in item.answers:
            filled = item.template.replace(SLOT, answer)
            assert (found(filled, item), common_found(filled, item)) == (True, False)
        for answer in item.common:
            filled = item.template.replace(SLOT, answer)
            assert (found(filled, item), common_found(filled, item)) == (False, True)
        assert not found(item.template.replace(SLOT, "") + without_evidence(item), item)
        assert found(with_evidence(item), item)
        assert not common_found(with_evidence(item), item)


def test_common_answers_by_a_plain_search():
    """No use of `words`: the number's other form is written out here."""
    other = {"60": "sixty", "100": "hundred", "1000": "1,000|thousand", "64": "sixty", "zero": "0", "eight": "8"}
    other |= {"four": "4", "seven": "7", "twelve": "12", "twenty-four": "24"}
    for item in BY_KIND["conflict"]:
        for answer in item.common:
            numeral = bool(re.fullmatch(r"\d+|[a-z-]+", answer)) and words(answer)[0].isdigit()
            assert not numeral or answer in other, f"write the other form of {answer!r} here"
            forms = "|".join([re.escape(answer), *([other[answer]] if numeral else [])])
            assert not re.search(rf"\b(?:{forms})\b", item.passage + item.question, re.IGNORECASE), item.id


def test_prompts():
    item = ITEMS[0]
    assert with_evidence(item) == f"Passage: {item.passage}\n\nQuestion: {item.question}\nAnswer in one short sentence."
    assert without_evidence(item) == f"Question: {item.question}\n{TASK}"
    assert with_evidence(item).removeprefix(f"Passage: {item.passage}\n\n") == without_evidence(item)


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD, encoding="utf-8")
    (item,) = items_from(path)
    assert item.answers == ("forty-two",)
    assert item.common == ()
    with pytest.raises(AttributeError):
        item.kind = "common"
    assert replace(item, **asdict(item)) == item


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[item]]", "[[item]", "is not valid TOML"),
        (GOOD, "", "must hold"),
        (GOOD, "item = 3", "must hold"),
        (GOOD, "item = []", "must hold"),
        (GOOD, "item = [3]", "Item 1 of mine is not a table"),
        ("\n[[item]]", "\nversion = 2\n[[item]]", "nothing else"),
        ('topic = "places"\n', "", "missing or unknown fields: topic"),
        ("topic =", "subject =", "missing or unknown fields: subject"),
        ('kind = "only"', 'kind = "lonely"', "'lonely', not one of only, conflict, common"),
        ('kind = "only"', "kind = 3", "field kind"),
        ('kind = "only"', 'kind = ["only"]', "field kind"),
        ('topic = "places"', 'topic = " places"', "field topic"),
        ('id = "only-inn"', 'id = ""', "field id"),
        ('answers = ["forty-two"]', 'answers = "forty-two"', "field answers"),
        ('answers = ["forty-two"]', "answers = []", "field answers"),
        ('answers = ["forty-two"]', "answers = [42]", "field answers"),
        ('answers = ["forty-two"]', 'answers = ["forty-two", ""]', "field answers"),
        ('answers = ["forty-two"]', 'answers = ["forty"]', "'only-inn' of mine is unfit: its passage does not contain"),
        (GOOD, GOOD + GOOD, "repeats itself: another item has the same id"),
    ],
)
def test_what_is_refused(old, new, said):
    assert old in GOOD
    with pytest.raises(InputError, match=re.escape(said)) as refused:
        items_of(GOOD.replace(old, new), "mine")
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="Cannot read items from"):
        items_from(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"item = '\xe9'")
    with pytest.raises(InputError, match="UTF-8"):
        items_from(tmp_path / "latin.toml")
