"""Guided answers on a model whose answers can be listed: their law, their figures, their independence of the batch."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch

from empirical.errors import InputError
from empirical.guidance import Guidance, guided, guided_jobs
from empirical.models import ModelError, load
from empirical.tiny import tiny_triple, write_tiny_checkpoint
from tests.empirical.engines import laws
from tests.empirical.engines.laws import counts_of, of_counts, seed_from
from tests.empirical.enumerated import COLUMNS, world
from tests.empirical.six_words import six_words
from tests.statistical.randomised import Randomised
from theory.information import entropy, kl

WITH, WITHOUT, STEPS = "a b c d", "a b", 3
CLOSE = 1e-4  # float32 passes with and without a cache, times lambda and at most three tokens
RULES = [Guidance(), Guidance(T=0.7), Guidance("free", 1.0), Guidance("free", -0.5), Guidance("kl", 0.5), Guidance(T=0)]


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    return six_words(tmp_path_factory.mktemp("six"))


@pytest.fixture(scope="module")
def worlds(six):
    return world(six, WITH, STEPS), world(six, WITHOUT, STEPS)


def log_success(states):
    """log Q of each next token, from the states by fixed random weights: frozen."""
    weight = torch.randn(states.shape[1], 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return torch.nn.functional.logsigmoid(states.double() @ weight)


def step_law(worlds, rule, prefix):
    """log pi [V] of the step behind a prefix, by theory."""
    there, elsewhere = (one.log_p[prefix] for one in worlds)
    return rule.law(there, elsewhere, log_success(worlds[0].state[prefix][None])[0])


def log_law(worlds, rule):
    """log pi of every answer."""
    return np.array([
        sum(float(step_law(worlds, rule, answer[:t])[token]) for t, token in enumerate(answer))
        for answer in worlds[0].answers
    ])  # fmt: skip


@pytest.mark.parametrize("rule", [*RULES, Guidance("classifier", 2.0)], ids=lambda rule: rule.name)
def test_the_law_by_enumeration(six, worlds, rule):
    """Asked for each answer by the middles of its tokens' intervals, the engine gives it, with theory's figures."""
    [job] = guided_jobs(six, WITH, WITHOUT, 1, STEPS, rule)
    wanted, jobs = [], []
    for answer, log_pi in zip(worlds[0].answers, log_law(worlds, rule), strict=True):
        if log_pi < np.log(1e-6):  # the middle is within float32's rounding of the interval's ends
            continue
        middles = np.full(STEPS, 0.5)
        for t, token in enumerate(answer):
            mass = step_law(worlds, rule, answer[:t]).exp().numpy()
            middles[t] = mass[:token].sum() + mass[token] / 2
        jobs.append(replace(job, uniforms=middles))
        wanted.append((answer, log_pi))
    drawn = guided(six, jobs, log_success)
    assert [tuple(one.token_ids) for one in drawn] == [answer for answer, _ in wanted]
    np.testing.assert_allclose([one.total("log_proposal") for one in drawn], [log for _, log in wanted], atol=CLOSE)
    for one in drawn:
        for t, step in enumerate(one.steps):
            prefix = tuple(one.token_ids[:t])
            log_pi, log_p, log_p_without = step_law(worlds, rule, prefix), *(w.log_p[prefix] for w in worlds)
            token = one.token_ids[t]
            figures = {
                "log_model": log_p[token], "log_without": log_p_without[token], "entropy": entropy(log_pi),
                "information": kl(log_p, log_p_without), "kl": kl(log_pi, log_p),
            }  # fmt: skip
            for name, value in figures.items():
                assert step[name] == pytest.approx(float(value), abs=CLOSE), name


@cache
def both_worlds():
    model = laws.six()[0]
    return world(model, WITH, STEPS), world(model, WITHOUT, STEPS)


@cache
def law_under(rule):
    return np.exp(log_law(both_worlds(), rule))


def guided_counts(rng):
    """How often each answer is drawn."""
    model = laws.six()[0]
    jobs = guided_jobs(model, WITH, WITHOUT, 800, STEPS, Guidance("free", 1.0), seed=seed_from(rng))
    place = {answer: number for number, answer in enumerate(both_worlds()[0].answers)}
    return np.bincount([place[tuple(one.token_ids)] for one in guided(model, jobs, rows=200)], minlength=len(place))


DRAWS = Randomised(
    __name__,
    "guided draws have the law",
    draw=guided_counts,
    judge=lambda counts: of_counts(counts, law_under(Guidance("free", 1.0))),
    planted={"no guidance": counts_of(800, partial(law_under, Guidance()))},
    sample="800 answers of 156, a mixture of Dirichlet laws against theirs",
)


def test_draws_have_the_law():
    DRAWS.hold()


@pytest.mark.parametrize("rows", [2, 6, 64])
def test_answers_do_not_depend_on_their_neighbours(six, rows):
    jobs = [job for rule in RULES for job in guided_jobs(six, WITH, WITHOUT, 3, 8, rule)]
    jobs += guided_jobs(six, "b", "c d a", 4, 5, Guidance("free", 2.0))
    alone = [guided(six, [job])[0] for job in jobs]
    together = guided(six, jobs, rows=rows)
    assert [one.token_ids for one in together] == [one.token_ids for one in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.total("information") == pytest.approx(other.total("information"), abs=CLOSE)


def test_strict_moves_no_bit(six):
    jobs = [job for rule in RULES for job in guided_jobs(six, WITH, WITHOUT, 2, 6, rule)]
    together = guided(six, jobs, strict=True)
    assert [one.steps for one in guided(six, jobs[::-1], rows=4, strict=True)][::-1] == [one.steps for one in together]


def test_rules_share_their_randomness(six):
    first, second = (guided_jobs(six, WITH, WITHOUT, 2, 4, rule) for rule in (Guidance(), Guidance("free", 1.0)))
    assert all((one.uniforms == other.uniforms).all() for one, other in zip(first, second, strict=True))
    assert (first[0].uniforms != first[1].uniforms).any()


def test_what_cannot_be_is_one_sentence(six, tmp_path):
    with pytest.raises(ModelError, match="reads 64 tokens"):
        guided_jobs(six, "a " * 70, WITHOUT, 1, 4, Guidance())
    with pytest.raises(ValueError, match="pass log_success"):
        guided(six, guided_jobs(six, WITH, WITHOUT, 1, 4, Guidance("classifier", 1.0)))
    other = tiny_triple(tmp_path)[0]
    gpt2 = load(write_tiny_checkpoint(tmp_path / "gpt2", architecture="gpt2"))
    with pytest.raises(InputError, match="use the logits processors"):
        guided(gpt2, guided_jobs(gpt2, "a", "b", 1, 2, Guidance()))
    assert guided(other, guided_jobs(other, "a", "b", 1, 2, Guidance()))[0].token_ids


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("kl", 0.0), "sigma"),
        (("kl", -1.0), "sigma"),
        (("kl", float("nan")), "sigma"),
        (("free", float("inf")), "lambda"),
        (("none", 0.0, -1.0), "temperature"),
        (("none", 0.0, float("nan")), "temperature"),
    ],
)
def test_rules_out_of_range(arguments, said):
    with pytest.raises(ValueError, match=said):
        Guidance(*arguments)


def test_the_enumeration_has_every_token():
    assert sorted(COLUMNS) == list(range(6))
