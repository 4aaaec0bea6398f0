import numpy as np
import pandas as pd
import pytest

from theory.ledger import REGISTRY, verify
from toy.claims import causal_bootstrap, reversal, tilts


@pytest.mark.parametrize(
    "claim",
    [causal_bootstrap.causal_bootstrap, reversal.unrelated_reward, reversal.phase_diagrams, tilts.tilts],
    ids=lambda claim: claim.id,
)
def test_claim_earns_its_verdict(claim):
    assert REGISTRY[claim.id] is claim
    assert verify(claim, seed=0).faults() == []


def test_a_cell_of_the_wrong_sign_is_noticed():
    cells = pd.DataFrame({"predicted": [0.3, -0.3, 0.1], "value": [0.2, -0.2, -0.1]})
    side = np.array([1.0, -1.0, 1.0])
    assert reversal._signs("", cells, side).passed  # the third is too near zero to count
    assert not reversal._signs("", cells, -side).passed
    assert not reversal._signs("", cells.assign(value=[0.2, 0.01, 0.1]), side).passed


def test_a_cell_far_from_its_prediction_is_noticed():
    cells = pd.DataFrame({"predicted": [0.3], "value": [0.33], "low": [0.32], "high": [0.34]})
    assert reversal._near("", cells).passed
    assert not reversal._near("", cells.assign(predicted=[0.27])).passed
