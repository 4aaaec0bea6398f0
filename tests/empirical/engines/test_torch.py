"""The sampler against full forward passes, exact enumeration, and planted slips."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch.nn.functional import log_softmax

from empirical.engines.torch import Request, inverse_cdf, sample
from empirical.randomness import uniforms
from empirical.schemes import study_schemes
from theory.adaptors import ancestral, local, top_k

PROMPT = "Name a fruit."


def requests_for(schemes, samples, steps, prompt=PROMPT):
    return [
        Request(scheme.adaptor, uniforms(0, prompt, scheme.name, number, steps))
        for scheme in schemes
        for number in range(samples)
    ]


def recompute(model, prompt, answer, adaptor):
    """log q, log kept and log p of an answer by one uncached pass over the whole text."""
    ids = torch.tensor([[*prompt, *answer.token_ids]])
    with torch.inference_mode():
        log_p = log_softmax(model.network(ids).logits[0, len(prompt) - 1 : -1].float(), dim=-1)
    log_q, log_kept = local(adaptor, log_p)
    tokens = torch.tensor(answer.token_ids)[:, None]
    return log_q.gather(1, tokens).sum().item(), log_kept.sum().item(), log_p.gather(1, tokens).sum().item()


def test_recorded_log_probabilities_are_those_of_a_full_pass(triple):
    model, schemes = triple.aligned, study_schemes()
    prompt = model.prompt_ids(PROMPT)
    answers = sample(model, prompt, requests_for(schemes, 2, 10), 10)
    for number, answer in enumerate(answers):
        recorded = (answer.log_proposal, answer.log_kept, answer.log_model)
        # float32 sums over at most ten tokens; 1e-4 is far below any slip of a token or a temperature
        assert recorded == pytest.approx(recompute(model, prompt, answer, schemes[number // 2].adaptor), abs=1e-4)
        assert answer.finished == (answer.token_ids[-1] == model.eos)
        assert model.eos not in answer.token_ids[:-1]


def test_answers_do_not_depend_on_their_neighbours(triple):
    model, schemes = triple.aligned, study_schemes()[::6]
    prompt = model.prompt_ids(PROMPT)
    requests = requests_for(schemes, 3, 8)
    together = sample(model, prompt, requests, 8)
    alone = [sample(model, prompt, [request], 8)[0] for request in requests]
    assert [answer.token_ids for answer in together] == [answer.token_ids for answer in alone]


def test_first_token_follows_its_law(triple):
    """4,000 first tokens against their exact law by chi-square, size 1e-6; planted top-k = 50 must be rejected."""
    model = triple.aligned
    prompt = model.prompt_ids(PROMPT)
    requests = [Request(ancestral(), uniforms(3, PROMPT, "law", number, 1)) for number in range(4_000)]
    drawn = [answer.token_ids[0] for answer in sample(model, prompt, requests, 1)]
    with torch.inference_mode():
        log_p = log_softmax(model.network(torch.tensor([prompt])).logits[0, -1].double(), dim=-1)
    assert fits(drawn, log_p.exp().numpy())
    assert not fits(drawn, local(top_k(50), log_p)[0].exp().numpy() + 1e-12)


def fits(drawn, law):
    """Chi-square over the tokens expected at least five times, the rest pooled."""
    expected = len(drawn) * law / law.sum()
    counts = np.bincount(drawn, minlength=len(law))
    common = expected >= 5
    table = [np.append(v[common], v[~common].sum()) for v in (counts, expected)]
    return chisquare(table[0], table[1] * table[0].sum() / table[1].sum()).pvalue > 1e-6


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


def test_finished_rows_leave_and_the_rest_go_on(triple):
    model = triple.aligned
    prompt = model.prompt_ids(PROMPT)
    answers = sample(model, prompt, requests_for(study_schemes(), 8, 24), 24)
    lengths = {len(answer.token_ids) for answer in answers}
    assert len(lengths) > 2, "the tiny model should end some answers early"
    assert all(answer.finished or len(answer.token_ids) == 24 for answer in answers)


def test_no_new_tokens(triple):
    with pytest.raises(ValueError, match="new tokens"):
        sample(triple.prior, [1], requests_for(study_schemes()[:1], 1, 1), 0)


def test_nan_logits_are_refused(triple, monkeypatch):
    model = triple.prior
    head = model.network.get_output_embeddings()
    monkeypatch.setattr(head, "forward", lambda states: torch.full((*states.shape[:-1], 257), float("nan")))
    with pytest.raises(ValueError, match="NaN"):
        sample(model, model.prompt_ids(PROMPT), requests_for(study_schemes()[:1], 1, 2), 2)
