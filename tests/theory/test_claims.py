"""Every registered claim earns its verdict: its checks pass, its controls are rejected."""

import pytest

import theory.claims  # noqa: F401 (fills the registry)
from theory.ledger import PAPERS, REGISTRY, verify

ENOUGH = 1000
WHY_FEWER = ("worked example", "limit", "every such", "all ", "share of", "count over", "test of size")
"""What a check of fewer instances says of itself: one example, a limit, a whole finite list, or statistics."""
VERDICTS = {"holds", "holds-with-assumption", "erratum", "reproduced", "not-reproduced", "inconclusive"}


@pytest.mark.parametrize("id", REGISTRY)
def test_the_evidence_stands(id):
    entry = verify(REGISTRY[id])
    assert entry.faults() == []
    if not REGISTRY[id].evidence.__module__.startswith("theory."):
        return  # replays of printed figures have their own number of instances
    for check in entry.checks:
        said = f"{check.name}, {check.oracle}"
        assert check.instances >= ENOUGH or any(why in said for why in WHY_FEWER), said


@pytest.mark.parametrize("id", REGISTRY)
def test_the_entry_is_complete(id):
    registered = REGISTRY[id]
    assert registered.id == id
    assert id.startswith((f"{registered.paper}.", "new."))
    assert registered.paper in PAPERS
    assert registered.verdict in VERDICTS | {"not-testable-here"}
    assert all((registered.where, registered.kind, registered.statement))
    assert registered.assumptions or registered.verdict != "holds-with-assumption"
