"""Every target stands in the list once, with a cost, and a misspelt one is told its neighbours."""

import pytest

from empirical import targets
from empirical.errors import InputError
from theory.ledger import REGISTRY, Entry
from toy.experiments import EXPERIMENTS


def entry(id, verdict, seconds):
    return Entry(id, "tan", "", "", "", verdict, "", (), (), seconds)


def test_every_target_once_and_in_its_section():
    rows = targets.listed({})
    assert sorted(row.id for row in rows) == sorted([*targets.IDS, *targets.GROUPS, "figures"])
    order = [row.section for row in rows]
    assert list(dict.fromkeys(order)) == ["", *targets.SECTIONS]
    assert order == sorted(order, key=["", *targets.SECTIONS].index), "sections are in one piece"
    assert all(row.cost for row in rows if row.section)
    assert all("\t" not in row.statement + row.where and "\n" not in row.statement + row.where for row in rows)


def test_what_was_run_is_shown_as_it_was():
    claim, sentence = next(iter(REGISTRY)), next(iter(targets.STUDY))
    known = {claim: entry(claim, "inconclusive", 3.21), sentence: entry(sentence, "reproduced", 0.0)}
    rows = {row.id: row for row in targets.listed(known)}
    assert (rows[claim].verdict, rows[claim].cost) == ("inconclusive", "3.2 s")
    assert rows[sentence].verdict == "reproduced"
    assert rows[sentence].cost == targets.STUDY_COST, "its entry's seconds are those of its checks alone"
    assert {rows[name].cost for name in EXPERIMENTS} == {targets.WORLD}


def test_a_misspelt_target():
    with pytest.raises(InputError, match=r"no target 'tan\.thm22'; the nearest are .*tan\.thm2"):
        targets.selected(["tan.thm22"])
    with pytest.raises(InputError, match="list` shows all"):
        targets.selected(["zzzzzzzz"])
