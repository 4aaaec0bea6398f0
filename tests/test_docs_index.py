"""What the documents name exists: claims, commands that run them, errata that are explained, tests that guard."""

import re
import shlex

import pytest

import paper_repro
from figures import FIGURES
from tests.documents import MADE, pages, text
from tests.zoo.entries import entries
from theory.ledger import REGISTRY

NAMED = re.compile(r"`((?:tan|cd|chang|new)\.[\w.-]+)`")
INDEX = text("docs/paper_index.md")
ROWS = [line.split("|") for line in INDEX.splitlines() if line.startswith("|") and "`python" in line]


def known(name):
    """Whether a name in backticks is a claim, or the beginning of several."""
    return any(id == name or id.startswith(f"{name}.") for id in paper_repro.IDS)


@pytest.mark.parametrize("page", [*pages(), *sorted(MADE)])
def test_claims_that_are_named_exist(page):
    claims = [name for name in NAMED.findall(text(page).replace("\n", " ")) if name != "new.heat"]
    assert [name for name in claims if not known(name)] == []


def test_a_claim_that_is_not_there_is_noticed():
    assert not known("tan.prop6")
    assert known("tan.emp.dpo")
    assert NAMED.findall("see `tan.prop6`, `theory.values`") == ["tan.prop6"]


def test_the_index_names_every_target_once_or_more():
    named = re.findall(r"`([\w.-]+)`", "".join(row[2] for row in ROWS))
    assert set(named) == set(paper_repro.IDS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1].strip()[:40])
def test_the_command_of_a_row_runs_its_claims_and_no_other(row):
    claims = re.findall(r"`([\w.-]+)`", row[2])
    words = shlex.split(row[4].strip().strip("`"))
    assert words[:3] == ["python", "paper_repro.py", "run"]
    assert set(paper_repro.selected(words[3:])) == set(claims)


def test_the_figures_it_names_are_drawn():
    assert set(re.findall(r"`((?:tan|cd)_fig\d+)`", INDEX)) <= set(FIGURES)


def test_every_erratum_is_explained_once():
    heads = [text(page).partition("](../errata.md)")[0] for page in pages() if page.startswith("docs/explain/")]
    explained = [name for head in heads for name in NAMED.findall(head.replace("\n", " "))]
    errata = {claim.id for claim in REGISTRY.values() if claim.verdict == "erratum"}
    assert errata <= set(explained)
    assert [name for name in explained if REGISTRY[name].verdict != "erratum"] == []


def test_the_traps_are_those_of_the_zoo():
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text("docs/footguns.md").splitlines()]
    guards = {int(row[0]): row[-1].strip("`") for row in rows if row and row[0].isdigit()}
    assert set(guards) == {number for entry in entries() for number in entry.pitfalls}
    for number, test in guards.items():
        assert any(test in entry.tests for entry in entries() if number in entry.pitfalls), number
