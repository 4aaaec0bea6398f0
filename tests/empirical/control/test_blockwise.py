"""Blockwise best-of-K on a model whose answers can be listed: its law, its limits, and its engine's book-keeping."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest

from empirical.control import block_jobs, blockwise, token_jobs, tokenwise
from empirical.control.block_engine import BlockEngine
from empirical.control.rounds import Rounds
from empirical.engines.decoder import LlamaDecoder
from empirical.engines.portable import PortableEngine
from empirical.engines.steering import steering
from empirical.scoring import score
from tests.empirical.engines import laws
from tests.empirical.engines.laws import counts_of, of_counts, seed_from
from tests.empirical.enumerated import LinearScorer, counts
from tests.empirical.six_words import Listed
from tests.statistical.randomised import Randomised
from theory.adaptors import nucleus
from theory.best_of import best_of
from theory.language_models import Tree

PROMPT, STEPS, WEIGHTS = "a b", 3, (1.0, 0.5)
CLOSE = 1e-4  # float32 passes with and without a cache, a few tokens


def listed(after, seed=0):
    """Standard normal rewards of every answer."""
    drawn = np.random.default_rng(seed).standard_normal(len(after.answers))
    return Listed(dict(zip(after.answers, drawn, strict=True)))


def by_value(after, scorer):
    return lambda text: after.value(scorer, WEIGHTS, text)


def by_reward(after, scorer, reward):
    """The reward of whole answers, the value of the others."""
    value = by_value(after, scorer)
    return lambda text: reward.values.get(text) if text in reward.values else value(text)


def drawn_counts(number, K, M, rewarded=False):  # noqa: N803
    """How often each answer is drawn; rewarded: the reward decides among whole answers."""

    def draw(rng):
        model, scorer, after = laws.six()
        jobs = block_jobs(model, PROMPT, number, STEPS, K, M, WEIGHTS, seed=seed_from(rng))
        found = blockwise(model, scorer, jobs, reward=listed(after) if rewarded else None, rows=512)
        return np.bincount(counts(after, found), minlength=len(after.answers))

    return draw


@cache
def exact(K, M, decides="value"):  # noqa: N803
    """The law of blockwise best-of-K where the value decides, that of the step before, or the reward at the end."""
    _, scorer, after = laws.six()
    late = replace(after, state={prefix: after.state[prefix[:-1]] for prefix in after.state})
    score = {
        "value": by_value(after, scorer),
        "late": by_value(late, scorer),
        "reward": by_reward(after, scorer, listed(after)),
    }
    return after.blockwise(K, M, score[decides])


def follow(K, M, decides, drawn):  # noqa: N803
    return of_counts(drawn, exact(K, M, decides))


DRAWS = {
    (K, M): Randomised(
        __name__,
        f"blockwise draws, K = {K}, M = {M}",
        draw=drawn_counts(1500, K, M),
        judge=partial(follow, K, M, "value"),
        planted={
            "values of the step before": counts_of(1500, partial(exact, K, M, "late")),
            "K = 1": counts_of(1500, partial(exact, 1, M)),
            "another M": counts_of(1500, partial(exact, K, M + 1)),
        },
        sample="1,500 answers of 156, a mixture of Dirichlet laws against theirs",
    )
    for K, M in ((3, 2), (4, 1))
}
REWARDED = {
    M: Randomised(
        __name__,
        f"blockwise draws, the reward of whole answers decides, M = {M}",
        draw=drawn_counts(600, 3, M, rewarded=True),
        judge=partial(follow, 3, M, "reward"),
        planted={"the reward is not read": counts_of(600, partial(exact, 3, M))},
        sample="600 answers of 156, a mixture of Dirichlet laws against theirs",
    )
    for M in (STEPS, 2)
}


@pytest.mark.parametrize("shape", DRAWS, ids=str)
def test_the_law_of_draws(shape):
    DRAWS[shape].hold()


def test_whole_answers_by_reward_are_best_of_k(six, scorer, after):
    """M >= T_max and the true reward: theory's best-of-K, first as laws, then as draws."""
    reward, log_p = listed(after), after.tree().log_prob
    plain = np.exp(best_of(log_p, np.array([reward.values[answer] for answer in after.answers]), 3))
    np.testing.assert_allclose(after.blockwise(3, STEPS, by_reward(after, scorer, reward)), plain, atol=1e-9)
    drawn, more = (
        blockwise(six, scorer, block_jobs(six, PROMPT, 20, STEPS, 3, M, WEIGHTS), reward=reward) for M in (STEPS, 7)
    )
    assert [answer.token_ids for answer in drawn] == [answer.token_ids for answer in more]
    REWARDED[STEPS].hold()


