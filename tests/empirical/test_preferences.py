"""HH dialogues: parsed into turns, split by first prompt, unusable pairs dropped."""

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empirical import preferences
from empirical.preferences import Pair, PreferenceError, hh_pairs
from empirical.prompts import prompts_from

ROWS = [
    ("\n\nHuman: Hi\n\nAssistant: Hello", "\n\nHuman: Hi\n\nAssistant: Go away"),
    (
        "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d",
        "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: e",
    ),
    ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: other\n\nAssistant: c"),
    ("\n\nHuman: a\n\nAssistant: same", "\n\nHuman: a\n\nAssistant: same"),
    ("\n\nHuman: a\n\nAssistant: b", "\n\nHuman: a\n\nAssistant:"),
    ("\n\nHuman: a", "\n\nHuman: a"),
]


def write(folder, rows):
    folder.mkdir(exist_ok=True)
    with gzip.open(folder / "test.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"chosen": a, "rejected": b}) + "\n" for a, b in rows)


def test_pairs(tmp_path):
    write(tmp_path / "hh", ROWS)
    assert hh_pairs(tmp_path) == [Pair(("Hi",), "Hello", "Go away"), Pair(("a", "b", "c"), "d", "e")]


def test_folder_from_the_environment(tmp_path, monkeypatch):
    write(tmp_path, ROWS)
    monkeypatch.setenv("HH_RLHF_DIR", str(tmp_path))
    assert len(hh_pairs()) == 2


def test_nothing_there(tmp_path):
    with pytest.raises(PreferenceError, match=r"no \*\.jsonl\.gz under"):
        hh_pairs(tmp_path)


def test_the_hub_is_asked_last(tmp_path, monkeypatch):
    monkeypatch.delenv("HH_RLHF_DIR", raising=False)
    monkeypatch.setenv("DECODING_TRADEOFFS_CACHE", str(tmp_path / "cache"))
    write(tmp_path, ROWS)
    monkeypatch.setattr(preferences, "hf_hub_download", lambda *_, **__: str(tmp_path / "test.jsonl.gz"))
    assert len(hh_pairs()) == 2
    assert prompts_from(Path("hh"), 2) == ["Hi", "a"]


def test_a_download_is_taken_only_as_it_was_at_first(tmp_path, monkeypatch, capsys):
    """One sentence says so at the first download; the same bytes pass in silence, others are refused unread."""
    monkeypatch.delenv("HH_RLHF_DIR", raising=False)
    monkeypatch.setenv("DECODING_TRADEOFFS_CACHE", str(tmp_path / "cache"))
    write(tmp_path, ROWS)
    monkeypatch.setattr(preferences, "hf_hub_download", lambda *_, **__: str(tmp_path / "test.jsonl.gz"))
    hh_pairs()
    said = capsys.readouterr().err
    assert re.fullmatch(r"Anthropic/hh-rlhf has no hash .* is trusted and noted in .*\.sha256\.\n", said)
    hh_pairs()
    assert capsys.readouterr().err == ""
    write(tmp_path, ROWS[:1])
    with pytest.raises(PreferenceError, match=r"but its first download had .*; if you trust the new one, remove .*\.$"):
        hh_pairs()
    next((tmp_path / "cache").rglob("*.sha256")).unlink()
    assert len(hh_pairs()) == 1


def test_no_hub(monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("no route\nmore")

    monkeypatch.delenv("HH_RLHF_DIR", raising=False)
    monkeypatch.setattr(preferences, "hf_hub_download", refuse)
    with pytest.raises(PreferenceError, match=r"\(no route\); pass a folder .* HH_RLHF_DIR"):
        hh_pairs()


@given(st.text(), st.text(), st.text())
def test_a_prompt_is_in_one_split_only(first, answer, later):
    splits = {Pair((first,), answer, "x").split, Pair((first, "reply", later), "y", answer).split}
    assert len(splits) == 1
