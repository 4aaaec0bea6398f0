"""The command: a scorer that loads and its card, the same again after a kill, one-sentence errors and exit 2."""

import json
import time
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

from empirical import fit_scorer
from empirical.errors import InputError
from empirical.models import load
from empirical.prefix_scorers import PrefixScorer
from empirical.prompts import own_prompts, study_prompts
from empirical.rewards import LengthReward, SecretReward
from empirical.scorer_data import afford, bounded, learnable, split, written
from empirical.studies.controlled.cells import TASKS
from empirical.studies.controlled.parts import halves
from empirical.tiny import tiny_triple
from tests.empirical.test_prefix_scorers import SMOLLM2

PROMPTS = [f"prompt {letter}" for letter in "abcdefg"]


def command(*arguments):
    app = typer.Typer(rich_markup_mode=None)
    app.command()(fit_scorer.main)
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    tiny_triple(folder)[2].save(folder / "head")
    (folder / "prompts.txt").write_text("\n".join(PROMPTS))
    return folder


def run(folder, method, out, work, *more):
    size = (
        "--count",
        7,
        "--answers",
        3,
        "--max-new",
        4,
        "--steps",
        3,
        "--rank",
        2,
        "--prompts",
        folder / "prompts.txt",
    )
    places = ("--prior", folder / "prior", "--out", folder / out, "--work", folder / work)
    return command("--method", method, "--rewards", f"length,{folder / 'head'}", *size, *places, *more)


@pytest.mark.parametrize("method", ["fudge", "q"])
def test_it_writes_a_scorer_and_its_card_and_the_same_after_a_kill(folder, method, monkeypatch):
    start = time.monotonic()
    result = run(folder, method, f"out-{method}", f"work-{method}")
    taken = (time.monotonic() - start) / 60
    assert result.exit_code == 0, result.output
    out = folder / f"out-{method}"
    model = load(folder / "prior", name="tiny")
    scorer = PrefixScorer.from_pretrained(out, model)
    assert scorer.about.rewards == ("length", "head")
    assert scorer.about.max_new == 4
    assert scorer.values(torch.zeros(2, 32)).shape == (2, 2, 257)
    text = (out / "card.json").read_text("utf-8") + (out / "config.json").read_text("utf-8")
    assert str(folder) not in text  # no path of the machine that made it
    card = json.loads(text.partition("\n}\n")[0] + "\n}", parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert card["command"].startswith(
        f"python -m empirical.fit_scorer --method {method} --rewards length,head --steps 3"
    )
    assert card["prompts"] == {"train": 5, "check": 1, "test": 1}
    assert card["measured"].keys() == {"length", "head"}
    assert set(card["minutes"]) == {"states", "training"}
    assert 0 <= sum(card["minutes"].values()) <= taken + 0.1  # each is rounded to a tenth
    assert [one["first"] for one in card["measured"]["head"]["calibration"]] == [1, 2, 3]

    def dies(texts, _count):
        yield next(texts)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit_scorer, "_told", dies)
        assert run(folder, method, "killed", f"other-{method}").exit_code != 0
    again = run(folder, method, "again", f"other-{method}")
    assert "of 4" in again.output  # one prompt's states were there
    assert (folder / "again" / "scorer.safetensors").read_bytes() == (out / "scorer.safetensors").read_bytes()
    other = json.loads((folder / "again" / "card.json").read_text("utf-8"))
    assert other["measured"] == card["measured"]


def test_other_texts_teach_cd_q_and_not_fudge(folder):
    rows = [{"prompt": prompt, "answer": answer} for prompt in [*PROMPTS, "h"] for answer in ("abc", "x", "long text")]
    (folder / "texts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    more = ("--texts", folder / "texts.jsonl")
    result = run(folder, "q", "out-texts", "work-texts", *more)
    assert result.exit_code == 0, result.output
    card = json.loads((folder / "out-texts" / "card.json").read_text("utf-8"))
    assert card["texts"] == "others, of texts.jsonl"
    # Two of the eight prompts are held out; EOS is a token; the longest text is cut at 4.
    assert card["tokens"]["train"] == 6 * (4 + 2 + 4)
    refused = run(folder, "fudge", "out-texts", "work-texts", *more)
    assert refused.exit_code == 2
    assert "CD-FUDGE learns" in refused.output


def test_texts_of_a_file_end_with_eos_or_are_cut(folder):
    model = load(folder / "prior")
    (folder / "few.jsonl").write_text('{"prompt": "a", "answer": "bc"}\n{"prompt": "h", "answer": "x"}')
    found = written(folder / "few.jsonl", model, 3, {"h"})
    assert list(found) == ["a"]
    assert [len(ids) for ids in found["a"]] == [3]
    assert found["a"][0][-1] == model.eos
    assert written(folder / "few.jsonl", model, 2, {"h"})["a"][0] == found["a"][0][:2]
    for text in ("[1]", "{", '{"prompt": "a"}'):
        (folder / "bad.jsonl").write_text(text)
        with pytest.raises(InputError, match="JSON lines"):
            written(folder / "bad.jsonl", model, 3, set())
    with pytest.raises(InputError, match="no text"):
        written(folder / "few.jsonl", model, 3, {"a", "h"})


def test_errors_are_one_sentence_and_exit_2(folder):
    for rewards, said in (("secret", "no upper bound"), ("nowhere:at_all", "Cannot import nowhere")):
        places = ("--out", folder / "x", "--work", folder / "y", "--prior", folder / "prior")
        result = command("--method", "q", "--rewards", rewards, *places)
        assert result.exit_code == 2
        assert said in result.output
        assert result.output.strip().count("\n") == 0
    for method, count, option in (("q", 0, "--count"), ("ppo", 1, "--method")):
        result = command("--method", method, "--rewards", "length", "--out", folder / "x", "--count", count)
        assert result.exit_code == 2
        assert f"Invalid value for '{option}'" in result.output
    few = run(folder, "q", "x", "y", "--count", 2)
    assert few.exit_code == 2
    assert "three different prompts" in few.output
    large = run(folder, "q", "x", "y", "--memory", 1e-9)
    assert large.exit_code == 2
    assert "--memory is 1e-09" in large.output


def test_prompts_are_split_without_overlap_and_no_study_uses_them():
    prompts = own_prompts()[100:]
    parts = split(prompts, 0)
    assert {name: len(some) for name, some in parts.items()} == {"train": 70, "check": 15, "test": 15}
    assert sorted(prompt for some in parts.values() for prompt in some) == sorted(prompts)
    assert not set(prompts) & set(study_prompts(100))
    assert split(prompts, 0) == parts != split(prompts, 1)
    assert split(["a", "b", "c", "a"], 0).keys() == parts.keys()


@pytest.mark.parametrize("task", TASKS)
def test_a_tasks_prompts_are_those_that_its_study_does_not_answer(task):
    answered, learnt = halves(task)
    assert learnable(task, 1000) == learnt
    assert learnable(task, 5) == learnt[:5]
    assert not set(learnt) & set(answered)


def test_what_is_refused_and_what_is_not():
    assert bounded(LengthReward(4)) == LengthReward(4)
    with pytest.raises(InputError, match="upper bound"):
        bounded(SecretReward())
    afford(SMOLLM2, 3200, 1.0)  # 3,200 x 64 tokens x two vectors of 576 float32: 0.94 GB
    with pytest.raises(InputError, match=r"may take 0\.9 GB but --memory is 0\.9;"):
        afford(SMOLLM2, 3200, 0.9)
