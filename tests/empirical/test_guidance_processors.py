"""Guidance inside `generate` against full passes without a cache, transformers' own processor, and planted slips."""

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LogitsProcessorList,
    UnbatchedClassifierFreeGuidanceLogitsProcessor,
)

from empirical.guidance_processors import (
    ClassifierFreeGuidance,
    ClassifierGuidance,
    ControlledDecoding,
    KLGuidedTemperature,
    SecondPass,
    lambda_of,
)
from empirical.logits_processors import AdaptorProcessor, sampling_arguments
from theory.adaptors import local, nucleus
from theory.guidance import classifier_free_guidance, classifier_guidance, controlled, kl_guided_temperature

EVIDENCE = ("The sky is green today. What colour is the sky?", "Cats bark. What do cats do?")
WITHOUT = ("What colour is the sky?", "What do cats do?")
# float32 passes with and without a cache differ by about 1e-5 in log p, which 1 + lambda = 3 multiplies.
CLOSE = 2e-4
# The power 1 / T multiplies that error as it does log p itself: relative to a log p of about 10.
RELATIVE = 1e-5


@pytest.fixture
def model(triple):
    return triple.aligned


def batch(model, copies=1, prompts=EVIDENCE):
    rows = [model.prompt_ids(prompt) for prompt in prompts for _ in range(copies)]
    width = max(map(len, rows))
    ids = torch.tensor([[model.eos] * (width - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def generate(model, processors, steps=8, inputs=None, **more):
    torch.manual_seed(0)
    arguments = sampling_arguments() | {"pad_token_id": model.eos, "eos_token_id": model.eos} | more
    return model.network.generate(
        **(inputs or batch(model)), **arguments, logits_processor=LogitsProcessorList(processors),
        max_new_tokens=steps, return_dict_in_generate=True, output_scores=True,
    )  # fmt: skip


@torch.inference_mode()
def full_pass(model, prompt, answer):
    """log p, [steps, V], of the step after each prefix of an answer, by one pass that no cache or padding enters."""
    logits = model.network(torch.tensor([[*model.prompt_ids(prompt), *answer]])).logits[0]
    return logits[len(model.prompt_ids(prompt)) - 1 : -1].double().log_softmax(-1)


def expected(model, out, rule):
    """(row, found, expected) log-laws [steps, V] of every row up to its end, `rule` of p and p without evidence."""
    start = batch(model)["input_ids"].shape[1]
    copies = len(out.sequences) // len(EVIDENCE)
    for row, tokens in enumerate(out.sequences[:, start:].tolist()):
        answer = tokens[: tokens.index(model.eos) + 1] if model.eos in tokens else tokens
        found = torch.stack([scores[row] for scores in out.scores[: len(answer)]]).double()
        passes = (full_pass(model, prompts[row // copies], answer) for prompts in (EVIDENCE, WITHOUT))
        yield row, found, rule(*passes)


def prompts_without(model):
    return [model.prompt_ids(prompt) for prompt in WITHOUT]


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (
            lambda m: ClassifierFreeGuidance(m.network, prompts_without(m), 2.0),
            lambda p, q: classifier_free_guidance(p, q, 2.0),
        ),
        (
            lambda m: KLGuidedTemperature(m.network, prompts_without(m), 0.5),
            lambda p, q: kl_guided_temperature(p, q, 0.5),
        ),
    ],
    ids=["classifier-free", "kl-guided"],
)
def test_the_second_pass_is_a_full_pass(model, make, rule, copies):
    """Prompts of unequal length on either side, rows that end early beside rows that go on."""
    out = generate(model, [make(model)], inputs=batch(model, copies), steps=12)
    moved = 0.0
    for _, found, wanted in expected(model, out, rule):
        torch.testing.assert_close(found, wanted, atol=CLOSE, rtol=RELATIVE)
    for _, found, plain in expected(model, out, lambda p, q: p):
        moved = max(moved, (found - plain).abs().max().item())
    assert moved > 0.1, "guidance changes the law"


def test_transformers_own_processor_agrees_given_the_whole_prompt(model):
    """guidance_scale = 1 + lambda; their default, the prompt's last token, is another rule."""
    inputs, scale = batch(model, prompts=EVIDENCE[:1]), 1.5
    without = model.prompt_ids(WITHOUT[0])
    ours = ClassifierFreeGuidance(model.network, [without], lambda_of(guidance_scale=scale))
    ids = generate(model, [ours], inputs=inputs, steps=6).sequences

    def laws(processor):
        start = inputs["input_ids"].shape[1]
        with torch.inference_mode():
            logits = model.network(ids).logits
            steps = range(start, ids.shape[1])
            return torch.cat([processor(ids[:, :step], logits[:, step - 1]).log_softmax(-1) for step in steps])

    theirs = UnbatchedClassifierFreeGuidanceLogitsProcessor(scale, model.network, torch.tensor([without]))
    ours = ClassifierFreeGuidance(model.network, [without], lambda_of(guidance_scale=scale))
    assert (laws(ours) - laws(theirs)).abs().max() < CLOSE
    by_default = UnbatchedClassifierFreeGuidanceLogitsProcessor(scale, model.network)
    assert (laws(ours) - laws(by_default)).abs().max() > 0.1


def test_scales_of_other_methods():
    assert lambda_of(guidance_scale=1.0) == lambda_of(alpha=0.0) == lambda_of(strength=1.0) == 0.0
    for wrong in ({}, {"alpha": 1.0, "strength": 2.0}):
        with pytest.raises(ValueError, match="exactly one"):
            lambda_of(**wrong)


def figures(ids, vocabulary=257):
    """Any [n, V] that depends on the whole text so far: a hash of it, in [-1, 0]."""
    seeds = (ids.double() * torch.arange(1, ids.shape[1] + 1)).sum(-1, keepdim=True)
    return -((torch.sin(seeds + torch.arange(vocabulary)) + 1) / 2)


@pytest.mark.parametrize(
    ("make", "rule"), [(ClassifierGuidance, classifier_guidance), (ControlledDecoding, controlled)]
)
def test_callables_see_the_whole_text(model, make, rule):
    out = generate(model, [make(figures, 3.0, model.eos)], inputs=batch(model, 3), steps=12)
    start = batch(model)["input_ids"].shape[1]

    for row, found, plain in expected(model, out, lambda p, q: p):
        u = torch.cat([figures(out.sequences[row : row + 1, : start + step]) for step in range(len(found))])
        assert (found - rule(plain, u, 3.0)).abs().max() < CLOSE
        assert (found - plain).abs().max() > 0.1


@pytest.mark.parametrize("make", [ClassifierGuidance, ControlledDecoding])
@pytest.mark.parametrize("nonsense", [float("nan"), -float("inf"), float("inf")])
def test_what_is_said_of_ended_rows_is_not_read(model, make, nonsense):
    """The other rows' texts are the same whatever the callable makes of an answer that is over."""
    inputs = batch(model, 16)
    start = inputs["input_ids"].shape[1]

    def careless(ids):
        over = (ids[:, start:] == model.eos).any(-1, keepdim=True)
        return torch.where(over, nonsense, figures(ids))

    told = generate(model, [make(careless, 1.0, model.eos)], inputs=inputs, steps=40).sequences
    assert (told[:, start:] == model.eos).any(-1).any(), "the tiny model should end some answers early"
    assert torch.equal(told, generate(model, [make(figures, 1.0, model.eos)], inputs=inputs, steps=40).sequences)
    with pytest.raises(ValueError, match=r"log p \+ u"):
        generate(model, [make(careless, 1.0, eos=10**6)], inputs=inputs, steps=40)


def test_an_adaptor_after_guidance_keeps_mass_of_the_guided_law(model):
    adapt = AdaptorProcessor(nucleus(0.8), record=True)
    out = generate(model, [ClassifierFreeGuidance(model.network, prompts_without(model), 1.0), adapt])
    answers = adapt.answers(out.sequences, model.eos)
    rule = lambda p, q: local(nucleus(0.8), classifier_free_guidance(p, q, 1.0))[1]  # noqa: E731
    for row, _, log_kept in expected(model, out, rule):
        assert answers[row].log_kept == pytest.approx(log_kept.sum().item(), abs=CLOSE * len(log_kept))


def test_a_processor_serves_one_generate_after_another(model):
    guide = ClassifierFreeGuidance(model.network, prompts_without(model), 1.0)
    first = generate(model, [guide]).scores
    generate(model, [guide], steps=3)
    assert all(torch.equal(one, other) for one, other in zip(generate(model, [guide]).scores, first, strict=True))
    # One evidence-free prompt for all rows is the same as that prompt for each.
    shared = ClassifierFreeGuidance(model.network, prompts_without(model)[:1], 1.0)
    each = ClassifierFreeGuidance(model.network, prompts_without(model)[:1] * 2, 1.0)
    assert torch.equal(generate(model, [shared]).sequences, generate(model, [each]).sequences)


def test_a_step_reads_only_what_was_drawn(model, monkeypatch):
    """Each step feeds the drawn token alone, and the law after it is that of the whole text."""
    lengths = []
    original = model.network.forward

    def noted(input_ids, **arguments):
        lengths.append(tuple(input_ids.shape))
        return original(input_ids, **arguments)

    monkeypatch.setattr(model.network, "forward", noted)
    second = SecondPass(model.network, prompts_without(model))
    ids = batch(model)["input_ids"]
    second.log_p(ids)
    longer = torch.cat([ids, torch.tensor([[40], [41]])], dim=1)
    after = second.log_p(longer)
    assert lengths == [(2, max(map(len, prompts_without(model)))), (2, 1)]
    for row, token in enumerate((40, 41)):
        exact = full_pass(model, WITHOUT[row], [token, 0])[-1]
        assert (after[row] - exact).abs().max() < CLOSE
        assert (after[row] - full_pass(model, WITHOUT[row], [0])[-1]).abs().max() > 0.1, "as if nothing was drawn"


def test_positions_do_not_count_padding():
    """A GPT-2, whose positions are absolute: a shifted row has another law, by far more than rounding."""
    size = {"n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": 30, "n_positions": 40}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = GPT2LMHeadModel(GPT2Config(**size, initializer_range=0.5, bos_token_id=0, eos_token_id=0)).eval()
    prompts, answer = [[3, 4, 5, 6, 7, 8], [9, 10]], [11, 12]
    second = SecondPass(network, prompts)
    for steps in range(3):
        ids = torch.tensor([[1, 2, *answer[:steps]]] * 2)
        found = second.log_p(ids)
        for row, prompt in enumerate(prompts):
            with torch.inference_mode():
                exact = network(torch.tensor([[*prompt, *answer[:steps]]])).logits[0, -1].double().log_softmax(-1)
            assert (found[row] - exact).abs().max() < CLOSE


def test_beams_are_refused(model):
    guide = ClassifierFreeGuidance(model.network, [model.prompt_ids(WITHOUT[0])], 1.0)
    with pytest.raises(ValueError, match="beam search"):
        generate(model, [guide], num_beams=4)


@pytest.mark.parametrize("prompts", [[], [[]], [[1, 2], []]])
def test_empty_prompts_are_refused(model, prompts):
    with pytest.raises(ValueError, match="at least one"):
        SecondPass(model.network, prompts)


def test_rows_that_cannot_share_are_refused(model):
    guide = KLGuidedTemperature(model.network, [[1]] * 3, 1.0)
    with pytest.raises(ValueError, match="3 prompts of the second pass cannot be shared by 2 rows"):
        generate(model, [guide])
