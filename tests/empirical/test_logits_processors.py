"""Adaptors inside `generate`: the law, its record, and what a checkpoint must not slip in."""

import copy
import inspect
import re
from dataclasses import replace
from functools import partial

import pytest
import torch
from transformers import GenerationConfig, GenerationMixin, LogitsProcessorList, WatermarkingConfig

from empirical.engines.jobs import Job
from empirical.engines.torch import sample
from empirical.logits_processors import AdaptorProcessor, Growing, sampling_arguments
from empirical.randomness import uniforms
from empirical.schemes import study_schemes
from empirical.semantics import sampler
from tests.empirical.engines.laws import follows, seed_from, tiny
from tests.statistical.randomised import Randomised
from theory.adaptors import Adaptor, ancestral, compose, local, nucleus, temperature, top_k

PROMPTS = ("Name a fruit.", "Why?")
RULES = [scheme.adaptor for scheme in study_schemes()[::4]] + [compose(nucleus(0.8), temperature(1.7))]
# Everything a generation_config.json could hold that would change the law, the loop or its length.
HOSTILE = {
    "do_sample": False, "temperature": 0.3, "top_k": 2, "top_p": 0.4, "min_p": 0.2, "top_h": 0.5, "typical_p": 0.3,
    "epsilon_cutoff": 0.01, "eta_cutoff": 0.02, "repetition_penalty": 3.0, "no_repeat_ngram_size": 1,
    "bad_words_ids": [[5], [6]], "suppress_tokens": [7, 8], "begin_suppress_tokens": [9], "min_length": 500,
    "min_new_tokens": 500, "forced_eos_token_id": 3, "forced_bos_token_id": 4, "sequence_bias": [[[10], 9.0]],
    "exponential_decay_length_penalty": (1, 2.0), "remove_invalid_values": True, "renormalize_logits": True,
    "guidance_scale": 2.5, "num_beams": 3, "penalty_alpha": 0.6, "prompt_lookup_num_tokens": 3,
    "watermarking_config": WatermarkingConfig(bias=5.0),
}  # fmt: skip


