"""Features for heads: those of `score`, cut where it is said, kept on disk and read again."""

import numpy as np
import pytest
import torch

from empirical.judging import features
from empirical.judging.features import kept_features, mean_reader, question_features
from empirical.judging.human import Question
from empirical.models import load
from empirical.scoring import score

QUESTIONS = [Question((f"ask {i}",), (f"one {i}", "two", "three words more"), ((0, 1),)) for i in range(5)]


@pytest.fixture(scope="module")
def model(tiny_folder):
    return load(tiny_folder / "prior")


@pytest.mark.parametrize("layer", [1, 2])
def test_the_same_as_the_rewards(model, layer):
    prompt, answers = model.prompt_ids("ask"), [[5, 6, 7], [8], [9, 10]]
    found = mean_reader(model, layer)(prompt, answers)
    torch.testing.assert_close(found, score(model, prompt, answers, layer).features, rtol=1e-5, atol=1e-6)  # float32
    assert len(model.network.model.layers) == 2, "the model itself keeps its blocks"


def test_long_texts_lose_the_far_ends(model, monkeypatch):
    seen = []
    monkeypatch.setattr(features, "LONGEST_CONTEXT", 12)
    monkeypatch.setattr(features, "LONGEST_ANSWER", 4)

    def reader(prompt, answers):
        seen.append((prompt, answers))
        return torch.zeros(len(answers), 1)

    question_features(model, Question(("a question",), ("a long answer",), ()), reader)
    ((prompt, (answer,)),) = seen
    assert prompt == model.prompt_ids("a question")[-12:]
    assert answer == model.tokenizer("a long answer")["input_ids"][:4]


def test_what_is_there_is_not_read_again(model, monkeypatch, tmp_path):
    monkeypatch.setattr(features, "CHUNK", 2)
    first = kept_features(model, QUESTIONS, tmp_path, 2)
    assert [rows.shape for rows in first] == [(3, 32)] * 5
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    files[0].unlink()  # as a run that was killed

    calls = []
    whole = question_features
    monkeypatch.setattr(features, "question_features", lambda *given: calls.append(given) or whole(*given))
    again = kept_features(model, QUESTIONS, tmp_path, 2)
    assert len(calls) in (1, 2), "one chunk only"
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    whole_file, spoilt = files[1].read_bytes(), bytearray(files[1].read_bytes())
    spoilt[200] ^= 1  # a feature, which NumPy itself would take
    files[1].write_bytes(bytes(spoilt))
    kept_features(model, QUESTIONS, tmp_path, 2)
    assert files[1].read_bytes() == whole_file, "made again"
    kept_features(model, QUESTIONS, tmp_path, 1)
    assert len(list(tmp_path.iterdir())) == 6, "another layer's features are others"
