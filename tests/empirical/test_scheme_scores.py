"""Texts at hand under every scheme, on a model whose every text can be listed."""

from functools import cache, partial
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

from empirical.engines.jobs import Job
from empirical.engines.torch import sample
from empirical.models import LanguageModel
from empirical.prediction import Corpus, predict
from empirical.scheme_scores import score_schemes
from empirical.schemes import study_schemes
from tests.statistical.p_values import bennett
from tests.statistical.randomised import Randomised
from theory.adaptors import ancestral, compose, local, locally_typical, min_p, nucleus, temperature, top_k

EOS, V, LONGEST, PROMPT = 0, 5, 3, (3, 1, 4)
# The study's own parameters cut little of five tokens; these cut some at nearly every step.
ADAPTORS = [
    *(scheme.adaptor for scheme in study_schemes()[::4]),
    top_k(2),
    compose(temperature(0.5), top_k(3)),
    nucleus(0.6),
    compose(temperature(1.5), nucleus(0.7)),
    locally_typical(0.5),
    min_p(0.4),
    compose(top_k(4), temperature(0.8)),
]
# Every answer that a sampler can give: it ends with EOS, or is cut after three tokens.
ANSWERS = [
    [*words, *end]
    for length in range(LONGEST + 1)
    for words in product(range(1, V), repeat=length)
    for end in ([[]] if length == LONGEST else [[EOS]])
]


def model(kind, **settings):
    """A random model of five tokens, sharp enough for truncations to differ, in float64."""
    sizes = {"vocab_size": V, "bos_token_id": None, "eos_token_id": EOS, "pad_token_id": EOS, "initializer_range": 0.6}
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = AutoModelForCausalLM.from_config(kind(**sizes, **settings)).double().eval().requires_grad_(False)
    return LanguageModel("five", network, SimpleNamespace(eos_token_id=EOS), "")


LLAMA = model(
    LlamaConfig, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1
)
GPT2 = model(GPT2Config, n_embd=16, n_layer=2, n_head=2, n_positions=32)


@pytest.fixture(scope="module", params=[LLAMA, GPT2], ids=["llama", "gpt2"])
def scored(request):
    return request.param, score_schemes(request.param, PROMPT, ANSWERS, ADAPTORS)


def test_the_probabilities_of_all_answers_sum_to_one(scored):
    _, scores = scored
    np.testing.assert_allclose(np.exp(scores.log_model).sum(), 1, atol=1e-10)
    np.testing.assert_allclose(np.exp(scores.log_proposal).sum(axis=1), 1, atol=1e-10)
    cut = np.isneginf(scores.log_proposal).mean(axis=1)
    assert (cut > 0.2).sum() >= 5, "some of the rules must cut, or the test shows little"


def test_each_step_is_theorys(scored):
    model, scores = scored
    for row in (0, 3, 40, len(ANSWERS) - 1):
        ids = torch.tensor([[*PROMPT, *ANSWERS[row]]])
        log_p = model.network(ids).logits[0, len(PROMPT) - 1 : -1].log_softmax(-1).numpy()
        for k, adaptor in enumerate(ADAPTORS):
            log_q, log_kept = local(adaptor, log_p)
            steps = np.arange(len(ANSWERS[row]))
            # 1e-5: transformers turns positions by float32 angles even in a float64 network.
            assert scores.log_proposal[k, row] == pytest.approx(log_q[steps, ANSWERS[row]].sum(), abs=1e-5)
            assert scores.log_kept[k, row] == pytest.approx(log_kept.sum(), abs=1e-5)


