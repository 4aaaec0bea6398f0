"""Scores against transformers' own forward pass; padding, EOS and lengths must not leak in."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from empirical.scoring import answer_log_prob, score


def oracle(model, prompt, answer, layer):
    """Log-probability and mean hidden state of one answer, alone, in one uncached pass."""
    with torch.inference_mode():
        out = model.network(torch.tensor([[*prompt, *answer]]), output_hidden_states=True)
    log_p = out.logits[0, len(prompt) - 1 : -1].log_softmax(-1).gather(1, torch.tensor(answer)[:, None]).sum()
    words = len(answer) - (answer[-1] == model.eos)
    inside = out.hidden_states[layer][0, len(prompt) : len(prompt) + words]
    return log_p, inside.mean(0) if words else torch.zeros(inside.shape[-1])


@settings(max_examples=25)
@given(data=st.data())
def test_each_answer_as_if_alone(triple, data):
    model = triple.prior
    # Token 0 is EOS and pad at once: it may stand inside an answer, and must count there.
    tokens = st.lists(st.integers(0, 256), min_size=1, max_size=9)
    prompt, answers = data.draw(tokens), data.draw(st.lists(tokens, min_size=1, max_size=5))
    scores = score(model, prompt, answers, layer=1)
    for number, answer in enumerate(answers):
        log_p, features = oracle(model, prompt, answer, 1)
        assert scores.log_prob[number].item() == pytest.approx(log_p.item(), abs=1e-4)  # float32, nine tokens
        torch.testing.assert_close(scores.features[number], features, atol=1e-5, rtol=1e-4)


def test_the_scores_that_gradients_go_through_are_each_answer_s_alone_too(triple):
    model, answers = triple.prior, [[5, 6, 7, 8], [9], [5, 0]]
    expected = [oracle(model, [1, 2], answer, 1)[0].item() for answer in answers]
    found = answer_log_prob(model.network, [1, 2], answers)
    assert found.tolist() == pytest.approx(expected, abs=1e-4)  # float32, four tokens


def test_eos_counts_in_the_sum_but_not_in_the_features(triple):
    model = triple.prior
    open_, closed = [5, 6, 7], [5, 6, 7, model.eos]
    scores = score(model, [1, 2], [open_, closed], layer=1)
    torch.testing.assert_close(scores.features[0], scores.features[1])
    assert scores.log_prob[1] < scores.log_prob[0]


def test_no_layer_no_features(triple):
    assert score(triple.prior, [1], [[2]]).features is None


@pytest.mark.parametrize(("prompt", "answers"), [([], [[1]]), ([1], []), ([1], [[2], []])])
def test_empty_input(triple, prompt, answers):
    with pytest.raises(ValueError, match="at least one"):
        score(triple.prior, prompt, answers)
