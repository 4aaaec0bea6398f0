"""Every rule of an item, by an item that breaks it alone."""

from dataclasses import replace

import pytest

from empirical.evidence_task.fitness import repeated, unfit
from empirical.evidence_task.item import Item

CONFLICT = Item(
    id="conflict-grass",
    kind="conflict",
    topic="colours",
    passage="In this story grass is purple. It was sown by a painter, and it has spread over the hills, so that the "
    "sheep look pale and the shepherds wear violet coats in summer.",
    question="What colour is grass?",
    answers=("purple",),
    template="According to the passage, the colour of grass is {answer}.",
    common=("green",),
)
ONLY = Item(
    id="only-inn",
    kind="only",
    topic="places",
    passage="The inn at Harle has forty-two rooms, of which nine look out to the sea. The landlord, Ruben Fisk, sleeps "
    "in the attic and gives the best room to whoever sings for it.",
    question="How many rooms does the inn at Harle have?",
    answers=("forty-two",),
    template="The inn at Harle has {answer} rooms.",
)


def test_fit_items():
    assert unfit(CONFLICT) is None
    assert unfit(ONLY) is None
    assert unfit(replace(ONLY, kind="common")) is None
    assert repeated([CONFLICT, ONLY]) is None


@pytest.mark.parametrize(
    ("item", "change", "wrong"),
    [
        (ONLY, {"passage": "The inn at Harle has forty-two rooms."}, "has 7 words"),
        (ONLY, {"passage": ONLY.passage + " More." * 60}, "words, not 25 to 80"),
        (CONFLICT, {"passage": CONFLICT.passage.replace("In this story", "In one valley")}, "supposes"),
        (ONLY, {"question": "Tell how many rooms the inn at Harle has."}, "question mark"),
        (ONLY, {"question": "Does the inn at Harle have forty rooms?"}, "choose from"),
        (ONLY, {"question": "Is the inn at Harle large?"}, "choose from"),
        (ONLY, {"question": "How many rooms does the inn at Harle have, nine or more?"}, "choose from"),
        (CONFLICT, {"question": "What colour is grass, black or white?"}, "choose from"),
        (ONLY, {"answers": ("forty",)}, "does not contain the answer 'forty'"),
        (ONLY, {"answers": ("42",)}, "does not contain the answer '42'"),
        (ONLY, {"answers": ("forty-two", "oms")}, "does not contain the answer 'oms'"),
        (ONLY, {"answers": (",",)}, "does not contain the answer ','"),
        (ONLY, {"question": "Which of the 42 rooms at the inn at Harle have the sea?"}, "away"),
        (ONLY, {"answers": ("Harle",)}, "away"),
        (CONFLICT, {"common": ()}, "needs the commonly known answer"),
        (ONLY, {"common": ("ten",)}, "no other kind"),
        (CONFLICT, {"common": ("green", "pale")}, "passage contains the commonly known answer 'pale'"),
        (CONFLICT, {"question": "What colour is green grass?"}, "question contains the commonly known answer"),
        (CONFLICT, {"common": ("dark purple",)}, "not told apart"),
        (replace(CONFLICT, answers=("violet coats",)), {"common": ("coats violet", "violet coats in")}, "contains"),
        (ONLY, {"template": "The inn at Harle has some rooms."}, "slot"),
        (ONLY, {"template": "The inn at Harle has {answer} rooms, {answer}."}, "slot"),
        (ONLY, {"template": "The inn at Harle has {answer} {rooms}."}, "slot"),
        (CONFLICT, {"template": "The colour of grass is a {answer}."}, "article"),
        (ONLY, {"template": "The old inn at Harle has {answer} rooms."}, "more than its question: old"),
        (ONLY, {"template": "According to the passage, {answer}."}, "free of evidence"),
        (ONLY, {"template": "There are {answer} rooms at the inn at Harle."}, "free of evidence"),
    ],
)
def test_each_rule_refuses_the_item_that_breaks_it(item, change, wrong):
    assert wrong in (unfit(replace(item, **change)) or "nothing is wrong")


@pytest.mark.parametrize("number", ["9", "nine"])
def test_a_common_answer_in_the_passage_is_seen_in_words_and_digits(number):
    supposed = replace(ONLY, kind="conflict", passage="Suppose this. " + ONLY.passage, common=(number,))
    assert "passage contains" in (unfit(supposed) or "")


@pytest.mark.parametrize(
    ("change", "shared"),
    [
        ({"id": CONFLICT.id}, "id"),
        ({"passage": CONFLICT.passage.upper().replace(",", " -")}, "passage"),
        ({"question": "what colour IS  grass?"}, "question"),
    ],
)
def test_no_two_items_share(change, shared):
    assert f"the same {shared}" in (repeated([CONFLICT, replace(ONLY, **change)]) or "")