def test_the_true_reward_decides_among_whole_answers_only():
    REWARDED[2].hold()


def test_single_tokens_are_per_token_best_of_k(six, scorer, after):
    """M = 1: each step is theory's best-of-K of the next token under Q(s, .)."""
    tree, values = after.tree(), after.values(scorer, WEIGHTS)
    per_token = np.exp(Tree(best_of(tree.log_steps, values.action, 4)).log_prob)
    np.testing.assert_allclose(after.blockwise(4, 1, by_value(after, scorer)), per_token, atol=1e-9)


SHAPES = [(3, 2), (2, 1), (1, 2), (4, 5), (2, 30), (5, 4)]


def mixed(model, prompts=("a b", "c d e"), samples=2, steps=9):
    """Jobs of different prompts, K, M and adaptors."""
    return [
        job
        for prompt in prompts
        for K, M in SHAPES
        for adaptor in (None, nucleus(0.9))
        for job in block_jobs(model, prompt, samples, steps, K, M, WEIGHTS, adaptor)
    ]


@pytest.fixture(scope="module")
def by_rounds(six, scorer):
    """The same answers by another road: transformers' cache, every block's prefix read anew."""
    jobs = mixed(six)
    done = dict(Rounds(six, PortableEngine(six), steering(six, scorer)).stream(jobs))
    return [done[number] for number in range(len(jobs))]


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_the_engine_of_slots_chooses_as_plain_rounds_do(six, scorer, by_rounds, rows):
    """Whatever the batch: rows of different K and M, texts that end early, slots that change hands."""
    ours = blockwise(six, scorer, mixed(six), rows=rows)
    for answer, same in zip(ours, by_rounds, strict=True):
        assert (answer.token_ids, answer.winners, answer.drawn) == (same.token_ids, same.winners, same.drawn)
        assert (answer.finished, answer.kl) == (same.finished, same.kl)
        assert answer.log_model == pytest.approx(same.log_model, abs=CLOSE)
        assert answer.log_kept == pytest.approx(same.log_kept, abs=CLOSE)
        for block, other in zip(answer.scores, same.scores, strict=True):
            assert block == pytest.approx(other, abs=CLOSE)


def test_the_recorded_log_probability_is_that_of_a_whole_pass(six, scorer):
    jobs = mixed(six)
    for job, answer in zip(jobs, blockwise(six, scorer, jobs), strict=True):
        assert answer.log_model == pytest.approx(score(six, job.prompt, [answer.token_ids]).log_prob.item(), abs=CLOSE)
        assert np.isnan(answer.log_proposal) == (job.K > 1)


def test_a_winner_whose_cache_stays_behind_would_be_noticed(six, scorer, by_rounds, monkeypatch):
    """Planted: nothing is copied, so the losers' slots go on behind their own block."""
    monkeypatch.setattr(LlamaDecoder, "copy", lambda *arguments: None)
    broken = blockwise(six, scorer, mixed(six))
    assert any(answer.token_ids != same.token_ids for answer, same in zip(broken, by_rounds, strict=True))
    for job, answer, same in zip(mixed(six), broken, by_rounds, strict=True):
        if job.M == 1 or job.K == 1 or job.longest_answer <= job.M:
            assert answer.token_ids == same.token_ids, "nothing needs copying there"


def test_of_the_winners_cache_only_the_block_is_copied(six, scorer, monkeypatch):
    """The spans that are copied follow on one another without overlap, from the prompt's end on."""
    spans = []
    original = LlamaDecoder.copy

    def noted(decoder, source, targets, first, end):
        spans.append((first, end))
        assert source not in targets
        original(decoder, source, targets, first, end)

    monkeypatch.setattr(LlamaDecoder, "copy", noted)
    longest = 0
    for job in block_jobs(six, "c d e", 8, 12, 3, 4, WEIGHTS):
        spans.clear()
        blockwise(six, scorer, [job])
        begin, longest = len(job.prompt), max(longest, len(spans))
        assert spans == [(begin, begin + 4), (begin + 4, begin + 8)][: len(spans)]
    assert longest == 2


