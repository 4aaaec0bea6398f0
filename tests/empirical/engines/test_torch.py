"""The sampler against full forward passes, exact enumeration, and planted slips."""

from functools import cache

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax

from empirical.engines.jobs import Job, answers
from empirical.engines.portable import PortableEngine
from empirical.engines.torch import TorchEngine, engine, sample
from empirical.randomness import uniforms
from empirical.schemes import study_schemes
from tests.empirical.engines.laws import follows, seed_from, tiny
from tests.statistical.randomised import Randomised
from theory.adaptors import ancestral, local, top_k

PROMPT = "Name a fruit."


def jobs_for(model, schemes, samples, steps, prompt=PROMPT):
    ids = tuple(model.prompt_ids(prompt))
    return [
        Job(ids, scheme.adaptor, uniforms(0, prompt, scheme.name, number, steps))
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
    for number, answer in enumerate(sample(model, jobs_for(model, schemes, 2, 10))):
        recorded = (answer.log_proposal, answer.log_kept, answer.log_model)
        # float32 sums over at most ten tokens; 1e-4 is far below any slip of a token or a temperature
        assert recorded == pytest.approx(recompute(model, prompt, answer, schemes[number // 2].adaptor), abs=1e-4)
        assert answer.finished == (answer.token_ids[-1] == model.eos)
        assert model.eos not in answer.token_ids[:-1]


@pytest.mark.parametrize("rows", [1, 3, 8, 64])
def test_answers_do_not_depend_on_their_neighbours(triple, rows):
    """Four prompts of different lengths in every batch; whatever the batch, the texts are those drawn alone."""
    model, schemes = triple.aligned, study_schemes()[::6]
    jobs = [job for prompt in ("a", "Name a fruit.", "bb", "Why?") for job in jobs_for(model, schemes, 2, 8, prompt)]
    alone = [sample(model, [job])[0] for job in jobs]
    together = answers(engine(model, max(job.longest for job in jobs), rows), jobs)
    assert [answer.token_ids for answer in together] == [answer.token_ids for answer in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.log_proposal == pytest.approx(other.log_proposal, abs=1e-4)  # float32, another batch height


def test_the_portable_engine_draws_the_same_texts(triple):
    model = triple.aligned
    jobs = [job for prompt in ("x", PROMPT) for job in jobs_for(model, study_schemes(), 2, 8, prompt)]
    fast = engine(model, max(job.longest for job in jobs))
    assert isinstance(fast, TorchEngine)
    ours, theirs = answers(fast, jobs), answers(PortableEngine(model, rows=7), jobs)
    assert [answer.token_ids for answer in ours] == [answer.token_ids for answer in theirs]
    for one, other in zip(ours, theirs, strict=True):
        for name in ("log_proposal", "log_kept", "log_model"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-4)  # float32


def test_a_model_that_the_fast_decoder_does_not_compute_goes_the_portable_way(triple, monkeypatch):
    monkeypatch.setattr(triple.prior.network.config, "sliding_window", 4, raising=False)
    assert isinstance(engine(triple.prior, 20), PortableEngine)


def test_the_batch_stays_full(triple, monkeypatch):
    """Rows of a step: as many as there are slots, until no job waits."""
    model = triple.aligned
    jobs = jobs_for(model, study_schemes(), 4, 12)
    sampler = engine(model, jobs[0].longest, rows=8)
    heights = []
    original = sampler.decoder.logits
    monkeypatch.setattr(sampler.decoder, "logits", lambda states: heights.append(len(states)) or original(states))
    lengths = [len(answer.token_ids) for answer in answers(sampler, jobs)]
    assert sum(heights) == sum(lengths), "no row is computed that no text needs"
    ragged = [height for height in heights if height < 8]
    assert len(ragged) <= 12, "only the last texts run in a batch that is not full"


def test_a_prompt_is_read_once(triple, monkeypatch):
    model = triple.aligned
    jobs = [job for prompt in ("one", "two") for job in jobs_for(model, study_schemes(), 3, 6, prompt)]
    sampler = engine(model, max(job.longest for job in jobs), rows=5)
    read = []
    original = sampler.decoder.read
    monkeypatch.setattr(sampler.decoder, "read", lambda prompt: read.append(tuple(prompt)) or original(prompt))
    answers(sampler, jobs)
    assert read == [jobs[0].prompt, jobs[-1].prompt]


def test_bfloat16_records_the_law_that_drew(triple):
    """A bfloat16 body draws from another law; what it records is that law's own, far from float32's but consistent."""
    model = triple.aligned
    [job, *_] = jobs_for(model, study_schemes(), 1, 10)
    [coarse] = answers(engine(model, job.longest, 1, torch.bfloat16), [job])
    assert coarse.log_model == coarse.log_proposal
    assert coarse.log_kept == pytest.approx(0, abs=1e-9)
    assert coarse.log_model != pytest.approx(
        recompute(model, model.prompt_ids(PROMPT), coarse, job.adaptor)[2], abs=1e-6
    )


@cache
def first_law():
    """log p of the first token."""
    with torch.inference_mode():
        logits = tiny().network(torch.tensor([tiny().prompt_ids(PROMPT)])).logits
    return log_softmax(logits[0, -1].double(), dim=-1)


def first_tokens(rng, rule=None):
    """4,000 first tokens."""
    prompt, seed = tuple(tiny().prompt_ids(PROMPT)), seed_from(rng)
    jobs = [Job(prompt, rule or ancestral(), uniforms(seed, PROMPT, "law", number, 1)) for number in range(4_000)]
    return [answer.token_ids[0] for answer in sample(tiny(), jobs)]


FIRST = Randomised(
    __name__,
    "the first token follows its law",
    draw=first_tokens,
    judge=lambda drawn: follows(drawn, first_law().exp().numpy()),
    planted={
        "top-k = 50": lambda rng: rng.choice(257, 4_000, p=local(top_k(50), first_law())[0].exp().numpy()),
        "T = 1.3": lambda rng: rng.choice(257, 4_000, p=(first_law() / 1.3).softmax(-1).numpy()),
    },
    sample="4,000 tokens of 257, a mixture of Dirichlet laws against theirs",
)


def test_first_token_follows_its_law():
    FIRST.hold()


def test_finished_rows_leave_and_the_rest_go_on(triple):
    model = triple.aligned
    drawn = sample(model, jobs_for(model, study_schemes(), 8, 24))
    assert len({len(answer.token_ids) for answer in drawn}) > 2, "the tiny model should end some answers early"
    assert all(answer.finished or len(answer.token_ids) == 24 for answer in drawn)


@pytest.mark.parametrize(("prompt", "steps", "what"), [((), 3, "prompt"), ((1,), 0, "new tokens")])
def test_impossible_jobs(prompt, steps, what):
    with pytest.raises(ValueError, match=what):
        Job(prompt, ancestral(), np.zeros(steps))


@pytest.mark.parametrize("make", [engine, lambda model, longest: PortableEngine(model)])
def test_nan_logits_are_refused(triple, monkeypatch, make):
    model = triple.prior
    jobs = jobs_for(model, study_schemes()[:1], 1, 2)
    sampler = make(model, jobs[0].longest)
    broken = lambda states: torch.full((*states.shape[:-1], 257), float("nan"))  # noqa: E731
    if isinstance(sampler, TorchEngine):
        monkeypatch.setattr(sampler.decoder, "logits", broken)
    else:
        monkeypatch.setattr(model.network.get_output_embeddings(), "forward", broken)
    with pytest.raises(ValueError, match="NaN"):
        answers(sampler, jobs)


def test_strict_texts_are_the_same_to_the_last_bit(triple):
    model = triple.aligned
    jobs = [job for prompt in ("a", "Name a fruit.") for job in jobs_for(model, study_schemes()[::4], 2, 8, prompt)]
    longest = max(job.longest for job in jobs)
    drawn = [answers(engine(model, longest, rows, strict=True), jobs) for rows in (1, 3, 64)]
    assert drawn[0] == drawn[1] == drawn[2]
    loose = answers(engine(model, longest, 64), jobs)
    assert [answer.token_ids for answer in loose] == [answer.token_ids for answer in drawn[0]]


def test_strict_is_refused_where_it_cannot_be_kept(triple, monkeypatch):
    monkeypatch.setattr(triple.prior.network.config, "sliding_window", 4, raising=False)
    with pytest.raises(ValueError, match="strict"):
        engine(triple.prior, 20, strict=True)


def test_compiled_blocks_draw_the_same_texts(triple, monkeypatch):
    """torch.compile's own tracer runs; the code generator, which needs a C++ compiler, does not."""
    original = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, **options: original(function, backend="eager", **options))
    jobs = jobs_for(triple.aligned, study_schemes()[::6], 1, 4)
    compiled = answers(engine(triple.aligned, jobs[0].longest, compiled=True), jobs)
    assert [answer.token_ids for answer in compiled] == [answer.token_ids for answer in sample(triple.aligned, jobs)]
