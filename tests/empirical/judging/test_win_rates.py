"""Win rates: unbiased, ties half, prompts once each, and intervals that cover."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from empirical.judging.win_rates import over_prompts, pair_wins, win_rate
from tests.statistical.p_values import binomial
from tests.statistical.randomised import Randomised

few = arrays(float, st.integers(1, 8), elements=st.integers(-3, 3).map(float))


@given(few, few)
def test_pairs_one_by_one(mine, theirs):
    won = [(a > b) + (a == b) / 2 for a, b in product(mine, theirs)]
    assert pair_wins(mine, theirs) == pytest.approx(np.mean(won), abs=1e-12)
    assert pair_wins(mine, theirs) + pair_wins(theirs, mine) == pytest.approx(1, abs=1e-12)


@given(few, few)
def test_only_the_judges_order_counts(mine, theirs):
    assert pair_wins(np.exp(mine), np.exp(theirs)) == pair_wins(mine, theirs)


def test_ties_and_unequal_prompts():
    """Planted: strict wins, and all answers pooled, both differ."""
    policy, base = [np.zeros(6), np.ones(1)], [np.zeros(1), np.zeros(3)]
    assert win_rate(policy, base).value == (0.5 + 1) / 2
    assert np.mean([(a[:, None] > b).mean() for a, b in zip(policy, base, strict=True)]) == 0.5
    assert pair_wins(np.concatenate(policy), np.concatenate(base)) != 0.75


def test_unbiased():
    """Every draw of two answers each of a three-valued law, weighted by its probability."""
    p, q, judged = np.array([0.2, 0.3, 0.5]), np.array([0.6, 0.3, 0.1]), np.array([0.0, 1.0, 1.0])
    aim = p @ ((judged[:, None] > judged) + (judged[:, None] == judged) / 2) @ q
    found = sum(
        p[a] * p[b] * q[c] * q[d] * pair_wins(judged[[a, b]], judged[[c, d]])
        for a, b, c, d in product(range(3), repeat=4)
    )
    assert found == pytest.approx(aim, abs=1e-12)


def covered(rng, pooled=False):
    """How many of 1,000 intervals over 40 prompts that differ cover; pooled: of intervals over all answers alike."""
    held = 0
    for _ in range(1000):
        shift = rng.standard_normal((40, 1))
        policy, base = rng.standard_normal((40, 16)) + 0.5 + shift, rng.standard_normal((40, 16))
        if pooled:
            spread = 1.96 * np.sqrt((policy.var() + base.var()) / 640)
            held += abs(policy.mean() - base.mean() - 0.5) <= spread
        else:
            found = over_prompts(policy.mean(axis=1) - base.mean(axis=1))
            held += found.low <= 0.5 <= found.high
    return held


COVERAGE = Randomised(
    __name__,
    "intervals over prompts cover",
    draw=covered,
    judge=lambda held: binomial(held, 1000, 0.9, 1),  # 95 % less two points of the bootstrap's at 40 prompts
    planted={"all answers pooled": lambda rng: covered(rng, pooled=True)},
    sample="1,000 intervals cover in 90 % or more, exact binomial",
    trials=1000,
)


def test_coverage_clusters_by_prompt():
    COVERAGE.hold()


def test_the_base_against_itself():
    rng = np.random.default_rng(1)
    scores = [rng.standard_normal(8) for _ in range(5)]
    assert win_rate(scores, scores).value == 0.5


def test_an_interval_needs_two_prompts():
    found = over_prompts([0.3])
    assert found.value == 0.3
    assert np.isnan([found.low, found.high]).all()


def test_same_seed_same_interval():
    values = np.random.default_rng(0).standard_normal(9)
    assert over_prompts(values, 3) == over_prompts(values, 3) != over_prompts(values, 4)


def test_bad_input():
    one, none = np.zeros(1), np.zeros(0)
    with pytest.raises(ValueError, match="2 prompts and the base to 1"):
        win_rate([one, one], [one])
    for bad in (none, np.array([np.nan]), np.array([np.inf])):
        with pytest.raises(ValueError, match="at least one answer with a finite score"):
            win_rate([one], [bad])
    with pytest.raises(ValueError, match="at least one prompt"):
        over_prompts([])
