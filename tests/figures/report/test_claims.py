"""What belongs to a claim: figures that exist, its room, its command, its smallest counter-example."""

import pandas as pd

from figures import FIGURES as DRAWN
from figures.report.claims import FIGURES, figures_of, room, row, smallest
from theory.ledger import REGISTRY


def test_the_map_names_figures_that_exist_and_misses_none():
    assert {name for names in FIGURES.values() for name in names} == set(DRAWN)


def test_every_prefix_is_some_claims():
    from paper_repro import IDS

    assert all(any(name == key or name.startswith(f"{key}.") for name in IDS) for key in FIGURES)


def test_the_longest_prefix_decides():
    assert figures_of("cd.exp1.blocks") == ("cd_fig3",)
    assert figures_of("cd.exp1.fudge") == ("cd_fig13", "cd_fig3")
    assert figures_of("cd.experiments") == ()
    assert figures_of("tan.emp.dpo.tau") == ("tan_fig3",)


def test_rooms():
    assert {room(name) for name in REGISTRY} == {"theory", "toy"}
    assert room("tan.emp.local") == "empirical"


def test_a_smallest_case_ends_with_its_sentence():
    entry = {"statement": "A. Smallest case: x = .5, y = 2. Corrected: z.", "assumptions": "one symbol"}
    assert smallest(entry) == "x = .5, y = 2"
    assert smallest({"statement": "A.", "assumptions": "smallest counter-example: two strings"}) == "two strings"
    assert smallest({"statement": "A.", "assumptions": ""}) == ""


def test_a_row_shows_drawn_figures_and_its_own_numbers_alone():
    entry = {"id": "tan.fig1", "statement": "s", "assumptions": "", "checks": [{"name": "printed: a"}]}
    table = pd.DataFrame({"quantity": ["a", "b"], "value": [1.0, 2.0], "reported": [None, 0.5]})
    found = row(entry, {"tan_fig1": table}, {"tan_fig1"}, "run")
    assert found.figures == ("tan_fig1",)
    assert [one["quantity"] for one in found.beside] == ["b"]
    assert found.command == "run tan.fig1"
    assert len(found.side("printed")) == 1
    assert found.side("corrected") == []
    assert row(entry, {}, set(), "run").figures == ()


def test_an_experiment_of_controlled_decoding_shows_its_own_findings():
    entry = {"id": "cd.exp6", "statement": "s", "assumptions": "", "checks": []}
    findings = pd.DataFrame({"id": ["cd.exp6", "cd.exp7.sum"], "value": [1.0, 2.0]})
    assert [one["value"] for one in row(entry, {"cd_findings": findings}, set(), "run").measured] == [1.0]
