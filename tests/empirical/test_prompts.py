"""Prompts: 200 of our own in two disjoint halves, or the user's."""

import gzip
import json

import pytest

from empirical.errors import InputError
from empirical.prompts import alignment_prompts, own_prompts, prompt_id, prompts_from, study_prompts


def test_two_hundred_short_distinct_prompts_in_two_halves():
    prompts = own_prompts()
    assert len(prompts) == len(set(prompts)) == 200
    assert all(5 < len(prompt) < 120 for prompt in prompts)
    assert [*study_prompts(100), *alignment_prompts()] == prompts
    assert len({prompt_id(prompt) for prompt in prompts}) == 200


@pytest.mark.parametrize("count", [0, 101])
def test_too_many_or_none(count):
    with pytest.raises(InputError, match="--prompts"):
        study_prompts(count)


def test_a_users_file(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("one\n\n two \nthree\n", encoding="utf-8")
    assert prompts_from(path, 2) == ["one", "two"]
    with pytest.raises(InputError, match="holds 3 usable prompts but 4"):
        prompts_from(path, 4)


def test_a_folder_of_dialogues(tmp_path):
    rows = [("Hi there", "x"), ("Hi there", "y"), ("z" * 300, "x"), ("first paragraph\n\nsecond", "x")]
    with gzip.open(tmp_path / "test.jsonl.gz", "wt", encoding="utf-8") as file:
        for prompt, answer in rows:
            dialogues = [f"\n\nHuman: {prompt}\n\nAssistant: {text}" for text in (answer, answer + "!")]
            file.write(json.dumps(dict(zip(("chosen", "rejected"), dialogues, strict=True))) + "\n")
    assert prompts_from(tmp_path, 2) == ["Hi there", "first paragraph"]


def test_unreadable(tmp_path):
    path = tmp_path / "bytes.txt"
    path.write_bytes(b"\xff\xfe\xff")
    for where in (path, tmp_path / "missing.txt"):
        with pytest.raises(InputError, match="UTF-8"):
            prompts_from(where, 1)
