"""The checklists rest on what is there: paths and commands exist, counted answers follow the counts."""

import re
import shlex
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import typer

import paper_repro
from figures.report import build
from figures.report.checklists import ANSWERS, Share, checklists, shares
from figures.report.trust import evidence

ROOT = Path(__file__).parents[3]
LISTS = checklists([], {}, {}, evidence())
ITEMS = [item for one in LISTS for item in one.items]
CHECK = {"name": "c", "passed": True}
LEDGER = [
    {"id": "tan.prop1", "kind": "proposition", "verdict": "holds", "checks": [CHECK]},
    {"id": "tan.fig2", "kind": "experiment", "verdict": "reproduced", "checks": [CHECK | {"passed": False}]},
    {"id": "cd.exp1", "kind": "experiment", "verdict": "not-reproduced", "checks": [CHECK]},
    {"id": "cd.exp2", "kind": "experiment", "verdict": "not-testable-here", "checks": [CHECK]},
]


def missing(places: Iterable[str]) -> list[str]:
    """Of paths in a checkout, and of tests as path::name, those that are not there."""
    found = []
    for place in places:
        path, _, name = place.partition("::")
        there = (ROOT / path).exists()
        if not there or (name and f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")):
            found.append(place)
    return found


def unknown(commands: Iterable[str]) -> list[str]:
    """Of commands, those that name no module, no command and no claim of ours."""
    known = {*typer.main.get_command(paper_repro.app).commands, *paper_repro.IDS}
    found = []
    for command in commands:
        python, what, *more = shlex.split(command)
        if what == "-m":
            right = find_spec(more[0]) is not None
        else:
            right = what == "paper_repro.py" and all(
                one in known for one in more if re.fullmatch(r"[a-z]+[.\w-]*", one)
            )
        if python != "python" or not right:
            found.append(command)
    return found


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)
def test_what_an_item_rests_on_is_there(item):
    assert missing(item.evidence) == []
    assert unknown(command.replace("--preset smoke", "") for command in item.commands) == []
    assert item.why.endswith(".")
    assert item.question.endswith("?")


def test_what_is_missing_is_noticed():
    wrong = ["docs/nowhere.md", "tests/test_docs.py::test_nothing", "README.txt"]
    assert missing(["README.md", *wrong]) == wrong
    wrong = ["python -m empirical.nothing", "python paper_repro.py dance", "make"]
    assert unknown([*wrong[:2], "python other.py"]) == [*wrong[:2], "python other.py"]


def test_both_lists_are_whole():
    badges, paper = LISTS
    assert [item.name.partition(":")[0] for item in badges.items] == [
        *["Functional"] * 4, "Reusable", "Available", "Results reproduced", "Results replicated",
    ]  # fmt: skip
    assert [int(item.name.partition(".")[0]) for item in paper.items] == list(range(1, 17))


@pytest.mark.parametrize(
    ("share", "answer"),
    [(Share(3, 3), "yes"), (Share(1, 3), "partly"), (Share(0, 3), "no"), (Share(0, 0), "not in this run")],
)
def test_a_counted_answer_follows_the_count(share, answer):
    assert share.answer == answer


def test_counts_are_those_of_the_run():
    table = pd.DataFrame({"value": [1.0, 2.0, None], "low": [0.0, None, None], "high": [2.0, 3.0, None]})
    found = shares(LEDGER, {"cd_findings": table, "cd_fig3": table})
    assert {name: str(share) for name, share in found.items()} == {
        "decided": "3 of 4", "checked": "3 of 4", "mathematics": "1 of 1", "reproduced": "1 of 2",
        "intervals": "1 of 2",
    }  # fmt: skip
    answers = {item.name: item for one in checklists(LEDGER, {}, {"seconds": 90}, evidence()) for item in one.items}
    assert answers["1. Claims"].answer == "partly"
    assert "3 of 4 claims" in answers["1. Claims"].why
    assert "(2 min" in answers["8. Compute"].why


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ('answer = "maybe"', "the answer must be one of"),
        ('answer = "yes"', "yes needs evidence"),
        ('share = "nothing"', "nothing"),
    ],
)
def test_an_answer_without_a_basis_is_refused(tmp_path, words, error):
    path = tmp_path / "checklists.toml"
    path.write_text(f'[[list]]\ntitle = "t"\n[[list.item]]\nname = "n"\nquestion = "q?"\nwhy = "w."\n{words}\n')
    with pytest.raises((ValueError, KeyError), match=error):
        checklists([], {}, {}, [], path)


def test_the_page_has_them(tmp_path):
    page = build(tmp_path).read_text(encoding="utf-8")
    assert all(one.title in page and one.sum in page for one in LISTS)
    assert set(ANSWERS) >= {item.answer for item in ITEMS} - {"not in this run"}