def batch(model, prompts=PROMPTS, copies=1):
    """Left-padded ids and mask of some prompts, as a user's tokenizer gives them."""
    rows = [model.prompt_ids(prompt) for prompt in prompts for _ in range(copies)]
    width = max(map(len, rows))
    ids = torch.tensor([[model.eos] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def generate(model, processors, max_new_tokens=10, inputs=None, seed=0, unsaid=(), **more):
    torch.manual_seed(seed)
    neutral = {name: value for name, value in sampling_arguments().items() if name not in unsaid}
    arguments = neutral | {"pad_token_id": model.eos, "eos_token_id": model.eos} | more
    return model.network.generate(
        **(inputs or batch(model)), **arguments, logits_processor=list(processors), max_new_tokens=max_new_tokens
    )


@torch.inference_mode()
def full_pass(model, prompt, tokens):
    """Log-probabilities [steps, V] of an answer's steps by one uncached pass."""
    logits = model.network(torch.tensor([[*prompt, *tokens]])).logits[0, len(prompt) - 1 : -1]
    return logits.double().log_softmax(-1)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_record_is_the_law_of_the_text(triple, rule):
    """Left-padded prompts of unequal length; each figure again from a full pass over the text alone."""
    model, processor = triple.aligned, AdaptorProcessor(rule, record=True)
    sequences = generate(model, [processor], inputs=batch(model, copies=4))
    answers = processor.answers(sequences, eos=model.eos)
    assert processor.log_kept.shape == (8, sequences.shape[1] - batch(model)["input_ids"].shape[1])
    for row, answer in enumerate(answers):
        prompt = model.prompt_ids(PROMPTS[row // 4])
        log_p = full_pass(model, prompt, answer.token_ids)
        log_q, log_kept = local(rule, log_p)
        tokens = torch.tensor(answer.token_ids)[:, None]
        # float32 sums over at most ten tokens; 1e-4 is far below any slip of a token or a temperature
        assert answer.log_proposal == pytest.approx(log_q.gather(1, tokens).sum().item(), abs=1e-4)
        assert answer.log_kept == pytest.approx(log_kept.sum().item(), abs=1e-4)
        assert answer.log_model == pytest.approx(log_p.gather(1, tokens).sum().item(), abs=1e-4)
        assert answer.finished == (answer.token_ids[-1] == model.eos)
        assert model.eos not in answer.token_ids[:-1]
    assert len({len(answer.token_ids) for answer in answers}) > 1 or all(not answer.finished for answer in answers)


def test_generate_draws_from_the_engines_law(triple):
    """The engine's texts, told to the processor token by token, get the engine's figures."""
    model = triple.aligned
    for rule in RULES:
        prompt = tuple(model.prompt_ids(PROMPTS[0]))
        jobs = [Job(prompt, rule, uniforms(0, PROMPTS[0], rule.name, number, 6)) for number in range(3)]
        for engine in sample(model, jobs):
            processor, ids = AdaptorProcessor(rule, record=True), torch.tensor([[*prompt, *engine.token_ids]])
            with torch.inference_mode():
                logits = model.network(ids).logits.float()
            for step in range(len(prompt), ids.shape[1]):
                processor(ids[:, :step], logits[:, step - 1])
            [answer] = processor.answers(ids, model.eos)
            assert (answer.token_ids, answer.finished) == (engine.token_ids, engine.finished)
            for name in ("log_proposal", "log_kept", "log_model"):
                assert getattr(answer, name) == pytest.approx(getattr(engine, name), abs=1e-4)  # float32, as above


def opening():
    """Two tokens of a prompt: what draws have to run through 4,000 times is as short as can be."""
    return tiny().prompt_ids(PROMPTS[0])[:2]


def first_tokens(rng, **more):
    """4,000 first tokens of `generate`."""
    inputs = {"input_ids": torch.tensor([opening()] * 4_000)}
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    processors = [AdaptorProcessor(ancestral())]
    return generate(tiny(), processors, 1, inputs, seed=seed_from(rng), **more)[:, -1].numpy()


FIRST = Randomised(
    __name__,
    "first tokens of generate follow the law",
    draw=first_tokens,
    judge=lambda drawn: follows(drawn, full_pass(tiny(), opening(), [0])[0].exp().numpy()),
    planted={
        "its own top_k = 50": partial(first_tokens, unsaid=["top_k"]),
        "temperature 1.3": partial(first_tokens, temperature=1.3),
    },
    sample="4,000 tokens of 257, a mixture of Dirichlet laws against theirs",
)


def test_first_tokens_follow_the_law_and_not_the_defaults():
    FIRST.hold()


@pytest.fixture
def hostile(triple):
    """The tiny model with a generation config that changes all it can."""
    network = copy.deepcopy(triple.aligned.network)
    for name, value in HOSTILE.items():
        setattr(network.generation_config, name, value)
    return replace(triple.aligned, network=network)


def test_a_hostile_generation_config_changes_nothing(triple, hostile):
    ours = [generate(model, [AdaptorProcessor(nucleus(0.9))]).tolist() for model in (triple.aligned, hostile)]
    assert ours[0] == ours[1]


# penalty_alpha needs a top_k > 1 beside it, and is in the test above.
@pytest.mark.parametrize("name", sorted(set(HOSTILE) - {"penalty_alpha"}))
def test_each_hostile_setting_alone_is_overridden(triple, monkeypatch, name):
    """The processors `generate` would run: ours alone with our arguments, and another list or loop without."""
    network = triple.aligned.network
    config = copy.deepcopy(network.generation_config)
    setattr(config, name, HOSTILE[name])
    monkeypatch.setattr(network, "generation_config", config)

    def prepared(arguments):
        made, _ = network._prepare_generation_config(None, **arguments)
        network._prepare_special_tokens(made, device="cpu")
        ours = LogitsProcessorList([AdaptorProcessor(nucleus(0.9))])
        built = network._get_logits_processor(made, input_ids_seq_length=3, logits_processor=ours, device="cpu")
        return [type(one).__name__ for one in built], made.get_generation_mode(), made.do_sample

    neutral = prepared(sampling_arguments())
    assert neutral == (["AdaptorProcessor"], "sample", True)
    assert prepared({key: value for key, value in sampling_arguments().items() if key != name}) != neutral


def test_no_setting_that_adds_a_processor_is_forgotten():
    """Every field that transformers' own list reads is ours to set, or none of a rule's business."""
    read = set(re.findall(r"generation_config\.(\w+)", inspect.getsource(GenerationMixin._get_logits_processor)))
    assert read - set(sampling_arguments()) == {"use_cache", "max_length", "_eos_token_tensor"}
    assert set(sampling_arguments()) <= set(vars(GenerationConfig()))


def test_a_new_generate_begins_a_new_record(triple):
    model, processor = triple.aligned, AdaptorProcessor(top_k(30), record=True)
    first = generate(model, [processor], 6, seed=1)
    once = processor.answers(first, model.eos)
    generate(model, [processor], 4, seed=2)
    again = generate(model, [processor], 6, seed=1)
    assert torch.equal(first, again)
    assert processor.answers(again, model.eos) == once
    assert processor.log_kept.shape == (2, again.shape[1] - batch(model)["input_ids"].shape[1])


def test_rows_that_have_ended_add_nothing(triple):
    """pad = eos: what `generate` appends to an ended row is not part of its answer."""
    model, processor = triple.aligned, AdaptorProcessor(sampler(T=1.5), record=True)
    inputs = batch(model, copies=32)
    sequences = generate(model, [processor], 40, inputs)
    answers = processor.answers(sequences, model.eos)
    ended = [row for row, answer in enumerate(answers) if answer.finished]
    assert ended, "the tiny model should end some answers early"
    for row in ended:
        steps = len(answers[row].token_ids)
        assert answers[row].log_kept == pytest.approx(processor.log_kept[row, :steps].sum().item(), abs=1e-12)
        assert (sequences[row, inputs["input_ids"].shape[1] + steps :] == model.eos).all()
    several = processor.answers(sequences, [model.eos, 40])
    assert all(model.eos not in answer.token_ids[:-1] and 40 not in answer.token_ids[:-1] for answer in several)


def test_an_engines_ties(triple):
    """Equal scores: the paper's top-2 keeps two tokens, transformers' keeps all."""
    ids, scores = torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, 4)
    kept = {name: AdaptorProcessor(top_k(2), name)(ids, scores).isfinite().sum().item() for name in ("paper", "hf")}
    assert kept == {"paper": 2, "hf": 4}
    assert AdaptorProcessor(top_k(2))(ids, scores.bfloat16()).dtype == torch.bfloat16


def test_beams_are_refused(triple):
    with pytest.raises(ValueError, match="beam search"):
        generate(triple.aligned, [AdaptorProcessor(ancestral(), record=True)], num_beams=4)


def test_growing_batches():
    growing, ids = Growing(), torch.tensor([[1, 2], [1, 3]])
    longer = torch.cat([ids, torch.tensor([[0], [7]])], 1)
    assert growing.begins(ids)
    assert not growing.begins(longer)
    assert growing.ended((0,)).tolist() == [True, False]
    assert growing.ended((7, 0)).tolist() == [True, True]
    assert growing.begins(longer), "the same ids again"
    assert growing.begins(torch.cat([longer[:1], torch.tensor([[5]])], 1)), "another number of rows"
    assert growing.begins(torch.tensor([[9, 9, 9, 9, 9]])), "another prompt of the right length"
    assert not growing.ended((9,)).any(), "an end token in the prompt ends nothing"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, ids: p.answers(ids[:1], 0), "not the ones whose drawing"),
        (lambda p, ids: p.answers(ids[:, :3], 0), "not the ones whose drawing"),
        (lambda p, ids: p.answers(torch.cat([ids, ids], 1), 0), "not the ones whose drawing"),
        (lambda p, ids: p.answers(ids + 1, 0), "differ from the ones"),
        (lambda p, ids: AdaptorProcessor(ancestral()).answers(ids, 0), "record=True"),
        (lambda p, ids: AdaptorProcessor(Adaptor("mine", lambda log_p: log_p), "hf"), "mine does not say"),
        (lambda p, ids: p(ids, torch.full((2, 4), float("nan"))), "NaN"),
    ],
)
def test_impossible_requests(call, message):
    processor, ids = AdaptorProcessor(ancestral(), record=True), torch.tensor([[1, 2, 3], [1, 2, 3]])
    processor(ids, torch.zeros(2, 4))
    with pytest.raises(ValueError, match=message):
        call(processor, torch.cat([ids, torch.tensor([[1], [2]])], 1))


def test_nothing_recorded_is_empty():
    assert AdaptorProcessor(ancestral()).log_kept.shape == (0, 0)
