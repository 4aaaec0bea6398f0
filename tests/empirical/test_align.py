"""The command: prompts no study uses, an adapter with its card, the same again on a second run, one-sentence errors."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from empirical import adapter_cards, align, align_sweep
from empirical.align import split
from empirical.alignment_methods import AIMS, LEARNING_RATE, STEPS, TILT, Method, named
from empirical.errors import InputError
from empirical.models import load
from empirical.online import Labels
from empirical.prompts import own_prompts, study_prompts
from empirical.rewards import load_head
from empirical.shipped import shipped
from empirical.studies.controlled.cells import TASKS
from empirical.studies.controlled.parts import halves
from empirical.tiny import tiny_triple


def command(*arguments, entry=align.main):
    app = typer.Typer(rich_markup_mode=None)
    app.command()(entry)
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("align")
    tiny_triple(folder)[2].save(folder / "head")
    return folder


def run(folder: Path, method: str, work: str, out: str, *more):
    small = ("--steps", 2, "--prompts", 2, "--held-out", 3, "--max-new", 3)
    places = ("--prior", folder / "prior", "--work", folder / work, "--out", folder / out)
    return command("--method", method, "--reward", folder / "head", "--beta", 0.5, *small, *places, *more)


@pytest.mark.parametrize("method", Method)
def test_it_writes_an_adapter_and_its_card(folder, method):
    result = run(folder, method, f"work-{method}", f"out-{method}")
    assert result.exit_code == 0, result.output
    out = folder / f"out-{method}"
    names = {path.name for path in out.iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "card.json"}
    text = (out / "card.json").read_text("utf-8") + (out / "adapter_config.json").read_text("utf-8")
    assert str(folder) not in text  # no path of the machine that made it
    card = json.loads((out / "card.json").read_text("utf-8"))
    assert card["command"].startswith(f"python -m empirical.align --method {method} --reward head --beta 0.5 --steps 2")
    assert card["prompts"] == {"trained_on": 2, "held_out": 3, "answers_a_held_out_prompt": 16}
    assert f"--learning-rate {LEARNING_RATE[method]:g}" in card["command"]
    assert card["aims_at"] == AIMS.get((method, Labels.REWARD), TILT)
    assert card["measured"]["kl"]["low"] <= card["measured"]["kl"]["value"] <= card["measured"]["kl"]["high"]
    assert card["measured"]["kl"]["value"] > 0
    again = run(folder, method, f"other-{method}", f"again-{method}")
    assert again.exit_code == 0
    name = "adapter_model.safetensors"
    assert (folder / f"again-{method}" / name).read_bytes() == (out / name).read_bytes()
    other = json.loads((folder / f"again-{method}" / "card.json").read_text("utf-8"))
    assert other["measured"] == card["measured"]


def test_the_card_says_what_else_decided_the_run(folder):
    """Epochs and clip of PPO; the labels of pairs, in the command too; a rate that was asked for."""
    cards = {}
    for method, *more in (("ppo",), ("online-dpo", "--labels", "bradley-terry", "--learning-rate", 2e-3), ("dpo",)):
        name = f"settings-{method}"
        assert run(folder, method, f"work-{name}", name, *more).exit_code == 0
        cards[method] = json.loads((folder / name / "card.json").read_text("utf-8"))
    assert (cards["ppo"]["epochs"], cards["ppo"]["clip"]) == (4, 0.2)
    assert cards["online-dpo"]["labels"] == "bradley-terry"
    assert cards["online-dpo"]["command"].endswith("--learning-rate 0.002 --labels bradley-terry")
    assert cards["online-dpo"]["aims_at"] == TILT
    assert set(cards["online-dpo"]["curve"]) == {"loss", "reward", "kl"}
    assert not {"labels", "epochs", "clip"} & set(cards["dpo"])
    again = run(folder, "online-dpo", "work-settings-online-dpo", "other-rate", "--labels", "bradley-terry")
    assert again.exit_code == 2
    assert "another run" in again.output


def test_a_sweep_makes_what_is_missing_and_nothing_twice(folder, monkeypatch):
    made = []

    def fake(method, reward, beta, out, *_, **__):
        made.append((method, beta))
        out.mkdir(parents=True)
        (out / "card.json").write_text("{}")

    monkeypatch.setattr(align_sweep, "main", fake)
    out = folder / "swept"
    asked = ("--reward", "length", "--out", out)
    assert command("--methods", "ppo,rloo", "--betas", "0.1", *asked, entry=align_sweep.sweep).exit_code == 0
    assert command("--methods", "rloo,dpo", "--betas", "0.1,0.2", *asked, entry=align_sweep.sweep).exit_code == 0
    assert made == [("ppo", 0.1), ("rloo", 0.1), ("rloo", 0.2), ("dpo", 0.1), ("dpo", 0.2)]
    assert {path.name for path in out.iterdir()} == {f"length-{method}-{beta:g}" for method, beta in made}
    for wrong in (("grpo", "0.1"), ("rloo", "0.1,x"), ("rloo", "0"), ("rloo", "nan"), ("rloo", "inf")):
        refused = command("--methods", wrong[0], "--betas", wrong[1], *asked, entry=align_sweep.sweep)
        assert refused.exit_code == 2
        assert "Methods are rloo, ppo, dpo, online-dpo, online-ipo, and a beta" in refused.output


def test_a_sweep_trains(folder):
    """Through the real command, one step."""
    places = ("--prior", folder / "prior", "--work", folder / "work-sweep", "--out", folder / "sweep")
    asked = ("--methods", "online-ipo", "--betas", "0.5", "--reward", folder / "head")
    small = ("--steps", 1, "--prompts", 2, "--held-out", 2, "--max-new", 2)
    result = command(*asked, *places, *small, entry=align_sweep.sweep)
    assert result.exit_code == 0, result.output
    assert (folder / "sweep" / "head-online-ipo-0.5" / "adapter_model.safetensors").is_file()


def test_prompts_of_the_study_are_never_learnt_from_or_measured_on():
    learnt, held_out = split("hh", 60, 24)
    assert not set(learnt) & set(held_out)
    assert not (set(learnt) | set(held_out)) & set(study_prompts(100))
    assert set(learnt) | set(held_out) <= set(own_prompts())


@pytest.mark.parametrize("task", TASKS)
def test_a_task_s_own_prompts(task):
    studied, free = halves(task)
    learnt, held_out = split(task, 14, 6)
    assert (learnt, held_out) == (free[:14], free[-6:])
    assert not set(studied) & {*learnt, *held_out}


def test_prompts_of_a_file(tmp_path):
    (tmp_path / "prompts.txt").write_text("one\ntwo\nthree\nfour\nfive\n", encoding="utf-8")
    assert split(str(tmp_path / "prompts.txt"), 2, 2) == (["one", "two"], ["four", "five"])
    with pytest.raises(InputError, match="There are 5 prompts"):
        split(str(tmp_path / "prompts.txt"), 3, 3)


@pytest.mark.parametrize("counts", [(80, 24), (1, 24), (60, 0)])
def test_more_prompts_than_there_are(counts):
    with pytest.raises(InputError, match="prompts"):
        split("hh", *counts)


def test_errors_are_one_sentence_and_exit_2(folder):
    result = command("--method", "rloo", "--reward", "none", "--beta", 1, "--prior", folder / "nowhere")
    assert result.exit_code == 2
    assert "Cannot read" in result.output
    for method, beta, option in (("grpo", 1, "--method"), ("rloo", 0, "--beta")):
        result = command("--method", method, "--reward", "none", "--beta", beta)
        assert result.exit_code == 2
        assert f"Invalid value for '{option}'" in result.output


def test_every_method_has_its_steps():
    assert set(STEPS) == set(Method) == set(LEARNING_RATE)


def test_names_tell_labels_apart_where_a_method_has_them():
    names = [named("a/length", method, 0.1, labels) for method in Method for labels in Labels]
    assert "length-online-dpo-0.1" in names
    assert "length-online-dpo-0.1-bradley-terry" in names
    assert names.count("length-rloo-0.1") == 2


def test_the_table_is_made_of_the_cards(folder):
    run(folder, "rloo", "work-rloo", "cards/one")
    assert command("--folder", folder / "cards", entry=adapter_cards.main).exit_code == 0
    lines = (folder / "cards" / "README.md").read_text("utf-8").splitlines()
    kl = json.loads((folder / "cards" / "one" / "card.json").read_text("utf-8"))["measured"]["kl"]
    (row,) = [line for line in lines if line.startswith("| `one`")]
    assert f"| {kl['value']:.3f} [{kl['low']:.3f}, {kl['high']:.3f}] |" in row
    assert row.count("|") == lines[-2].count("|")
    assert "| - |" not in row


def test_the_table_shows_no_share_of_an_optimum_that_a_method_does_not_aim_at(folder):
    run(folder, "online-ipo", "work-online-ipo", "other-cards/one")
    card = json.loads((folder / "other-cards" / "one" / "card.json").read_text("utf-8"))
    assert adapter_cards.table({"one": card}).count("| - | - | - |") == 1
    found = adapter_cards.frame({"one": card}).set_index("quantity")
    assert set(found.index[found["value"].isna()]) == set(adapter_cards.TILTED)


def test_what_ships_is_small_whole_and_was_trained_with_the_shipped_head():
    """Every folder holds an adapter under 2 MB and its card, and the table is made of the cards."""
    folder = shipped("adapters")
    if not folder.is_dir():
        pytest.skip("no adapter has been trained yet")
    cards = {path.parent.name: json.loads(path.read_text("utf-8")) for path in folder.glob("*/card.json")}
    assert set(cards) == {path.name for path in folder.iterdir() if path.is_dir()}
    assert cards
    for name, card in cards.items():
        labels = Labels(card.get("labels", Labels.REWARD))
        assert name == named(card["reward"], Method(card["method"]), card["beta"], labels)
        assert (folder / name / "adapter_model.safetensors").stat().st_size < 2_000_000
        if card["reward"] == "preference":
            assert card["reward_described"] == load_head(shipped("reward")).describe()
    assert (folder / "README.md").read_text("utf-8") == adapter_cards.HEAD + adapter_cards.table(cards)


def test_the_table_of_adapters_is_what_the_cards_say(folder):
    assert run(folder, "dpo", "work-framed", "apart/framed").exit_code == 0
    cards = adapter_cards.cards_in(folder / "apart")
    table = adapter_cards.frame(cards).set_index("quantity")
    assert set(table.adapter) == {"framed"}
    for quantity, interval in cards["framed"]["measured"].items():
        assert table.loc[quantity, ["value", "low", "high"]].to_dict() == interval
    assert list(adapter_cards.cards_in(folder / "apart", load(folder / "prior").sha256)) == ["framed"]
    assert adapter_cards.frame(adapter_cards.cards_in(folder / "apart", "of another prior")).empty
