"""The discriminator: its bounds, whose states it reads, and that what it was not made for is refused."""

import pytest
import torch

from empirical.guidance.discriminator import FLOOR, log_success
from tests.empirical.enumerated import linear_scorer


def test_it_is_the_scorers_value_between_its_bounds(triple):
    scorer = linear_scorer(triple.prior, rewards=2, scale=2.0)
    states = torch.randn(7, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = log_success(scorer, triple.prior, (1.0, 0.5))(states)
    values = scorer.weighted(states, torch.tensor([[1.0, 0.5]] * 7))
    assert values.min() < 0
    assert values.max() > 1
    assert torch.equal(found, values.clamp(FLOOR, 1.0).log())


def test_what_does_not_fit_is_refused(triple):
    scorer = linear_scorer(triple.prior, rewards=2)
    with pytest.raises(ValueError, match="Give 2 weights"):
        log_success(scorer, triple.prior)
    with pytest.raises(ValueError, match="another model"):
        log_success(type(scorer)(scorer.weight, "someone else"), triple.prior, (1.0, 1.0))
