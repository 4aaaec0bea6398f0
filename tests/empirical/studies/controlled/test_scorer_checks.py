"""Scorers asked of whole texts, against another pass over each text alone; human pairs on a tiny model."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from empirical.preferences import hh_pairs
from empirical.studies.controlled import collecting, scorer_checks
from empirical.studies.controlled.cells import FUDGE, HH, LENGTH, Q
from empirical.studies.controlled.other_quantities import REWARD
from empirical.studies.controlled.scorer_checks import predictions, ranked_pairs, values_of
from empirical.studies.controlled.shipped_tables import read
from empirical.studies.controlled.sizes import SMOKE
from empirical.studies.controlled.tables import accuracy_table, measured_from


def test_a_text_is_worth_what_its_last_token_is_worth(parts, monkeypatch):
    """Against transformers' own pass over prompt and text, one text at a time."""
    monkeypatch.setattr(scorer_checks, "CHUNK", 2)
    base, scorers = parts.base, [parts.scorers[HH, name] for name in (Q, FUDGE)]
    prompt, answers = base.prompt_ids("hello"), [[5], [7, 8, 0], [9, 10, 11, 12]]
    found = values_of(scorers, base, prompt, answers)
    assert [one.shape for one in found] == [(3, 3), (3, 3)]
    for scorer, values in zip(scorers, found, strict=True):
        for row, answer in zip(values, answers, strict=True):
            with torch.no_grad():
                states = base.network.get_decoder()(torch.tensor([[*prompt, *answer]])).last_hidden_state[0]
                alone = scorer.value_of(states[-2:-1], torch.tensor(answer[-1:]))[0]
            np.testing.assert_allclose(row, alone.numpy(), atol=1e-5)  # float32 states, with and without a cache


def test_predictions_are_of_answers_that_nothing_chose_from(parts, study):
    results, _ = study
    rows, _ = collecting.collect(parts, SMOKE, results.samples)
    table = predictions(parts, rows)
    assert len(table) == 2 * 3 * SMOKE.opponents
    np.testing.assert_allclose(table.actual, np.log(table.tokens / SMOKE.max_new))
    only = replace(parts, scorers={(LENGTH, Q): parts.scorers[LENGTH, Q]})
    assert predictions(only, rows) is None


@pytest.fixture
def hh(tmp_path):
    """Forty pairs in HH's form, every fourth of them on a dialogue that went on."""
    rng = np.random.default_rng(0)
    words = ["yes", "no", "well", "maybe", "hm"]
    lines = []
    for number in range(40):
        more = "hm\n\nHuman: and?\n\nAssistant: " if number % 4 == 3 else ""
        asked = f"\n\nHuman: question {number}\n\nAssistant: {more}"
        chosen, rejected = (" ".join(rng.choice(words, size)) for size in (3, 4))
        lines.append(json.dumps({"chosen": asked + chosen, "rejected": asked + rejected}))
    with gzip.open(tmp_path / "made.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
    return tmp_path


def test_human_pairs_are_ranked_by_each_method(parts, hh, study):
    head = parts.tasks[1].reward
    table = ranked_pairs(parts, head, hh)
    asked = [pair for pair in hh_pairs(hh) if pair.split != "validation"]
    assert len(table) == 3 * len(asked)
    assert set(table.method) == {REWARD, Q, FUDGE}
    assert set(table.right) <= {0.0, 0.5, 1.0}
    turned = ranked_pairs(parts, replace(head, weight=-head.weight), hh)
    right, wrong = (one[one.method == REWARD].right.to_numpy() for one in (table, turned))
    np.testing.assert_array_equal(right, 1 - wrong)
    cells = study[0].folder / "controlled" / "cells.csv"
    data = measured_from(read(cells.parent)[0]["cells"], SMOKE.block, None, table, 50)
    shown = accuracy_table(data).set_index(["method", "split"])
    test = table[(table.method == Q) & (table.split == "test")]
    assert shown.loc[(Q, "test"), "accuracy"] == pytest.approx(test.right.mean())
