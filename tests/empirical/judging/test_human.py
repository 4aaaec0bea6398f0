"""Human comparisons: the six of a question in their order, majorities, what is dropped, and folds by question."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empirical.judging.human import (
    FOLDS,
    PASSAGE_WORDS,
    Question,
    finegrained,
    from_pairs,
    pandalm,
    passages_to_sum_up,
)
from empirical.passages import TASK, question_on
from empirical.preferences import Pair, PreferenceError
from empirical.scorer_data import learnable


def written(folder, rows):
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder / "rows.json"


def asked(preference, answers="abcd", passages=(("T", "T\n\nOne.", "Two."),)):
    texts = {f"prediction {number}": text for number, text in enumerate(answers, 1)}
    return {"question": "Why?", "passages": passages, "preference": preference, **texts}


def test_six_comparisons(tmp_path):
    (found,) = finegrained(written(tmp_path, [asked([1, 2, 0, 1, 2, 1])]))
    assert found.turns == (question_on("One. Two.", "Why?"),)
    text = [(found.answers[winner], found.answers[loser]) for winner, loser in found.preferred]
    assert text == [("a", "b"), ("c", "a"), ("b", "c"), ("d", "b"), ("c", "d")]


def test_whole_sentences_up_to_the_limit(tmp_path):
    sentence = " ".join(["word"] * (PASSAGE_WORDS // 2))
    passages = [["T", sentence, sentence], ["U", "Left out."]]
    (found,) = finegrained(written(tmp_path, [asked([1] * 6, passages=passages)]))
    assert found.turns[0] == question_on(f"{sentence} {sentence}", "Why?")


def test_questions_without_a_choice_are_dropped(tmp_path):
    assert finegrained(written(tmp_path, [asked([0] * 6), asked([1, 1, 1, 0, 0, 0], answers=["", "", "", ""])])) == []


def test_passages_to_sum_up_are_each_there_once_and_none_is_empty(tmp_path):
    endless = [["T", " ".join(["word"] * (PASSAGE_WORDS + 1))]]
    rows = [
        asked([0] * 6),
        asked([1] * 6, "efgh"),
        asked([1] * 6, passages=endless),
        asked([1] * 6, passages=[["T", "Last."]]),
    ]
    file = written(tmp_path, rows)
    assert passages_to_sum_up(file) == [question_on("One. Two.", TASK), question_on("Last.", TASK)]
    assert learnable(str(file), 1) == [question_on("One. Two.", TASK)]
    with pytest.raises(PreferenceError, match="lacks one of passages"):
        passages_to_sum_up(written(tmp_path, [{"question": "Why?"}]))


def compared(votes, first="a", second="b", instruction="Do", extra=""):
    votes = {f"annotator{number}": vote for number, vote in enumerate(votes, 1)}
    return {"instruction": instruction, "input": extra, "response1": first, "response2": second, **votes}


def test_majorities_of_one_instruction_are_one_question(tmp_path):
    rows = [
        compared("112"),
        compared([2, 2, 2], "a", "c"),
        compared("012"),  # no majority
        compared("001"),  # the majority says as good
        compared("111", " ", "d"),  # an empty answer
        compared("111", True, "e", extra="this"),  # not a string
    ]
    first, second = pandalm(written(tmp_path, rows))
    assert first == Question(("Do",), ("a", "b", "c"), ((0, 1), (2, 0)))
    assert second == Question(("Do\n\nthis",), ("True", "e"), ((0, 1),))


def test_dialogues():
    assert from_pairs([Pair(("x", "y", "z"), "good", "bad")]) == [Question(("x", "y", "z"), ("good", "bad"), ((0, 1),))]


@given(st.text(), st.text())
def test_the_first_turn_decides_the_fold(first, later):
    fold = Question((first,), ("a",), ()).fold
    assert fold == Question((first, "reply", later), ("b",), ()).fold
    assert 0 <= fold < FOLDS


@pytest.mark.parametrize("load", [finegrained, pandalm])
@pytest.mark.parametrize("text", ["", "[]", "{}", "[{}]", "[1]", "not json"])
def test_other_files(load, text, tmp_path):
    (tmp_path / "rows.json").write_text(text, encoding="utf-8")
    for file in (tmp_path / "rows.json", tmp_path / "none.json"):
        with pytest.raises(PreferenceError, match=r"Cannot read comparisons from .*; pass the data set's own JSON\.$"):
            load(file)
