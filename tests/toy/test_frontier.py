"""The frontier by duality against policies, mixtures and a convex solver; measures against enumeration."""

import math

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.arrays import expectation, normalised
from theory.best_of import best_of_levels
from theory.block_laws import Reward
from theory.information import kl
from theory.language_models import log_dirichlet
from theory.layers import Layers, action_values, sequence_kl, sequence_optimum, state_values
from toy.frontier import Frontier, World, win_rate


@st.composite
def frontiers(draw):
    levels = sorted(set(draw(st.lists(st.integers(-20, 20), min_size=1, max_size=6))))
    weights = draw(st.lists(st.floats(0.01, 1), min_size=len(levels), max_size=len(levels)))
    return Frontier(np.array(levels) / 8, normalised(np.log(weights)))


def small_world(seed):
    rng = np.random.default_rng(seed)
    shape = (4, 3, 3)
    log_p = log_dirichlet(3, rng, 1.0, shape[:2])
    log_p[-1, :, 1:] = -np.inf
    reward = Reward(rng.integers(-1, 3, shape), 0.5, rng.normal(size=4).round(1))
    layers = Layers(normalised(log_p), rng.integers(0, 3, shape[1:]), reward.gain)
    return World(layers, reward, rng.normal(size=shape))


@given(frontiers(), st.floats(0.0, 3.0))
def test_no_law_of_the_same_divergence_earns_more(frontier, divergence):
    best = frontier.best(divergence)
    rng = np.random.default_rng(0)
    for _ in range(20):
        log_pi = log_dirichlet(frontier.levels.size, rng, 0.5)
        if kl(log_pi, frontier.log_prob) <= divergence:
            assert expectation(log_pi, frontier.levels) <= best + 1e-10
    for K in (2, 5, 30):  # noqa: N806
        log_pi = best_of_levels(frontier.log_prob, K)
        assert expectation(log_pi, frontier.levels) <= frontier.best(float(kl(log_pi, frontier.log_prob))) + 1e-10


@given(frontiers(), st.sampled_from([5e-324, 1e-300, 1e-17, 1e-12]))
def test_a_divergence_below_rounding_earns_next_to_nothing(frontier, divergence):
    """sqrt(2 kappa Var r) is the gain near 0: the levels lie within some ten of each other."""
    gain = frontier.best(divergence) - frontier.point(0.0)[1]
    assert -1e-7 <= gain <= 10 * divergence**0.5 + 1e-7  # a KL rounded at 1e-16 fixes lambda, and so the gain, to 1e-8


@given(frontiers(), st.floats(0.01, 20.0))
def test_the_tilted_laws_are_on_it(frontier, lam):
    divergence, reward = frontier.point(lam)
    assert lam * reward - divergence == pytest.approx(frontier.dual(lam), abs=1e-11)
    assert frontier.best(divergence) == pytest.approx(reward, abs=1e-8)  # a KL near its limit fixes lambda poorly
    if frontier.levels.size > 1 and divergence < 0.99 * frontier.limit:
        assert frontier.point(frontier.strength(divergence))[0] == pytest.approx(divergence, abs=1e-10)


def test_it_is_what_a_convex_solver_finds():
    frontier = Frontier(np.array([0.0, 1.0, 3.0]), np.log([0.5, 0.3, 0.2]))
    for divergence in (0.05, 0.4, 1.2):
        pi = cp.Variable(3)
        spent = cp.sum(cp.kl_div(pi, np.exp(frontier.log_prob)))  # sums to one, so that the linear terms cancel
        problem = cp.Problem(cp.Maximize(pi @ frontier.levels), [cp.sum(pi) == 1, spent <= divergence])
        problem.solve(solver=cp.CLARABEL)
        assert frontier.best(divergence) == pytest.approx(problem.value, abs=1e-6)  # the solver's own accuracy


def test_the_ends_of_the_frontier():
    frontier = Frontier(np.array([0.0, 2.0]), np.log([0.75, 0.25]))
    assert frontier.best(0.0) == pytest.approx(0.5)
    assert frontier.limit == pytest.approx(math.log(4))
    assert frontier.best(1.5) == 2.0
    assert Frontier(np.array([3.0]), np.zeros(1)).best(0.7) == 3.0
    for bad in (-0.1, math.nan):
        with pytest.raises(ValueError, match="KL must be a number >= 0"):
            frontier.best(bad)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 4.0))
def test_a_world_puts_its_optimum_on_the_frontier_and_nothing_above(seed, lam):
    built = small_world(seed)
    policy, dual = sequence_optimum(built.layers, lam)
    found = built.of_policy(policy)
    assert lam * found["reward"] - found["kl"] == pytest.approx(dual, abs=1e-12)
    assert built.frontier.dual(lam) == pytest.approx(dual, abs=1e-12)
    assert found["reward"] == pytest.approx(found["optimum"], abs=1e-10)
    values = state_values(built.layers, action_values(built.layers, expectation))
    for M in (1, 2, 4):  # noqa: N806
        row = built.of_blocks(built.blocks(M), values, 3, M)
        assert row["reward"] <= row["optimum"] + 1e-10
        assert row["kl"] == row["kl_blocks"] <= row["bound"] + 1e-12


def test_blocks_of_another_policy_pay_for_it():
    built = small_world(3)
    policy, _ = sequence_optimum(built.layers, 1.0)
    possible = built.layers.log_p > -np.inf
    ratio = np.where(possible, policy, 0) - np.where(possible, built.layers.log_p, 0)
    values = np.zeros((5, 3))
    row = built.of_blocks(built.blocks(2, policy, (ratio,)), values, 1, 2)  # one candidate: the policy itself
    assert row["kl_blocks"] == pytest.approx(0, abs=1e-12)
    assert row["kl"] == pytest.approx(sequence_kl(built.layers, policy), abs=1e-12)
    alone = built.of_policy(policy)
    assert set(alone) == {"kl", "reward", "win", "judged", "tokens", "optimum"}
    assert set(row) == {*alone, "kl_blocks", "bound", "bound_first"}
    for name, value in alone.items():
        assert row[name] == pytest.approx(value, abs=1e-9)


@given(frontiers(), frontiers())
def test_win_rate_counts_ties_half(mine, theirs):
    pairs = [
        math.exp(a + b) * ((x > y) + (x == y) / 2)
        for x, a in zip(mine.levels, mine.log_prob, strict=True)
        for y, b in zip(theirs.levels, theirs.log_prob, strict=True)
    ]
    found = win_rate((mine.levels, mine.log_prob), (theirs.levels, theirs.log_prob))
    assert found == pytest.approx(sum(pairs), abs=1e-12)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: win_rate((np.array([1.0, 0.0]), np.log([0.5, 0.5])), (np.zeros(1), np.zeros(1))), "must ascend"),
        (lambda: win_rate((np.zeros(1), np.zeros(1)), (np.array([0.0, 0.0]), np.log([0.5, 0.5]))), "must ascend"),
        (
            lambda: win_rate((np.array(0.0), np.array(0.0)), (np.zeros(1), np.zeros(1))),
            "^the levels must have the shape",
        ),
        (
            lambda: win_rate((np.zeros(1), np.zeros(2)), (np.zeros(1), np.zeros(1))),
            "^the law of rewards must have the shape",
        ),
        (
            lambda: win_rate((np.zeros(1), np.zeros(1)), (np.zeros(1), np.array([np.nan]))),
            "^the law of rewards contains NaN",
        ),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
