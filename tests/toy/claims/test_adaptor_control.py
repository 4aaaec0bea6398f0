import pytest

from theory.ledger import REGISTRY, verify
from toy.claims import adaptor_control, normalisation, shares

CLAIMS = [
    adaptor_control.temperature,
    adaptor_control.moves,
    adaptor_control.slope,
    normalisation.normalisation,
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
@pytest.mark.parametrize("seed", [0, 1])
def test_claim_earns_its_verdict(claim, seed):
    assert REGISTRY[claim.id] is claim
    assert verify(claim, seed).faults() == []


def test_rule_for_shares():
    assert shares.below("", [0.1, 0.949999]).passed
    assert not shares.below("", [0.1, shares.RULE]).passed
