"""The makers of the heads end to end on a tiny model, the heads that ship, and which of them judges what."""

import gzip
import json
import re
from itertools import combinations

import pytest

from empirical.judging import fit, heads
from empirical.judging.judges import JUDGE_OF, NAMES, judge_of, shipped_head
from empirical.models import load
from empirical.preferences import PreferenceError
from empirical.rewards import load_head, load_reward
from empirical.scored import RewardError
from empirical.shipped import shipped


def write_data(folder):
    """Twenty-four questions in each form; the letter z wins everywhere."""
    fine, panda = [], []
    for i in range(24):
        answers = {f"prediction {k}": text for k, text in enumerate(("zzz", f"ab{i}", "ba", "ac"), 1)}
        preference = [1 if first == 0 else 0 for first, _ in combinations(range(4), 2)]
        fine.append({"question": f"why {i}", "passages": [["t", f"text {i}."]], "preference": preference, **answers})
        votes = {f"annotator{k}": "1" if i % 2 else "2" for k in (1, 2, 3)}
        other = "ba" * (1 + i % 4)
        texts = ("zzz", other) if i % 2 else (other, "zzz")
        panda.append({"instruction": f"do {i}", "input": "", "response1": texts[0], "response2": texts[1], **votes})
    for name, rows in (("fine", fine), ("panda", panda)):
        (folder / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder / "fine.json", folder / "panda.json"


@pytest.fixture
def tiny(monkeypatch, tiny_folder):
    monkeypatch.setattr(fit, "default_prior", lambda: load(tiny_folder / "prior"))
    monkeypatch.setattr(fit, "LAYER", 2)
    monkeypatch.setattr(heads, "RIDGES", (0.1, 10.0))


def write_hh(folder):
    """120 dialogues, of which some forty are not the reward's; again z wins."""
    folder.mkdir()
    with gzip.open(folder / "test.jsonl.gz", "wt", encoding="utf-8") as file:
        for i in range(120):
            answers = {"chosen": "zzz", "rejected": "ba" * (1 + i % 4)}
            row = {name: f"\n\nHuman: ask {i}\n\nAssistant: {text}" for name, text in answers.items()}
            file.write(json.dumps(row) + "\n")
    return folder


def test_without_dialogues_their_judge_is_not_made(tiny, tmp_path):
    fit.main(*write_data(tmp_path), out=tmp_path / "judge", work=tmp_path / "work")
    card = json.loads((tmp_path / "judge" / "card.json").read_text(encoding="utf-8"))
    assert set(card["heads"]) == set(NAMES) - {"hh"}
    assert not (tmp_path / "judge" / "hh").exists()


def test_four_heads_and_their_card(tiny, tmp_path, capsys):
    files = write_data(tmp_path)
    fit.main(*files, out=tmp_path / "judge", hh=write_hh(tmp_path / "hh"), work=tmp_path / "work")
    text = (tmp_path / "judge" / "card.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text, "no path of this machine"
    assert json.loads(text) == json.loads(capsys.readouterr().out)
    rows = {(row["head"], row["data"]): row for row in json.loads(text)["rows"] if "accuracy" in row}
    assert json.loads(text)["heads"] == {name: list(sources) for name, sources in fit.HEADS.items()}
    for name in NAMES:
        head = load_head(tmp_path / "judge" / name)
        assert head.layer == 2
        for data in (*fit.HALVES, "pandalm", "hh"):
            row = rows[name, data]
            assert row["kind"] == ("held out" if data in fit.HEADS[name] else "transfer")
            assert row["accuracy"] > 0.8, "one letter decides, where chance is a half"
    assert sum(rows["both", half]["pairs"] for half in fit.HALVES) == 72
    assert all(rows["both", half]["pairs"] for half in fit.HALVES)
    assert rows["both", "pandalm"]["pairs"] == 24
    assert rows["longer", "pandalm"]["accuracy"] < 1
    assert rows["longer", "pandalm"]["length_correlation"] == pytest.approx(1)
    assert rows["longer", "pandalm"]["where_shorter_preferred"] == 0


def test_a_missing_file(tiny, tmp_path):
    with pytest.raises(PreferenceError, match="pass the data set's own JSON"):
        fit.main(tmp_path / "no.json", tmp_path / "no.json", out=tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_what_ships(name):
    """Rules written before the fit: beyond chance on questions never seen; the card is the heads'."""
    card = json.loads((shipped("judge") / "card.json").read_text(encoding="utf-8"))
    head = shipped_head(name)
    assert (head.layer, head.model_sha256) == (card["layer"], card["model_sha256"])
    held_out = [row for row in card["rows"] if row["head"] == name and row["kind"] == "held out"]
    assert [row["data"] for row in held_out] == card["heads"][name]
    for row in held_out:
        assert row["cluster_low"] > 0.5
        assert row["low"] < row["accuracy"] < row["high"]


def test_the_readme_says_what_the_card_says():
    """Every cell of the table: accuracy and Wilson's interval, bold where held out."""
    card = json.loads((shipped("judge") / "card.json").read_text("utf-8"))
    measured = {(row["head"], row["data"]): row for row in card["rows"] if "accuracy" in row}
    text = (shipped("judge").parent / "README.md").read_text("utf-8")
    lines = [
        line for line in text.splitlines() if re.match(r"\| `(finegrained|passages|hh|both|longer|hh reward)`", line)
    ]
    said = 0
    for line in lines:
        head, *cells = (cell.strip() for cell in line.strip("|").split(" |"))
        for data, cell in zip((*fit.HALVES, "pandalm", "hh"), cells, strict=True):
            if cell:
                row = measured[head.split("`")[1], data]
                share = f"{row['accuracy']:.3f}"
                share = f"**{share}**" if row["kind"] == "held out" else share
                assert cell == f"{share} [{row['low']:.3f}, {row['high']:.3f}]"
                said += 1
    assert said == len(measured)


def test_no_judge_learned_from_the_data_behind_its_reward():
    behind = {**fit.HEADS, "preference": ("hh: the reward's split",), "length": ()}
    assert all(not set(behind[reward]) & set(behind[judge]) for reward, judge in JUDGE_OF.items())
    assert set(NAMES) == set(fit.HEADS)
    assert judge_of("preference").describe() == shipped_head("hh").describe()
    for call in (judge_of, shipped_head):
        with pytest.raises(RewardError, match="finegrained, passages, hh, both"):
            call("nobody")


def test_a_judge_is_a_reward(triple):
    """It is loaded from its folder as a reward of the user's own would be."""
    both = shipped("judge") / "both"
    assert load_reward(str(both), triple.prior).describe() == shipped_head("both").describe()
