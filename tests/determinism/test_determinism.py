"""The comparison notices one altered number, verdict or text; one row of the matrix is run for real on a few claims.

The whole matrix is `python -m tests.determinism`, an hour of a core.
"""

import csv
import io
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from tests.determinism.__main__ import TABLE, Line, lines, table
from tests.determinism.comparing import Outcome, compared, decided
from tests.determinism.matrix import BASE, BOUNDS, EXACT, MATRIX, STRICT, TINY, Row
from tests.determinism.once import with_weights
from tests.determinism.running import run

[OLD] = (replace(row, parts=(EXACT,)) for row in MATRIX if row.what == "OpenBLAS for Haswell")
CLAIMS = ("chang.thm3.5", "cd.bok_pmf", "tan.prop1")
ENTRY = {"verdict": "holds", "checks": [{"name": "a", "passed": True}], "controls": [{"name": "b", "rejected": True}]}
ONE = Outcome({"x": decided(ENTRY)}, {"t": "name,value\na,1.0\nb,2.5\n"})


def changed(old: str, new: str) -> Outcome:
    return replace(ONE, tables={"t": ONE.tables["t"].replace(old, new)})


def test_the_same_twice_is_within_every_bound():
    found = compared(ONE, ONE)
    assert (found.tables, found.same_bytes, found.largest) == (1, 1, 0)
    assert found.within(0)


def test_one_altered_number_is_noticed():
    found = compared(ONE, changed("2.5", "2.50000001"))
    assert found.largest == pytest.approx(4e-9)
    assert "line 2, column 1" in found.where
    assert (found.within(1e-9), found.within(1e-8)) == (False, True)
    assert not compared(ONE, changed("2.5", "nan")).within(1)


def test_rounding_is_no_difference_but_in_strict_mode():
    rounded = compared(ONE, changed("2.5", "2.5000000000000004"))
    assert rounded.within(1e-9)
    assert not rounded.within(0)


@pytest.mark.parametrize(
    "other",
    [
        changed("b,", "c,"),
        changed("2.5", ""),
        changed("b,2.5\n", ""),
        changed("b,2.5", "b,2.5,3"),
        replace(ONE, tables={}),
        replace(ONE, tables=ONE.tables | {"more": "name\n"}),
        replace(ONE, verdicts={}),
        replace(ONE, verdicts={"x": decided(ENTRY | {"verdict": "erratum"})}),
        replace(ONE, verdicts={"x": decided(ENTRY | {"checks": [{"name": "a", "passed": False}]})}),
        replace(ONE, verdicts={"x": decided(ENTRY | {"controls": [{"name": "b", "rejected": False}]})}),
    ],
)
def test_an_altered_text_table_or_verdict_is_noticed(other):
    for found in (compared(ONE, other), compared(other, ONE)):
        assert not found.within(1.0)


def test_what_is_drawn_may_be_drawn_anew_but_not_become_another_number():
    text = "scheme,corpus_pearson,mean\na,-0.32,1.0\n"
    one = Outcome({}, {"tan_schemes": text})
    others = {"-0.40": True, "-0.60": False, "": False}
    for cell, right in others.items():
        assert compared(one, Outcome({}, {"tan_schemes": text.replace("-0.32", cell)})).within(1e-3) is right
    assert not compared(one, Outcome({}, {"tan_schemes": text.replace("1.0", "1.1")})).within(1e-3)
    exact, moved = (Outcome({}, {"tan_fig1": one}) for one in (text, text.replace("-0.32", "-0.33")))
    assert not compared(exact, moved).within(1e-9), "an exact world's are not drawn again"


def test_nothing_compared_is_not_within():
    nothing = Outcome({}, {})
    assert not compared(nothing, nothing).within(1.0)


@pytest.fixture(scope="module")
def cheap(tmp_path_factory):
    """A function that gives a run of a short exact world and a few claims: as it is, and on older kernels."""
    made = {}

    def folder(row: Row):
        what = row.what if row == OLD else "as it is"
        if what not in made:
            few = replace(row, arguments=("run", *CLAIMS, "toy.concentration", "--preset", "smoke"))
            made[what] = run(few, tmp_path_factory.mktemp("run"))
        return made[what]

    return folder


def test_a_few_claims_and_a_world_on_older_kernels(cheap):
    """Really run; a row whose variables change nothing here is none."""
    made = lines(OLD, cheap)
    if made:  # this processor has newer ones
        [(line, _)] = made
        assert line.within
        assert line.same_verdicts
        assert line.tables > 0
    assert lines(Row("nothing new", parts=(EXACT,), variables={"UNHEARD_OF": "1"}), cheap) == []


def test_every_row_has_a_bound_and_a_run_to_compare_with():
    assert {part for row in MATRIX for part in row.parts} == set(BOUNDS) == {*BASE, TINY}
    assert BOUNDS[STRICT] == 0
    assert len({(row.what, row.parts) for row in MATRIX}) == len(MATRIX)


def test_the_stored_table_is_of_this_matrix():
    """As `python -m tests.determinism --store` writes it."""
    with TABLE.open(encoding="utf-8") as file:
        stored = list(csv.DictReader(file))
    assert list(stored[0]) == list(Line.__annotations__)
    known = {(row.what, part) for row in MATRIX for part in row.parts}
    assert {(one["what"], one["part"]) for one in stored} <= known
    line = Line("w", EXACT, True, 2, 1, 3.2e-16, 1e-9, True, "mine")
    [row] = csv.DictReader(io.StringIO(table([line])))
    assert row["largest_relative_difference"] == "3.2e-16"
    assert (row["same_verdicts"], row["within"]) == ("true", "true")
    theirs, again = replace(line, machine="theirs"), replace(line, same_bytes=2)
    stored = list(csv.DictReader(io.StringIO(table([again], table([line, theirs])))))
    assert [(row["machine"], row["same_bytes"]) for row in stored] == [("mine", "2"), ("theirs", "1")]


def test_a_row_for_a_card_or_another_machine_is_not_run_without_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    [card] = (row for row in MATRIX if row.card)
    assert lines(card, lambda row: pytest.fail("it was run")) == []


def test_later_runs_have_the_weights_of_the_first(tmp_path):
    """Whatever the second run's kernels would have drawn."""
    names = ("prior", "aligned")
    triple = with_weights(
        lambda: (*(SimpleNamespace(name=one, network=torch.nn.Linear(2, 2)) for one in names), None), tmp_path
    )
    first, second = triple(), triple()
    for one, other in zip(first[:2], second[:2], strict=True):
        assert torch.equal(one.network.weight, other.network.weight)
    assert not torch.equal(first[0].network.weight, first[1].network.weight)
