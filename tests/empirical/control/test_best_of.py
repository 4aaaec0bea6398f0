"""Best-of-K of whole answers: the exact law of the winner, ties, and the bookkeeping by prompt."""

from functools import cache, partial
from itertools import pairwise

import numpy as np
import pytest

from empirical.control import best_of, block_jobs, token_jobs, tokenwise
from empirical.scored import RewardError
from tests.empirical.control.test_blockwise import listed
from tests.empirical.engines import laws
from tests.empirical.engines.laws import counts_of, of_counts, seed_from
from tests.empirical.enumerated import counts, world
from tests.empirical.six_words import Listed
from tests.statistical.randomised import Randomised
from theory.best_of import best_of as exact

PROMPT, STEPS = "a b", 3


def law(after, reward, K):  # noqa: N803
    return np.exp(exact(after.tree().log_prob, np.array([reward.values[answer] for answer in after.answers]), K))


@cache
def reward_of(kind):
    """Standard normal rewards, their opposites, or rewards rounded so that many are tied."""
    after = laws.six()[2]
    change = {"plain": float, "opposite": lambda value: -value, "tied": lambda value: float(round(value))}[kind]
    return Listed({answer: change(value) for answer, value in listed(after, kind == "tied").values.items()})


@cache
def law_of(kind, K):  # noqa: N803
    return law(laws.six()[2], reward_of(kind), K)


def winners(kind, K):  # noqa: N803
    def draw(rng):
        model, _, after = laws.six()
        jobs = block_jobs(model, PROMPT, 500, STEPS, K, seed=seed_from(rng))
        return np.bincount(counts(after, best_of(model, reward_of(kind), jobs, rows=512)), minlength=len(after.answers))

    return draw


WINNER = Randomised(
    __name__,
    "the law of the winner",
    draw=winners("plain", 4),
    judge=lambda drawn: of_counts(drawn, law_of("plain", 4)),
    planted={
        "K = 2": counts_of(500, partial(law_of, "plain", 2)),
        "the worst of K": counts_of(500, partial(law_of, "opposite", 4)),
    },
    sample="500 answers of 156, a mixture of Dirichlet laws against theirs",
)
TIES = Randomised(
    __name__,
    "the law of the winner with ties",
    draw=winners("tied", 3),
    judge=lambda drawn: of_counts(drawn, law_of("tied", 3)),
    planted={"K = 1": counts_of(500, partial(law_of, "tied", 1))},
    sample="500 answers of 156, a mixture of Dirichlet laws against theirs",
)


def test_the_law_of_the_winner():
    WINNER.hold()


def test_rewards_with_ties(six, after):
    """The first among equals: within a class of ties the law is the model's own."""
    TIES.hold()
    drawn = best_of(six, reward_of("tied"), block_jobs(six, PROMPT, 100, STEPS, 3), rows=512)
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
