"""Answers and their figures: knobs free of units, whose log-probability is whose, KL of a policy that is the base."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from empirical.engines.jobs import Answer
from empirical.rewards import SecretReward
from empirical.scoring import score
from empirical.studies.controlled import answering, collecting, summing
from empirical.studies.controlled.answering import Spread, answer, rows_of
from empirical.studies.controlled.cells import BASE, BEST, BLOCKS, DPO, FUDGE, HH, LENGTH, ON_DPO, PPO, Q, chosen
from empirical.studies.controlled.parts import Source
from empirical.studies.controlled.settings import OPPONENTS, POOL, Setting
from empirical.studies.controlled.sizes import SMOKE
from empirical.studies.controlled.summing import cells_from

BLOCK = Setting(HH, BLOCKS, scorer=Q, knob="K", value=4.0, M=2.0)
OWN, OTHER, CHOSEN = BLOCK, replace(BLOCK, role="other"), replace(BLOCK, method=ON_DPO + BLOCKS, beta=0.1)
TUNED = Setting(HH, DPO, knob="beta", value=0.1)
SETTINGS = (Setting(HH, POOL), OWN, OTHER, TUNED, CHOSEN)


@pytest.fixture(scope="module")
def rows(parts, study):
    return collecting.collect(parts, SMOKE, study[0].samples)


def test_knobs_are_in_units_of_the_rewards_spread(parts):
    spread = Spread({HH: 2.0, f"{LENGTH} in {HH}": 0.5})
    assert spread.strength(HH, 3.0) == 1.5
    mixed = Setting(HH, BLOCKS, scorer=FUDGE, knob="K", value=4.0, M=2.0, weight=0.25)
    assert answering._weights(parts, mixed, spread) == (-1.0, 1.0, 0.0)
    assert answering._weights(parts, replace(mixed, weight=0.0), spread) == (0.0, 1.0, 0.0)
    alone = {key: scorer.combined([0.0, 1.0, 0.0]) for key, scorer in parts.scorers.items()}
    named = {key: replace(scorer.about, rewards=("preference",)) for key, scorer in alone.items()}
    for key, scorer in alone.items():
        scorer.about = named[key]
    with pytest.raises(ValueError, match="no length to weigh"):
        answering._weights(replace(parts, scorers=alone), mixed, spread)


def test_the_spread_is_that_within_prompts():
    pool = pd.DataFrame({"prompt": [0, 0, 1, 1], "reward": [0.0, 2.0, 100.0, 102.0], "token_ids": [[1]] * 4})
    spread = Spread()
    spread.learn(HH, pool, 4)
    assert spread.of[HH] == pytest.approx(np.sqrt(2))
    assert spread.of[f"{LENGTH} in {HH}"] == 1.0, "no spread at all moves no knob"


def test_whose_log_probability_is_whose(parts, rows):
    drawn, base = rows[0][Setting(HH, ON_DPO + POOL, beta=0.1)], parts.base
    policy = parts.policies[HH, DPO, 0.1].load()
    some = drawn[drawn.prompt == 1]
    ids, answers = base.prompt_ids(parts.tasks[1].prompts[1]), [list(map(int, one)) for one in some.token_ids]
    np.testing.assert_allclose(some.log_prior, score(base, ids, answers).log_prob.numpy(), atol=1e-4)
    np.testing.assert_allclose(some.log_model, score(policy, ids, answers).log_prob.numpy(), atol=1e-4)


def test_the_kl_of_what_is_drawn_from_a_policy_counts_the_way_to_it(parts, rows):
    """KL(pi || p) <= bound + E_pi log d / p, by the weights with which best-of-K takes from the policy's pool."""
    cells = cells_from(*_args(parts, rows))
    for K in (4, 8):  # noqa: N806
        found = chosen(cells, task=HH, method=ON_DPO + BEST, value=float(K), beta=0.1).sort_values("prompt_id")
        drift = found.kl_bound - (np.log(K) - (K - 1) / K)
        assert drift.nunique() == len(drift)
        assert (found.kl_estimate <= found.kl_bound + 1e-12).all()
        assert (found.kl_sum > np.log(K) - (K - 1) / K).all()
    own = rows[0][Setting(HH, DPO, knob="beta", value=0.1)]
    assert (own.kl > 0).all()


def test_a_policy_that_is_the_base_spends_nothing(parts, tmp_path):
    same = Source("the base again", "same", lambda: parts.base)
    idle = replace(parts, policies={(HH, PPO, 1.0): same})
    setting = Setting(HH, PPO, knob="beta", value=1.0)
    made = answer(idle, parts.tasks[1], setting, SMOKE, parts.base, Spread())
    found = rows_of(idle, parts.tasks[1], setting, parts.base, made)
    np.testing.assert_allclose(found.kl, 0, atol=1e-6)  # float32 log-probabilities of one network, twice


