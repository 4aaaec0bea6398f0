"""The tabular scorers against plain loops, enumeration of runs, and the values by backward induction."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.language_models import random_tree, strings
from theory.prefix_scorers import (
    bellman_target,
    cell_means,
    falling_rate,
    kept_bellman_target,
    mean_inverse_visits,
    one_token_on,
    pl_bound,
    pl_rate,
    prefix_gradient,
    prefix_loss,
    prefix_step,
    squared_errors,
)
from theory.values import hard_values

SEEDS = st.integers(0, 2**32 - 1)


def world(seed, n_symbols=2, depth=2):
    rng = np.random.default_rng(seed)
    tree = random_tree(n_symbols, depth, rng)
    return tree, rng.normal(size=tree.log_steps.shape[0]), rng


def passes(n_symbols, depth):
    every = strings(n_symbols, depth)
    return np.array([[float(y[: len(s)] == s) for s in every] for y in every])


@given(SEEDS)
def test_the_loss_is_that_of_equation_4(seed):
    _, reward, rng = world(seed)
    values, every = rng.normal(size=len(reward)), strings(2, 2)
    for y, (string, visits) in enumerate(zip(every, passes(2, 2), strict=True)):
        slow = sum((values[every.index(string[:t])] - reward[y]) ** 2 for t in range(len(string) + 1)) / 2
        assert prefix_loss(values, visits, reward[y, None]) == pytest.approx(slow, rel=1e-12)


@given(SEEDS)
def test_the_gradient_is_the_derivative_with_the_target_still(seed):
    rng = np.random.default_rng(seed)
    values, targets, direction = rng.normal(size=(3, 4))
    visits = rng.integers(0, 3, size=4).astype(float)
    high, low = (prefix_loss(values + side * direction, visits, targets) for side in (1, -1))
    # A quadratic: the central difference of any width is exact.
    assert np.sum(prefix_gradient(values, visits, targets) * direction) == pytest.approx((high - low) / 2, abs=1e-10)
    np.testing.assert_allclose(
        prefix_step(values, visits, targets, 0.3), values - 0.3 * visits * (values - targets), atol=1e-14
    )


@given(SEEDS)
def test_sweeps_of_cd_q_reach_the_values(seed):
    tree, reward, rng = world(seed, 3, 2)
    values, exact = rng.normal(size=len(reward)), hard_values(tree, reward)
    for _ in range(3):
        target = bellman_target(tree.log_steps, one_token_on(values, reward, 3))
        values = prefix_step(values, np.ones_like(values), target, 1.0)
    np.testing.assert_allclose(values, exact.state, atol=1e-12)
    np.testing.assert_allclose(one_token_on(values, reward, 3), exact.action, atol=1e-12)


def test_one_token_on_keeps_batches():
    values, reward = np.arange(14.0).reshape(2, 7), -np.arange(7.0)
    found = one_token_on(values, reward, 2)
    assert found.shape == (2, 7, 3)
    np.testing.assert_array_equal(found[1], one_token_on(values[1], reward, 2))
    assert found[1, 0].tolist() == [8.0, 9.0, 0.0]
    assert found[1, 2].tolist() == [12.0, 13.0, -2.0]
    assert found[0, 6].tolist() == [0.0, 0.0, -6.0]


def test_the_target_refuses_what_is_no_law():
    with pytest.raises(ValueError, match="NaN"):
        bellman_target(np.array([np.nan, 0.0]), np.zeros(2))


@given(SEEDS)
def test_known_tokens_alone_make_the_kept_target(seed):
    rng = np.random.default_rng(seed)
    p, action = rng.dirichlet(np.ones(4)), rng.normal(size=4)
    for known in itertools.product([False, True], repeat=4):
        chosen = np.array(known)
        slow = (p[chosen] @ action[chosen]) / p[chosen].sum() if chosen.any() else 0.0
        action_with_gaps = np.where(chosen, action, np.nan)
        assert kept_bellman_target(np.log(p), action_with_gaps, chosen) == pytest.approx(slow, abs=1e-12)


def test_a_known_token_that_the_base_forbids_does_not_count():
    log_p, action = np.array([-np.inf, np.log(0.5), np.log(0.5)]), np.array([7.0, 1.0, 3.0])
    assert kept_bellman_target(log_p, action, np.array([True, False, False])) == 0
    assert kept_bellman_target(log_p, action, np.array([True, True, False])) == 1


def test_all_known_is_the_bellman_target_in_batches():
    rng = np.random.default_rng(0)
    log_p, action = np.log(rng.dirichlet(np.ones(3), size=5)), rng.normal(size=(5, 3))
    known = np.ones((5, 3), dtype=bool)
    np.testing.assert_allclose(kept_bellman_target(log_p, action, known), bellman_target(log_p, action), atol=1e-14)
    known[2] = False
    assert kept_bellman_target(log_p, action, known)[2] == 0


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-3, 3)), min_size=1, max_size=30))
def test_cell_means_minimise_the_loss_and_are_where_steps_of_one_over_visits_lead(entries):
    cells, targets = (np.array(column) for column in zip(*entries, strict=True))
    means, seen = cell_means(cells, targets, 6)
    values, met = np.full(6, 7.0), np.zeros(6)
    for cell, target in entries:
        visits = np.eye(6)[cell]
        met += visits
        values = prefix_step(values, visits, np.array([target]), 1 / np.maximum(met, 1))
    np.testing.assert_array_equal(seen, met)
    np.testing.assert_array_equal(np.isnan(means), met == 0)
    np.testing.assert_allclose(values, np.where(met > 0, means, 7.0), atol=1e-12)
    total = sum(prefix_gradient(np.nan_to_num(means), np.eye(6)[c], np.array([x])) for c, x in entries)
    np.testing.assert_allclose(total, 0, atol=1e-12)


@given(SEEDS, st.floats(0.1, 1.2))
@settings(max_examples=20)
def test_the_law_of_squared_errors_by_all_runs(seed, rate):
    tree, reward, rng = world(seed, 2, 1)
    law, through = np.exp(tree.log_prob), passes(2, 1)
    reach = law @ through
    exact = (law * reward) @ through / reach
    variance = (law * reward**2) @ through / reach - exact**2
    start, rates = rng.normal(size=3), np.array([rate, rate / 2])
    found = np.zeros((3, 3))
    for first, second in itertools.product(range(3), repeat=2):
        values, chance = start, law[first] * law[second]
        found[0] += chance * (values - exact) ** 2
        for k, y in enumerate((first, second)):
            values = prefix_step(values, through[y], reward[y, None], rates[k])
            found[k + 1] += chance * (values - exact) ** 2
    np.testing.assert_allclose(squared_errors(start - exact, reach, variance, rates), found, atol=1e-12)


def test_squared_errors_take_rates_by_world():
    start, reach, variance = np.ones((2, 3)), np.full((2, 3), 0.5), np.ones((2, 3))
    rates = np.array([[[0.1], [0.2]], [[0.3], [0.4]]])
    both = squared_errors(start, reach, variance, rates)
    np.testing.assert_allclose(both[:, 1], squared_errors(start[1], reach[1], variance[1], np.array([0.2, 0.4])))


def test_rows_of_a_batch_are_scored_apart():
    rng = np.random.default_rng(0)
    values, visits, targets = rng.normal(size=(3, 2, 4))
    losses = [prefix_loss(*row) for row in zip(values, visits, targets, strict=True)]
    np.testing.assert_allclose(prefix_loss(values, visits, targets), losses, rtol=1e-14)
    reach = np.array([0.2, 0.0, 0.7])
    inverse = [mean_inverse_visits(5, one) for one in reach]
    np.testing.assert_allclose(mean_inverse_visits(5, reach), inverse, rtol=1e-14)
    table, rewards = np.arange(7.0), -np.arange(14.0).reshape(2, 7)
    np.testing.assert_array_equal(one_token_on(table, rewards, 2), [one_token_on(table, row, 2) for row in rewards])


def test_squared_errors_of_one_start_in_two_worlds():
    rates, variance = np.array([0.1]), np.array([1.0, 2.0])
    start, reach = np.array([1.0, 0.0]), np.array([[0.5, 0.5], [1.0, 0.25]])
    # (1 - 0.19 reach) start² + 0.01 reach variance
    exact = [np.broadcast_to(start, (2, 2)), [[0.91, 0.01], [0.82, 0.005]]]
    np.testing.assert_allclose(squared_errors(start, reach, variance, rates), exact, rtol=1e-13)
    other = squared_errors(reach, start, variance, rates)
    assert other.shape == (2, 2, 2)
    np.testing.assert_allclose(other[1], [[0.25 * 0.81 + 0.01, 0.25], [0.82, 0.0625]], rtol=1e-13)


@given(st.integers(1, 30), st.sampled_from([0.0, 1.0]) | st.floats(0.01, 0.99))
def test_mean_inverse_visits_by_the_binomial_law(count, reach):
    slow = sum(math.comb(count, n) * reach**n * (1 - reach) ** (count - n) / n for n in range(1, count + 1))
    assert mean_inverse_visits(count, np.array(reach)) == pytest.approx(slow, rel=1e-10, abs=1e-300)


@pytest.mark.parametrize(("count", "reach"), [(0, 0.5), (3, -0.1), (3, 1.1), (3, np.nan)])
def test_mean_inverse_visits_refuses_nonsense(count, reach):
    with pytest.raises(ValueError, match="must be >= 1"):
        mean_inverse_visits(count, np.array(reach))


def test_falling_rates_are_those_of_robbins_and_monro():
    assert falling_rate(0) == 1.0
    assert falling_rate(3, 0.75, 2.0) == pytest.approx(2 * 4**-0.75, rel=1e-14)
    assert falling_rate(9) == pytest.approx(0.1, rel=1e-14)
    for power, first in ((0.5, 1.0), (1.01, 1.0), (0.7, 0.0), (np.nan, 1.0)):
        with pytest.raises(ValueError, match="steps need"):
            falling_rate(0, power, first)


def test_the_pl_schedule_and_its_bound():
    assert pl_rate(0, 0.5) == 1.0
    assert pl_rate(2, 0.5) == pytest.approx(5 / 9, rel=1e-14)
    np.testing.assert_allclose(pl_bound(np.array([1, 4]), 2.0, 0.5, 3.0), [12.0, 3.0])
    assert pl_bound(1, 0.0, 1.0, 1.0) == 0
    assert pl_bound(1, 0.5, 10**10, 1.0) == pytest.approx(0.25e-20, rel=1e-14, abs=0)  # the square is beyond 64 bits


def test_the_bound_holds_on_the_schedule_and_is_no_triviality():
    reach, variance, start = np.array([1.0, 0.5]), np.array([0.3, 0.2]), np.array([1.0, -2.0])
    rates = np.array([pl_rate(k, 0.5) for k in range(200)])
    errors = squared_errors(start, reach, variance, rates)
    square = np.maximum.accumulate(np.sum(reach * (errors + variance), axis=-1))[:-1]
    bound = pl_bound(np.arange(1, 201), 1.0, 0.5, square)
    loss = np.sum(reach * errors[1:], axis=-1) / 2
    assert np.all(loss <= bound)
    assert loss[-1] > bound[-1] / 100


@pytest.mark.parametrize(
    ("k", "smoothness", "mu", "square"), [(0, 1, 1, 1), (1, -1, 1, 1), (1, 1, 0, 1), (1, 1, 1, np.nan)]
)
def test_a_bound_without_its_conditions_is_refused(k, smoothness, mu, square):
    with pytest.raises(ValueError, match=r"^the bound needs k >= 1"):
        pl_bound(k, smoothness, mu, square)


@pytest.mark.parametrize("cells", [[0, 3], [-1, 0], [0], [[0, 1]]])
def test_cells_outside_the_table_are_refused(cells):
    with pytest.raises(ValueError, match=r"^cells and targets must be two lists .* every cell one of 0 to 2\.$"):
        cell_means(np.array(cells), np.array([1.0, 2.0]), 3)


@pytest.mark.parametrize(("size", "symbols"), [(6, 2), (3, 0)])
def test_a_table_of_no_tree_is_refused(size, symbols):
    with pytest.raises(ValueError, match=rf"has no table of the shape \({size},\)"):
        one_token_on(np.zeros(size), np.zeros(size), symbols)


def test_one_symbol_makes_a_tree_too():
    found = one_token_on(np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]), 1)
    np.testing.assert_array_equal(found, [[2.0, 4.0], [3.0, 5.0], [0.0, 6.0]])


@pytest.mark.parametrize(("k", "mu"), [(-1, 1.0), (0, 0.0), (0, math.nan), (2, np.array([1.0, -1.0]))])
def test_a_rate_without_its_conditions_is_refused(k, mu):
    with pytest.raises(ValueError, match=f"^the step needs k >= 0 and mu > 0, not k = {k} and mu = "):
        pl_rate(k, mu)


def test_no_step_is_before_the_first_and_no_table_smaller_than_none():
    assert (pl_rate(0, 1.0), falling_rate(0)) == (0.5, 1.0)
    with pytest.raises(ValueError, match=r"^steps need k >= 0, 1/2 < power <= 1"):
        falling_rate(-1)
    with pytest.raises(ValueError, match=r"^cells and targets must be"):
        cell_means(np.zeros(0, dtype=int), np.zeros(0), -1)
    assert cell_means(np.zeros(0, dtype=int), np.zeros(0), 0)[0].size == 0
