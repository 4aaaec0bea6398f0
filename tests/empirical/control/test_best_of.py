"""Best-of-K of whole answers: the exact law of the winner, ties, and the bookkeeping by prompt."""

from itertools import pairwise

import numpy as np
import pytest

from empirical.control import best_of, block_jobs, token_jobs, tokenwise
from empirical.scored import RewardError
from tests.empirical.control.test_blockwise import listed
from tests.empirical.engines.laws import fits, power
from tests.empirical.enumerated import counts, world
from tests.empirical.six_words import Listed
from theory.best_of import best_of as exact

PROMPT, STEPS = "a b", 3


def law(after, reward, K):  # noqa: N803
    return np.exp(exact(after.tree().log_prob, np.array([reward.values[answer] for answer in after.answers]), K))


def test_the_law_of_the_winner(six, after):
    """Chi-square of size 1e-6; its power is 1 - 1e-6 against one candidate less and against the worst of K."""
    reward = listed(after)
    drawn = counts(after, best_of(six, reward, block_jobs(six, PROMPT, 500, STEPS, 4), rows=512))
    right = law(after, reward, 4)
    assert fits(drawn, right)
    worst = Listed({answer: -value for answer, value in reward.values.items()})
    for wrong in (law(after, reward, 2), law(after, worst, 4)):
        assert power(len(drawn), wrong, right) > 1 - 1e-6
        assert not fits(drawn, wrong)


def test_rewards_with_ties(six, after):
    """The first among equals: within a class of ties the law is the model's own."""
    reward = Listed({answer: float(round(value)) for answer, value in listed(after, 1).values.items()})
    drawn = best_of(six, reward, block_jobs(six, PROMPT, 500, STEPS, 3), rows=512)
    assert fits(counts(after, drawn), law(after, reward, 3))
    for answer in drawn:
        [scores], [winner] = answer.scores, answer.winners
        assert winner == scores.index(max(scores))


def test_each_job_has_its_own_candidates(six):
    """Jobs of two prompts and of several K, mixed: each answer is the best of what its candidates draw alone."""
    reward = Listed({a: v for p in ("a b", "c d e") for a, v in listed(world(six, p, STEPS)).values.items()})
    jobs = [job for K in (1, 3, 2) for p in ("a b", "c d e") for job in block_jobs(six, p, 3, STEPS, K)]
    order = np.random.default_rng(0).permutation(len(jobs))
    drawn = best_of(six, reward, [jobs[i] for i in order], rows=5)
    for place, answer in zip(order, drawn, strict=True):
        candidates = tokenwise(six, None, jobs[place].candidates)
        rewards = [reward.values[tuple(candidate.token_ids)] for candidate in candidates]
        assert answer.scores == [rewards]
        assert answer.token_ids == candidates[int(np.argmax(rewards))].token_ids
        assert answer.drawn == sum(len(candidate.token_ids) for candidate in candidates)
        assert np.isnan(answer.log_proposal) == (jobs[place].K > 1)


def test_one_candidate_is_plain_sampling(six, after):
    plain = tokenwise(six, None, token_jobs(six, PROMPT, 8, STEPS))
    for answer, same in zip(best_of(six, listed(after), block_jobs(six, PROMPT, 8, STEPS, 1)), plain, strict=True):
        assert {name: getattr(answer, name) for name in vars(same)} == vars(same)


def test_more_candidates_begin_with_the_fewer(six, after):
    """The candidates of K = 2 are among those of K = 5, so the reward of a job's answer cannot fall with K."""
    reward = listed(after)
    by_size = [best_of(six, reward, block_jobs(six, PROMPT, 20, STEPS, K)) for K in (1, 2, 5)]
    for few, more in pairwise(by_size):
        for answer, better in zip(few, more, strict=True):
            assert better.scores[0][: len(answer.scores[0])] == answer.scores[0]


def test_a_reward_that_is_no_number_is_refused(six, after):
    broken = Listed(dict.fromkeys(after.answers, float("nan")))
    with pytest.raises(RewardError, match="must give one finite number"):
        best_of(six, broken, block_jobs(six, PROMPT, 1, STEPS, 2))
