"""Rows that the kernel knows and rows that it does not, in one batch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from empirical.engines.drawing import FEW, _recipes, draw, draw_controlled, extend, inverse_cdf
from empirical.engines.jobs import Control, Job
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


def test_each_row_extends_the_answer_of_its_own_job():
    """Two rewards, one of no weight at lambda = 0, and none at all, in one batch; the second uniform where one is."""
    rng = np.random.default_rng(0)
    controls = [Control(2.0, (0.5, 3.0)), None, Control(0.0), None]
    jobs = [Job((1,), ancestral(), rng.random(2), control) for control in controls]
    answers = [job.begun() for job in jobs]
    logits, rewards = torch.tensor(rng.normal(size=(2, 4, 6))), torch.tensor(rng.normal(size=(4, 2, 6)))
    asked = []

    def valued(weights):
        asked.append(weights.tolist())
        return torch.einsum("nr,nrv->nv", weights, rewards)

    for step in range(2):
        extend(answers, jobs, logits[step], 5, valued)
    assert asked == [[[0.5, 3.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]] * 2
    for row, (job, answer) in enumerate(zip(jobs, answers, strict=True)):
        values = 0.5 * rewards[row, :1] + 3 * rewards[row, 1:] if row == 0 else torch.zeros(1, 6)
        steps = [
            draw_controlled(
                logits[step, row, None], values, [2.0 * (row == 0)], [ancestral()], job.uniforms[step, None]
            )
            for step in range(2)
        ]
        assert answer.token_ids == [int(step.tokens[0]) for step in steps]
        assert answer.log_model == pytest.approx(sum(step.log_model[0] for step in steps))
        assert answer.kl == (pytest.approx(sum(step.kl[0] for step in steps)) if job.control else None)


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
