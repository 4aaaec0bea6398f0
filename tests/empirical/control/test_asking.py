"""Requests that make no sense are refused in one sentence; randomness is keyed by all that names a draw."""

import numpy as np
import pytest

from empirical.control import BlockJob, Control, block_jobs, blockwise, token_jobs, tokenwise
from empirical.engines.jobs import Job, answers
from empirical.engines.portable import PortableEngine
from empirical.engines.torch import engine
from tests.empirical.enumerated import LinearScorer
from theory.adaptors import ancestral


def refused(what, match):
    with pytest.raises(ValueError, match=match) as problem:
        what()
    message = str(problem.value)
    assert message.endswith(".")
    assert ". " not in message, "one sentence"


@pytest.mark.parametrize("K", [0, -1, 1.5])
def test_candidates(six, K):  # noqa: N803
    refused(lambda: block_jobs(six, "a", 1, 3, K), "K must be an integer >= 1")


@pytest.mark.parametrize("M", [0, -1, 2.0])
def test_block_sizes(six, M):  # noqa: N803
    refused(lambda: block_jobs(six, "a", 1, 3, 2, M), "M must be an integer >= 1")
    refused(lambda: BlockJob((1,), "a", ancestral(), np.zeros((2, 3)), M), "M must be an integer >= 1")


def test_no_candidate_at_all():
    refused(lambda: BlockJob((1,), "a", ancestral(), np.zeros((0, 3)), 1), "K must be")


@pytest.mark.parametrize("lam", [float("nan"), float("inf"), -float("inf")])
def test_lambdas(lam):
    refused(lambda: Control(lam), "lambda must be a finite number")
    refused(lambda: Control(1.0, (1.0, lam)), "weights must be finite")


def test_no_weights_and_no_steps(six):
    refused(lambda: Control(1.0, ()), "weights")
    refused(lambda: block_jobs(six, "a", 1, 0, 2, 1), "new tokens must be >= 1")


def test_weights_for_other_rewards(six, scorer):
    refused(lambda: tokenwise(six, scorer, token_jobs(six, "a", 1, 3, Control(1.0))), "Give 2 weights")
    refused(lambda: blockwise(six, scorer, block_jobs(six, "a", 1, 3, 2, 1)), "Give 2 weights")


@pytest.mark.parametrize("make", [engine, lambda model, longest: PortableEngine(model)])
def test_control_without_a_scorer(six, make):
    jobs = [Job((1, 2), ancestral(), np.full(3, 0.5), Control(1.0))]
    refused(lambda: answers(make(six, 9), jobs), "needs a prefix scorer")


def test_a_scorer_of_another_model(six, other, triple, scorer):
    jobs = token_jobs(other, "a", 1, 3, Control(1.0, (1.0, 1.0)))
    refused(lambda: tokenwise(other, scorer, jobs), "states of another model")
    refused(lambda: tokenwise(triple.prior, scorer, jobs, base=six), "different tokenizers")
    narrow = LinearScorer(scorer.weight[..., :5], six.sha256)
    refused(lambda: tokenwise(six, narrow, jobs), "values 5 tokens")


def test_strict_needs_decoders_of_both(six, other, scorer, monkeypatch):
    monkeypatch.setattr(six.network.config, "sliding_window", 4, raising=False)
    jobs = token_jobs(other, "a", 1, 3, Control(1.0, (1.0, 1.0)))
    refused(lambda: tokenwise(other, scorer, jobs, base=six, strict=True), "strict mode")


def test_uniforms_are_keyed_by_candidate_sample_scheme_prompt_and_seed(six):
    def keyed(prompt="a", scheme="s", seed=0):
        return np.stack([job.uniforms for job in block_jobs(six, prompt, 2, 5, 3, 2, scheme=scheme, seed=seed)])

    variants = [keyed(), keyed("b"), keyed(scheme="t"), keyed(seed=1)]
    assert len(np.unique(np.concatenate([one.ravel() for one in variants]))) == 4 * 2 * 3 * 5, "no number twice"
    [first, *_] = block_jobs(six, "a", 2, 5, 3, 2, scheme="s")
    [plain, *_] = token_jobs(six, "a", 2, 5, scheme="s")
    assert np.array_equal(first.uniforms[0], plain.uniforms), "the first candidate is the plain sample"
    [more, *_] = block_jobs(six, "a", 2, 9, 4, 3, scheme="s")
    assert np.array_equal(more.uniforms[:3, :5], first.uniforms)