def test_it_is_what_the_engine_recorded_while_drawing():
    uniforms = np.random.default_rng(0).random((8, LONGEST))
    for k, adaptor in enumerate(ADAPTORS):
        drawn = sample(LLAMA, [Job(PROMPT, adaptor, u) for u in uniforms])
        scores = score_schemes(LLAMA, PROMPT, [answer.token_ids for answer in drawn], ADAPTORS)
        for name, figures in (("log_proposal", scores.log_proposal[k]), ("log_kept", scores.log_kept[k])):
            np.testing.assert_allclose(figures, [getattr(answer, name) for answer in drawn], atol=1e-9)
        np.testing.assert_allclose(scores.log_model, [answer.log_model for answer in drawn], atol=1e-9)


@pytest.mark.parametrize(("prompt", "answers"), [([], [[1]]), ([1], []), ([1], [[2], []])])
def test_empty_input(prompt, answers):
    with pytest.raises(ValueError, match="at least one"):
        score_schemes(LLAMA, prompt, answers, ADAPTORS)


RULES = [scheme.adaptor for scheme in study_schemes()] + [top_k(3), nucleus(0.7), temperature(0.8)]
COUNT = 2000


@cache
def everything():
    """The scores of all answers, and their log p and length [2, answers]."""
    scores = score_schemes(LLAMA, PROMPT, ANSWERS, RULES)
    return scores, np.stack([scores.log_model, list(map(len, ANSWERS))])


@cache
def targets(kept):
    """E_q[f] under each scheme [K, 2], the local law's (kept = 0) or the global one's (1)."""
    scores, values = everything()
    target = scores.log_proposal + kept * scores.log_kept
    return np.exp(target - np.logaddexp.reduce(target, axis=1, keepdims=True)) @ values.T


def weighted_gaps(scores, values, kept, shift=0):
    """w (f - E_q f) of each text [K, 2, texts], of mean 0 under the model; shift: planted, of another scheme."""
    log_w = np.roll(scores.log_proposal + kept * scores.log_kept, shift, axis=0) - scores.log_model
    return np.exp(log_w)[:, None] * (values - targets(kept)[..., None])


def foretold(rng, shift=0):
    """The mean gap of each figure that 2,000 texts of the engine foretell, by `predict`, under both laws: [2, K, 2]."""
    jobs = [Job(PROMPT, ancestral(), u) for u in rng.random((COUNT, LONGEST))]
    texts = [answer.token_ids for answer in sample(LLAMA, jobs)]
    scores = score_schemes(LLAMA, PROMPT, texts, RULES)
    values = np.stack([scores.log_model, list(map(len, texts))])
    corpus, found = Corpus(scores.log_model[None], values[:, None]), []
    for kept, law in enumerate(("local", "global")):
        log_w = np.roll(scores.log_proposal + kept * scores.log_kept, shift, axis=0) - scores.log_model
        shifts = predict(corpus, log_w[:, None], law).shifts(np.ones(1))
        # The covariance is the unbiased one; with n in the place of n - 1 the mean is the self-normalised one.
        means = values.mean(axis=1) + shifts * (COUNT - 1) / COUNT
        found.append((means - targets(kept)) * np.exp(log_w).mean(axis=1)[:, None])
    return np.array(found)


def foretelling(gaps):
    """Bennett, with the variance and the reach of w (f - E_q f) over all answers."""
    scores, values = everything()
    every = np.stack([weighted_gaps(scores, values, kept) for kept in (0, 1)])
    p = np.exp(scores.log_model)
    np.testing.assert_allclose(every @ p, 0, atol=1e-9)
    reach, variance = np.abs(every).max(axis=-1), every**2 @ p
    live = variance > 1e-12
    return bennett(np.repeat(gaps[live][:, None], COUNT, axis=1), reach[live], variance[live], 0)


FORETOLD = Randomised(
    __name__,
    "ancestral texts foretell every scheme",
    draw=foretold,
    judge=foretelling,
    planted={"the weights of another scheme": partial(foretold, shift=1)},
    sample="2,000 texts, 34 schemes, two laws, two figures, Bennett",
)


def test_drawn_ancestral_texts_foretell_every_scheme():
    """Against the exact means of their length and of log p, under both laws."""
    FORETOLD.hold()
