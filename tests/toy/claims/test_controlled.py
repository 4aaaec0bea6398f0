"""The ledger's rows on the eight experiments; the run of a minute that they rest on is left to the command line."""

import numpy as np
import pandas as pd
import pytest

from theory.ledger import REGISTRY, at_least, verify
from toy.claims import controlled
from toy.controlled import run
from toy.findings import FINDINGS, Finding
from toy.outcomes import Outcome


@pytest.fixture(scope="module")
def small():
    return run(0, small=True)


def test_every_finding_has_a_row():
    assert {f"cd.toy.{name}" for name in FINDINGS} <= set(REGISTRY)


def test_exact_rows_hold_at_any_size(small, monkeypatch):
    monkeypatch.setattr(controlled, "tables", lambda: small)
    assert verify(controlled.frontier).faults() == []
    # Answers of nine letters leave less room than those of the default run for the length under p to be wrong.
    assert verify(controlled.block_bound).checks[1].passed
    assert verify(controlled.block_bound).checks[0].worst > 0.1


@pytest.mark.parametrize("margin", [-0.1, 0.1, np.nan])
def test_a_verdict_stands_only_with_its_margin(margin, monkeypatch):
    monkeypatch.setattr(controlled, "tables", lambda: {"toy_controlled_scorers": pd.DataFrame()})
    rule = Finding("x", "1", "", "", lambda points, scorers: margin)
    for verdict, stands in (("reproduced", margin > 0), ("not-reproduced", margin < 0)):
        outcome = Outcome(verdict, "", lambda points: points)
        assert controlled._decided(rule, outcome, pd.DataFrame(), "").passed == stands
    assert at_least("", oracle="", margins=[margin], tolerance=0.0).passed == (margin > 0)