def test_no_row_is_computed_that_no_candidate_needs(six, scorer, monkeypatch):
    """A token is fed once, and only if its text goes on; where a block begins its K candidates share one row."""
    fed = []
    original = LlamaDecoder.step
    monkeypatch.setattr(
        LlamaDecoder, "step", lambda self, tokens, *more: fed.append(len(tokens)) or original(self, tokens, *more)
    )
    for K, M in SHAPES:  # noqa: N806
        fed.clear()
        drawn = blockwise(six, scorer, block_jobs(six, PROMPT, 5, 9, K, M, WEIGHTS))
        chosen = sum(len(answer.token_ids) for answer in drawn)
        blocks = sum(len(answer.winners) for answer in drawn)
        assert sum(fed) <= sum(answer.drawn for answer in drawn) - K * blocks + blocks
        if M == 1:
            assert sum(fed) == chosen - len(drawn)


def test_one_candidate_is_plain_sampling_bit_for_bit(six, scorer):
    for M in (1, 2, 9):  # noqa: N806
        for strict in (False, True):
            plain = tokenwise(six, None, token_jobs(six, PROMPT, 8, 9), rows=8, strict=strict)
            one = blockwise(six, scorer, block_jobs(six, PROMPT, 8, 9, 1, M, WEIGHTS), rows=8, strict=strict)
            for answer, same in zip(one, plain, strict=True):
                figures = {name: getattr(answer, name) for name in vars(same)}
                assert figures == vars(same)


def test_order_and_batch_move_no_bit_in_strict_mode(six, scorer):
    jobs = mixed(six, samples=1)
    drawn = blockwise(six, scorer, jobs, rows=64, strict=True)
    again = blockwise(six, scorer, jobs[::-1], rows=5, strict=True)[::-1]
    for answer, same in zip(drawn, again, strict=True):
        assert (answer.token_ids, answer.scores, answer.log_model) == (same.token_ids, same.scores, same.log_model)


def test_ties_go_to_the_first(six, scorer):
    """A scorer to which all is equal: the first candidate wins each block, and the answers are those of plain draws."""
    blind = LinearScorer(0 * scorer.weight, six.sha256)
    drawn = blockwise(six, blind, block_jobs(six, PROMPT, 10, 9, 4, 2, WEIGHTS))
    assert {winner for answer in drawn for winner in answer.winners} == {0}
    plain = tokenwise(six, None, token_jobs(six, PROMPT, 10, 9))
    assert [answer.token_ids for answer in drawn] == [answer.token_ids for answer in plain]


def test_a_scorer_of_another_base(six, other, scorer):
    """`other` draws and `six` values: two decoders side by side do what two networks with caches do."""
    jobs = mixed(other, samples=1)
    steered = steering(other, scorer, six)
    done = dict(Rounds(other, PortableEngine(other, steering=steered), steered).stream(jobs))
    for number, answer in enumerate(blockwise(other, scorer, jobs, base=six, rows=16)):
        assert answer.token_ids == done[number].token_ids
        assert answer.winners == done[number].winners
    own = LinearScorer(scorer.weight, other.sha256)
    assert [answer.winners for answer in blockwise(other, own, jobs)] != [done[n].winners for n in range(len(jobs))]


def test_a_network_of_another_kind_goes_by_rounds(six, scorer, by_rounds, monkeypatch):
    monkeypatch.setattr(six.network.config, "sliding_window", 30, raising=False)
    monkeypatch.setattr(BlockEngine, "stream", None)
    drawn = blockwise(six, scorer, mixed(six))
    assert [answer.token_ids for answer in drawn] == [answer.token_ids for answer in by_rounds]


def test_a_score_that_is_no_number_is_refused(six, scorer):
    broken = LinearScorer(np.nan * scorer.weight, six.sha256)
    with pytest.raises(ValueError, match="NaN"):
        blockwise(six, broken, block_jobs(six, PROMPT, 1, 2, 2, 1, WEIGHTS))
