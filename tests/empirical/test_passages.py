"""Forty passages of our own, of one form with the questions that their reward was fitted to."""

import pytest

from empirical.errors import InputError
from empirical.passages import TASK, own_passages, passage_prompts, question_on
from empirical.prompts import own_prompts, prompt_id, short_prompts


def test_forty_short_passages():
    passages = own_passages()
    assert len(passages) == len({one.title for one in passages}) == 40
    assert all(60 <= len(one.text.split()) <= 110 for one in passages)
    assert all("\n" not in one.text and one.text[-1] == "." for one in passages)


def test_prompts_of_passages():
    first, second = passage_prompts(2)
    assert first == question_on(own_passages()[0].text, TASK)
    assert first.endswith(TASK)
    assert first != second
    assert passage_prompts(1) == [first]
    for count in (0, 41):
        with pytest.raises(InputError, match=f"40 embedded passages, not {count}"):
            passage_prompts(count)


def test_sixty_questions_with_short_answers():
    prompts = short_prompts()
    assert len(prompts) == len({prompt_id(one) for one in prompts}) == 60
    assert all(5 < len(one) < 120 for one in prompts)
    assert not set(prompts) & set(own_prompts()), "an adapter was trained on half of the others"
