"""Tokenwise control on a model whose answers can be listed: its law, its KL, its independence of the batch."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch

from empirical.control import Control, token_jobs, tokenwise
from empirical.engines.decoder import LlamaDecoder
from empirical.engines.jobs import answers
from empirical.engines.pairs import PairedDecoder
from empirical.engines.portable import PortableEngine
from empirical.engines.steering import steering
from empirical.engines.torch import engine
from empirical.prefix_scorers import new_scorer
from tests.empirical.engines import laws
from tests.empirical.engines.laws import counts_of, of_counts, seed_from
from tests.empirical.enumerated import COLUMNS, LinearScorer, counts, linear_scorer, world
from tests.statistical.randomised import Randomised
from theory.adaptors import ancestral, compose, nucleus, temperature
from theory.information import kl
from theory.language_models import adapted, strings
from theory.values import tokenwise as exact

PROMPT, STEPS = "a b", 3
CONTROL = Control(1.5, (1.0, 0.5))
CLOSE = 1e-4  # float32 passes with and without a cache, times lambda and at most three tokens


def law(after, scorer, control=CONTROL, of=None):
    return exact(after.tree(), after.values(scorer, control.weights, of), control.lam)


def jobs_for_every_answer(model, after, tree, control, adaptor=None):
    """A job for each answer, whose uniforms are the middles of its tokens' intervals under the tree's law."""
    [job] = token_jobs(model, PROMPT, 1, STEPS, control, adaptor)
    place = {after.prefix(string): i for i, string in enumerate(strings(5, STEPS))}
    jobs = []
    for answer in after.answers:
        middles = np.full(STEPS, 0.5)
        for step, token in enumerate(answer):
            mass = np.zeros(6)
            mass[COLUMNS] = np.exp(tree.log_steps[place[answer[:step]]])
            middles[step] = mass[:token].sum() + mass[token] / 2
        jobs.append(replace(job, uniforms=middles))
    return jobs


@pytest.mark.parametrize("adaptor", [ancestral(), compose(temperature(0.8), nucleus(0.9))])
def test_the_law_and_its_kl_by_enumeration(six, scorer, after, adaptor):
    """Each answer has theory's probability, and the mean of its steps' KL is that of the two laws of answers."""
    prior, tree = after.tree(), adapted(law(after, scorer), adaptor).local
    kept = np.exp(tree.log_prob) > 1e-6  # of rarer ones the middle is within float32's rounding of the interval's ends
    asked = [job for job, wanted in zip(jobs_for_every_answer(six, after, tree, CONTROL, adaptor), kept, strict=True)
             if wanted]  # fmt: skip
    drawn = tokenwise(six, scorer, asked)
    assert [tuple(answer.token_ids) for answer in drawn] == [
        a for a, one in zip(after.answers, kept, strict=True) if one
    ]
    for figure, expected in (("log_proposal", tree.log_prob), ("log_model", prior.log_prob)):
        np.testing.assert_allclose([getattr(answer, figure) for answer in drawn], expected[kept], atol=CLOSE)
    mean = np.exp(tree.log_prob[kept]) @ np.array([answer.kl for answer in drawn])
    forward, backward = kl(tree.log_prob, prior.log_prob), kl(prior.log_prob, tree.log_prob)
    assert mean == pytest.approx(forward, abs=1e-3)  # at most 150 answers of 1e-6 are left out, CLOSE on the others
    assert abs(mean - backward) > 0.05, "the wrong direction is another number"
    assert forward > 0.1


def drawn_counts(rng):
    """How often each answer is drawn under control."""
    model, scorer, after = laws.six()
    jobs = token_jobs(model, PROMPT, 800, STEPS, CONTROL, seed=seed_from(rng))
    return np.bincount(counts(after, tokenwise(model, scorer, jobs, rows=512)), minlength=len(after.answers))


@cache
def law_by(control):
    """The law under control: by the values that are right, those of the step before, or without any."""
    _, scorer, after = laws.six()
    late = replace(after, state={prefix: after.state[prefix[:-1]] for prefix in after.state})
    found = after.tree() if control == "none" else law(after, scorer, of=late if control == "late" else None)
    return np.exp(found.log_prob)


DRAWS = Randomised(
    __name__,
    "tokenwise draws",
    draw=drawn_counts,
    judge=lambda drawn: of_counts(drawn, law_by("values")),
    planted={
        "values of the step before": counts_of(800, partial(law_by, "late")),
        "no control": counts_of(800, partial(law_by, "none")),
    },
    sample="800 answers of 156, a mixture of Dirichlet laws against theirs",
)


def test_the_law_of_draws():
    DRAWS.hold()


def test_values_of_the_step_before_would_be_noticed(six, scorer, after, monkeypatch):
    """The engine itself, broken: the scorer is given the states that the last tokens were drawn from."""
    asked = jobs_for_every_answer(six, after, law(after, scorer), CONTROL)
    steered, last = engine(six, asked[0].longest, len(asked), scorer=scorer), []
    original = steered.decoder.features

    def late(states):
        last.append(original(states))
        return last[-2] if len(last) > 1 and len(last[-2]) == len(states) else last[-1]

    monkeypatch.setattr(steered.decoder, "features", late)
    [job] = [job for job, answer in zip(asked, after.answers, strict=True) if answer == (1, 2, 3)]
    [broken], [right] = answers(steered, [job]), tokenwise(six, scorer, [job])
    assert right.log_proposal == pytest.approx(law(after, scorer).log_prob[after.answers.index((1, 2, 3))], abs=CLOSE)
    assert abs(broken.log_proposal - right.log_proposal) > 0.1


def mixed(model, prompts=("a b", "c", "d d e")):
    """Jobs of different prompts, lambdas, weights and adaptors, some without control."""
    rules = [
        (None, None), (Control(0.0), None), (Control(2.0, (1.0, 0.0)), None), (Control(-1.0, (0.3, 0.7)), None),
        (Control(1.0, (0.0, 1.0)), nucleus(0.8)), (None, nucleus(0.8)), (Control(0.0), nucleus(0.8)),
    ]  # fmt: skip
    return [job for prompt in prompts for control, adaptor in rules
            for job in token_jobs(model, prompt, 2, 8, control, adaptor)]  # fmt: skip


@pytest.mark.parametrize("rows", [1, 5, 64])
def test_answers_do_not_depend_on_their_neighbours(six, scorer, rows):
    jobs = mixed(six)
    together = tokenwise(six, scorer, jobs, rows=rows)
    alone = [tokenwise(six, scorer, [job])[0] for job in jobs]
    assert [answer.token_ids for answer in together] == [answer.token_ids for answer in alone]
    for job, one, same in zip(jobs, together, alone, strict=True):
        assert one.log_proposal == pytest.approx(same.log_proposal, abs=CLOSE)
        assert (one.kl is None) == (job.control is None)
        assert one.kl is None or one.kl == pytest.approx(same.kl, abs=CLOSE)


def test_order_and_batch_move_no_bit_in_strict_mode(six, scorer):
    jobs = mixed(six)
    drawn = tokenwise(six, scorer, jobs, rows=64, strict=True)
    assert drawn == tokenwise(six, scorer, jobs[::-1], rows=3, strict=True)[::-1]


@pytest.mark.parametrize("strict", [False, True])
def test_lambda_zero_is_plain_sampling_bit_for_bit(six, scorer, strict):
    jobs = [replace(job, control=None) for job in mixed(six)]
    longest = max(job.longest for job in jobs)
    plain = answers(engine(six, longest, strict=strict), jobs)
    idle = tokenwise(six, scorer, [replace(job, control=Control(0.0)) for job in jobs], strict=strict)
    assert [replace(answer, kl=None) for answer in idle] == plain
    for job, answer in zip(jobs, idle, strict=True):
        # Without control the KL is that of the adaptor, and rounding where there is none.
        assert answer.kl > 0.01 if "nucleus" in job.adaptor.name else answer.kl == pytest.approx(0, abs=1e-12)


def test_weights_combine_scorers(six, scorer, after):
    """Two scorers at weights 1 and 1/2 are the one scorer of the sum, and not either alone."""
    one = LinearScorer((scorer.weight[:, :1] + 0.5 * scorer.weight[:, 1:]), six.sha256)
    jobs = token_jobs(six, PROMPT, 20, STEPS, CONTROL)
    sums = [replace(job, control=Control(1.5)) for job in jobs]
    ours, theirs = tokenwise(six, scorer, jobs), tokenwise(six, one, sums)
    for answer, same in zip(ours, theirs, strict=True):
        assert answer.token_ids == same.token_ids
        assert answer.kl == pytest.approx(same.kl, abs=CLOSE)
    first = law(after, scorer, Control(1.5, (1.0, 0.0))).log_prob
    assert abs(kl(law(after, scorer).log_prob, first)) > 0.05


@pytest.mark.parametrize(
    "make", [engine, lambda m, longest, rows, **more: PortableEngine(m, rows, steering(m, **more))]
)
def test_a_scorer_of_another_base(six, other, scorer, after, make):
    """`other` draws, the scorer reads `six`: p of the one, V of the other."""
    theirs = world(other, PROMPT, STEPS)
    tree = law(theirs, scorer, of=after)
    asked = jobs_for_every_answer(other, theirs, tree, CONTROL)
    steered = make(other, asked[0].longest, 40, scorer=scorer, base=six)
    drawn = answers(steered, asked)
    kept = [answer for answer, log_q in zip(drawn, tree.log_prob, strict=True) if log_q > np.log(1e-6)]
    place = {answer: i for i, answer in enumerate(theirs.answers)}
    for answer in kept:
        here = place[tuple(answer.token_ids)]
        assert answer.log_proposal == pytest.approx(tree.log_prob[here], abs=CLOSE)
        assert answer.log_model == pytest.approx(theirs.tree().log_prob[here], abs=CLOSE)
    assert len(kept) > 50
    own = law(theirs, scorer).log_prob  # a planted one: the scorer fed the drawing model's states
    assert abs(kl(tree.log_prob, own)) > 0.05


def test_the_same_base_takes_no_second_pass(six, other, scorer):
    assert isinstance(engine(six, 9, scorer=scorer).decoder, LlamaDecoder)
    assert isinstance(engine(six, 9, scorer=scorer, base=six).decoder, LlamaDecoder)
    assert isinstance(engine(other, 9, scorer=scorer, base=six).decoder, PairedDecoder)


def test_an_aligned_adapter_is_steered_by_its_own_states_or_its_priors(triple):
    """On top of an adapter: a second pass of the prior gives the states that the scorer was made for."""
    scorer = linear_scorer(triple.prior, rewards=1)
    jobs = token_jobs(triple.aligned, "Name a fruit.", 6, 10, Control(1.0))
    second = tokenwise(triple.aligned, scorer, jobs, base=triple.prior)
    portable = PortableEngine(triple.aligned, 4, steering(triple.aligned, scorer, triple.prior))
    for one, same in zip(second, answers(portable, jobs), strict=True):
        assert one.token_ids == same.token_ids
        assert one.kl == pytest.approx(same.kl, abs=1e-3)  # ten tokens
    assert [a.kl for a in second] != [a.kl for a in tokenwise(triple.aligned, scorer, jobs)]


def test_a_trained_scorers_class(six, after):
    """The head of `empirical.prefix_scorers`, of random weights."""
    head = new_scorer(six, {"first": "r1", "second": "r2"}, STEPS, rank=4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for weight in head.parameters():
            torch.nn.init.normal_(weight, std=0.4)
    tree = law(after, head)
    drawn = tokenwise(six, head, token_jobs(six, PROMPT, 100, STEPS, CONTROL))
    expected = tree.log_prob[counts(after, drawn)]
    np.testing.assert_allclose([answer.log_proposal for answer in drawn], expected, atol=CLOSE)
    assert kl(tree.log_prob, after.tree().log_prob) > 0.05