def test_pools_and_opponents_share_no_randomness(rows):
    pool, opponents = (rows[0][Setting(HH, kind)] for kind in (POOL, OPPONENTS))
    first = pool[pool.sample_id < SMOKE.opponents].token_ids.map(tuple).tolist()
    assert np.mean([one == other for one, other in zip(first, opponents.token_ids.map(tuple), strict=True)]) < 0.5


def test_wins_are_counted_against_opponents(parts, rows):
    cells = cells_from(*_args(parts, rows))
    drawn, against = rows[0][Setting(HH, POOL)], rows[0][Setting(HH, OPPONENTS)]
    expected = []
    for number, mine in drawn.groupby("prompt"):
        theirs = against[against.prompt == number].judged.to_numpy()
        wins = [(score > theirs).mean() + 0.5 * (score == theirs).mean() for score in mine.judged]
        expected.append(np.mean(wins))
    assert sorted(chosen(cells, task=HH, method=BASE).win) == pytest.approx(sorted(expected))
    drawn = chosen(cells, task=HH, method=BLOCKS, scorer=Q).groupby("value").answers.unique()
    assert {K: found.tolist() for K, found in drawn.items()} == {
        K: [SMOKE.single if K == 1 else SMOKE.answers] for K in (1.0, 4.0, 32.0)
    }


def _args(parts, rows):
    return rows[0], parts, SMOKE, rows[1]


def test_rows_depend_on_their_own_models_alone(parts):
    """A new adapter leaves the rows of everything else as they are; what a setting does draw on, it is stamped with."""

    def stamps(parts, size=SMOKE):
        tasks = {task.name: task for task in parts.tasks}
        return {one: collecting.fingerprint(parts, tasks[one.task], one, size) for one in SETTINGS}

    moved = {**parts.policies, (HH, DPO, 0.1): Source("another", "another", lambda: parts.base)}
    scorers = {**parts.scorers, (HH, Q): parts.scorers[HH, FUDGE]}
    first = stamps(parts)
    changes = {
        "policy": (stamps(replace(parts, policies=moved)), {TUNED, CHOSEN}),
        "scorer": (stamps(replace(parts, scorers=scorers)), {OWN, CHOSEN, OTHER}),
        "other": (stamps(replace(parts, other=None)), {OTHER}),
        "size": (stamps(parts, replace(SMOKE, seed=1)), set(SETTINGS)),
        "task": (stamps(replace(parts, tasks=(parts.tasks[0], parts.tasks[2], replace(parts.tasks[1], judge=None)))),
                 set(SETTINGS)),
    }  # fmt: skip
    for what, (later, meant) in changes.items():
        assert {one for one in SETTINGS if later[one] != first[one]} == meant, what


def test_a_reward_may_read_what_the_policy_gave_its_answers(parts):
    """The secret reward is a difference of the log-probabilities under the base and under the policy that drew."""
    base, task = parts.base, parts.tasks[1]
    answers = [Answer([5, 6], True, log_model=-7.0), Answer([9], False, log_model=-2.5)]
    log_p, reward, judged = answering.gauged(base, replace(task, reward=SecretReward(), judge=None), "Why?", answers)
    assert reward == pytest.approx(np.array([-7.0, -2.5]) - log_p)
    assert log_p == pytest.approx(score(base, base.prompt_ids("Why?"), [[5, 6], [9]]).log_prob.numpy(), abs=1e-4)
    assert np.isnan(judged).all()


def test_blocks_on_a_policy_spend_the_way_from_the_base_to_it_as_well():
    """Answers of 3 and 4 tokens in blocks of 2 are two blocks each; log d - log p is 0.5 and 1.5."""
    drawn = pd.DataFrame({"token_ids": [[1, 2, 3], [1, 2, 3, 4]], "log_model": [-1.0, -2.0], "log_prior": [-1.5, -3.5],
                          "kl_blocks": [0.2, 0.4], "kl": np.nan})  # fmt: skip
    spent = 2 * (np.log(4) - 3 / 4)
    for method, moved in ((BLOCKS, 0.0), (ON_DPO + BLOCKS, 1.0)):
        found = summing._kl(drawn, Setting(HH, method, scorer=Q, knob="K", value=4, M=2))
        assert found == pytest.approx({"kl_bound": spent + moved, "kl_estimate": 0.3 + moved, "selection": spent})
