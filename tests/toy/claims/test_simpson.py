import pytest

from theory.ledger import REGISTRY, verify
from toy import simpson
from toy.claims import simpson as claims


@pytest.mark.parametrize("claim", [claims.figure_1, claims.typical_corpora], ids=lambda claim: claim.id)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_claim_earns_its_verdict(claim, seed):
    assert REGISTRY[claim.id] is claim
    assert verify(claim, seed).faults() == []


@pytest.mark.parametrize("quantity", sorted(simpson.PRINTED))
def test_a_single_wrong_digit_is_noticed(quantity):
    one_off = 1.0 if abs(simpson.PRINTED[quantity]) > 1 else 0.01
    measures = simpson.PRINTED | {quantity: simpson.PRINTED[quantity] + one_off}
    assert claims._printed_digits("exact", simpson.PRINTED).passed
    assert not claims._printed_digits("planted", measures).passed
