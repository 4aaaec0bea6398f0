"""Rows that the kernel knows and rows that it does not, in one batch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from empirical.engines.drawing import FEW, _recipes, draw, inverse_cdf
from theory.adaptors import Adaptor, ancestral, compose, nucleus, temperature, top_k

MINE = Adaptor("mine", lambda log_p: 2 * log_p)


def test_a_mixed_batch_is_its_rows():
    rng = np.random.default_rng(0)
    rules = [MINE, top_k(3), compose(nucleus(0.5), temperature(0.5)), ancestral(), MINE]
    logits, uniforms = torch.tensor(rng.normal(size=(5, 40))), rng.random(5)
    together = draw(logits, rules, uniforms)
    for row, rule in enumerate(rules):
        alone = draw(logits[row : row + 1], [rule], uniforms[row : row + 1])
        for name in ("tokens", "log_proposal", "log_kept", "log_model", "sorted"):
            assert getattr(together, name)[row] == pytest.approx(getattr(alone, name)[0], abs=1e-14)
    assert (together.sorted == 40).tolist() == [True, False, True, False, True]


def test_a_users_adaptor_is_the_rule_it_is():
    """p^2 of (.5, .3, .2) is (.25, .09, .04), of mass .38."""
    found = draw(torch.tensor([[0.5, 0.3, 0.2]]).log(), [MINE], np.array([0.7]))
    assert found.tokens.tolist() == [1]
    assert np.exp(found.log_proposal[0]) == pytest.approx(0.09 / 0.38, abs=1e-6)  # float32 logits
    assert np.exp(found.log_kept[0]) == pytest.approx(0.38, abs=1e-6)
    assert np.exp(found.log_model[0]) == pytest.approx(0.3, abs=1e-6)


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 1e-30]), min_size=2, max_size=8), st.floats(0, 1, exclude_max=True)
)
def test_inverse_cdf_never_draws_a_cut_token(weights, u):
    if sum(weights) == 0:
        weights[0] = 1.0
    mass = torch.tensor([weights], dtype=torch.float64)
    token = inverse_cdf((mass / mass.sum()).log(), torch.tensor([u], dtype=torch.float64))
    assert mass[0, token].item() > 0


def test_inverse_cdf_at_its_ends():
    log_q = torch.tensor([[0.0, 0.25, 0.75, 0.0]], dtype=torch.float64).log()
    picks = [inverse_cdf(log_q, torch.tensor([u], dtype=torch.float64)).item() for u in (0.0, 0.25, 1 - 2**-53)]
    assert picks == [1, 2, 2]


@pytest.mark.parametrize(("rules", "fetched"), [(FEW, False), (FEW + 1, True)])
def test_a_graphics_card_draws_by_few_rules_itself(rules, fetched):
    """ "meta" is off the processor on every machine; that both ways draw the same is test_accelerator's."""
    adaptors = [temperature(1 + number / 10) for number in range(rules)] * 2
    for device, expected in (("meta", fetched), ("cpu", True)):
        known, _ = _recipes(torch.empty(2 * rules, 5, device=device), adaptors)
        assert known == 2 * rules * [expected]
