"""Where there is a graphics card: it draws and scores what the processor does, and its float32 is float32.

`pytest tests/empirical/test_accelerator.py`; without a card everything here is skipped.
"""

import pytest
import torch

from empirical import precision
from empirical.control import Control, token_jobs, tokenwise
from empirical.engines.drawing import FEW
from empirical.engines.jobs import Job, answers
from empirical.engines.portable import PortableEngine
from empirical.engines.torch import engine
from empirical.errors import InputError
from empirical.guidance import Guidance, guided, guided_jobs
from empirical.models import load
from empirical.randomness import uniforms
from empirical.schemes import study_schemes
from empirical.scoring import score
from empirical.tiny import tiny_triple
from tests.empirical.enumerated import linear_scorer
from tests.empirical.six_words import six_words

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card")
CLOSE = 1e-4  # float32 sums over at most ten tokens, in another order; a wrong token or temperature is far above
TEXTS = [[7, 8, 9, 10], [3], [200, 100], [4] * 40]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The tiny prior on the processor and on the card."""
    return [tiny_triple(tmp_path_factory.mktemp(kind), kind)[0] for kind in ("cpu", "cuda")]


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """The six-word Llama on the processor and on the card."""
    there = tmp_path_factory.mktemp("six")
    return six_words(there), load(there, "cuda", "six-words")


def jobs(model, samples=3, steps=10, schemes=31):
    return [
        Job(tuple(model.prompt_ids(prompt)), scheme.adaptor, uniforms(0, prompt, scheme.name, number, steps))
        for prompt in ("Why?", "Name a fruit.")
        for scheme in study_schemes()[:schemes]
        for number in range(samples)
    ]


def alike(found, expected, *figures):
    """The same texts, their sums as close as float32 is."""
    assert [answer.token_ids for answer in found] == [answer.token_ids for answer in expected]
    for one, other in zip(found, expected, strict=True):
        for figure in ("log_proposal", "log_kept", "log_model", *figures):
            assert getattr(one, figure) == pytest.approx(getattr(other, figure), abs=CLOSE)


def test_float32_is_float32_on_the_card():
    before = torch.get_float32_matmul_precision()
    try:
        precision.use_fast_float32()
        assert precision.relative_error("cuda") < precision.FLOAT32_ERROR
        torch.set_float32_matmul_precision("high")
        assert precision.relative_error("cuda") > precision.FLOAT32_ERROR, "TF32 would be noticed"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("schemes", [31, FEW - 1])  # fetched for the processor's kernel, and drawn on the card
@pytest.mark.parametrize("rows", [5, 64])
@pytest.mark.parametrize("made", [engine, lambda model, _longest, rows: PortableEngine(model, rows)])
def test_every_scheme_draws_the_texts_that_the_processor_draws(pair, made, rows, schemes):
    here, there = (answers(made(one, 64, rows), jobs(one, schemes=schemes)) for one in pair)
    alike(there, here)


# Torch's code generator uses what torch deprecates, and proposes TF32.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:TensorFloat32 tensor cores:UserWarning")
def test_compiled_it_draws_the_same(pair):
    here, there = (answers(engine(one, 64, 64, compiled=one is pair[1]), jobs(one)) for one in pair)
    alike(there, here)


@pytest.mark.parametrize("fast", [True, False])
def test_scores_are_those_of_the_processor(pair, fast, monkeypatch):
    monkeypatch.setattr("empirical.scoring.supports", lambda network: fast)
    here, there = (score(one, [1, 2, 3], TEXTS, layer=2, states=True) for one in pair)
    for figure in ("log_prob", "features", "states"):
        assert getattr(there, figure).device.type == "cuda"
        torch.testing.assert_close(getattr(there, figure).cpu(), getattr(here, figure), atol=CLOSE, rtol=CLOSE)


def test_in_bfloat16_a_proposal_is_near_the_scores_but_not_theirs(pair):
    """Eight bits: logits of size ten err by a few hundredths each, ten tokens by less than 0.4 nats together."""
    rows = jobs(pair[1])
    drawn = answers(engine(pair[1], 64, 64, torch.bfloat16), rows)
    apart = [
        abs(answer.log_model - float(score(pair[1], job.prompt, [answer.token_ids]).log_prob))
        for job, answer in zip(rows, drawn, strict=True)
    ]
    assert 10 * CLOSE < max(apart) < 0.4


@pytest.mark.parametrize("control", [Control(1.5, (1.0, 0.5)), Control(0.0, (1.0, 0.5))])
def test_controlled_texts_are_those_of_the_processor(six, control):
    here, there = (
        tokenwise(one, linear_scorer(one), token_jobs(one, "a b", 200, 3, control, None), rows=64) for one in six
    )
    alike(there, here, "kl")


def test_what_needs_the_processor_is_refused(pair, six):
    with pytest.raises(InputError, match="no guided engine here"):
        guided(six[1], guided_jobs(six[1], "a b c d", "a b", 1, 3, Guidance()))
    for strict in (lambda: engine(pair[1], 20, strict=True), lambda: score(pair[1], [1], [[2]], strict=True)):
        with pytest.raises(ValueError, match=r"^strict mode runs on the processor, and .* is on cuda:0"):
            strict()
