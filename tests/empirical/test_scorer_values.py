"""A prefix scorer inside `generate`: its values come from a second pass of its base, whatever the padding."""

import pytest
import torch

from empirical.guidance_processors import ControlledDecoding, ScorerValues
from tests.empirical.enumerated import linear_scorer
from tests.empirical.test_guidance_processors import CLOSE, EVIDENCE, batch, full_pass, generate
from theory.guidance import controlled

WEIGHTS, LAM = (1.0, -0.5), 1.5


@torch.inference_mode()
def values(base, scorer, prompt, answer):
    """V of each step's next tokens, [steps, V], by one pass that no cache or padding enters."""
    ids = base.prompt_ids(prompt)
    states = base.network.get_decoder()(torch.tensor([[*ids, *answer]])).last_hidden_state[0, len(ids) - 1 : -1]
    return scorer.weighted(states, torch.tensor([WEIGHTS] * len(answer)))


@pytest.mark.parametrize("copies", [1, 2])
@pytest.mark.parametrize("reads", ["prior", "aligned"])
def test_the_law_of_each_step(triple, reads, copies):
    """Prompts of unequal length, two answers each; the scorer reads another network than the one that draws, or it."""
    base = getattr(triple, reads)
    scorer = linear_scorer(base)
    prompts = [base.prompt_ids(prompt) for prompt in EVIDENCE]
    control = ControlledDecoding(ScorerValues(scorer, base, prompts, WEIGHTS), LAM, triple.aligned.eos)
    out = generate(triple.aligned, [control], inputs=batch(triple.aligned, copies), steps=8)
    start = batch(triple.aligned)["input_ids"].shape[1]
    other = triple.aligned if reads == "prior" else triple.prior
    apart = 0.0
    for row, tokens in enumerate(out.sequences[:, start:].tolist()):
        answer = tokens[: tokens.index(base.eos) + 1] if base.eos in tokens else tokens
        prompt = EVIDENCE[row // copies]
        found = torch.stack([scores[row] for scores in out.scores[: len(answer)]]).double()
        log_p = full_pass(triple.aligned, prompt, answer)
        expected = controlled(log_p, values(base, scorer, prompt, answer).double(), LAM)
        assert (found - expected).abs().max() < CLOSE
        planted = controlled(log_p, values(other, scorer, prompt, answer).double(), LAM)
        apart = max(apart, (found - planted).abs().max().item())
    assert apart > 0.1, "the states of the other network would give another law"


def test_it_serves_one_generate_after_another(triple):
    model = triple.prior
    scorer = linear_scorer(model)
    control = ControlledDecoding(
        ScorerValues(scorer, model, [model.prompt_ids(p) for p in EVIDENCE], WEIGHTS), LAM, model.eos
    )
    first = generate(model, [control]).sequences
    assert torch.equal(generate(model, [control]).sequences, first)


def test_what_does_not_fit_is_refused(triple):
    model, scorer = triple.prior, linear_scorer(triple.prior)
    with pytest.raises(ValueError, match="Give 2 weights"):
        ScorerValues(scorer, model, [[1]])
    with pytest.raises(ValueError, match="at least one"):
        ScorerValues(scorer, model, [], WEIGHTS)
