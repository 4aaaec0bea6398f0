"""Every registered claim earns its verdict: its checks pass, its controls are rejected."""

import pytest

import theory.claims  # noqa: F401 (fills the registry)
from theory.ledger import PAPERS, REGISTRY, verify

VERDICTS = {"holds", "holds-with-assumption", "erratum", "reproduced", "not-reproduced", "inconclusive"}


@pytest.mark.parametrize("id", REGISTRY)
def test_the_evidence_stands(id):
    assert verify(REGISTRY[id]).faults() == []


@pytest.mark.parametrize("id", REGISTRY)
def test_the_entry_is_complete(id):
    registered = REGISTRY[id]
    assert registered.id == id
    assert id.startswith((f"{registered.paper}.", "new."))
    assert registered.paper in PAPERS
    assert registered.verdict in VERDICTS | {"not-testable-here"}
    assert all((registered.where, registered.kind, registered.statement))
    assert registered.assumptions or registered.verdict != "holds-with-assumption"
