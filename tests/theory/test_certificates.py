import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from theory.arrays import normalised
from theory.certificates import dual, duality_gap, gibbs_residual, log_partition, objective, stationarity
from theory.guidance import gibbs, greedy

INF = float("inf")
# |u| <= 30 and log p >= -700: some ten roundings of 1e-16 of that.
ROUNDING = 1e-11


@st.composite
def problems(draw):
    """log p, u and a random log pi inside the support of p e^u; some tokens impossible, some ruled out."""
    size = draw(st.integers(2, 6))
    masses = draw(st.lists(st.sampled_from([0.0, 1e-300, 1.0]) | st.floats(0.01, 1), min_size=size, max_size=size))
    u = np.array(draw(st.lists(st.floats(-30, 30) | st.just(-INF), min_size=size, max_size=size)))
    u[0] = max(u[0], -30.0)
    with np.errstate(divide="ignore"):
        log_p = normalised(np.log([1.0, *masses[1:]]))
        weights = draw(st.lists(st.floats(0.001, 1), min_size=size, max_size=size))
        log_pi = normalised(np.log(np.where(np.isneginf(log_p) | np.isneginf(u), 0.0, weights)))
    return log_p, u, log_pi


@given(problems())
def test_the_gibbs_identity_certifies_the_closed_form_and_nothing_else(problem):
    log_p, u, log_pi = problem
    best = gibbs(log_p, u)
    assert gibbs_residual(log_pi, best, log_p, u) < ROUNDING
    # At pi = the wrong policy itself the residual is its distance KL(wrong || best) from the optimum.
    support = np.isfinite(best)
    if support.sum() > 1:
        wrong = gibbs(best, np.where(np.arange(best.size) == np.argmax(support), 0.5, 0.0))
        distance = np.sum(np.exp(wrong[support]) * (wrong[support] - best[support]))
        assert gibbs_residual(wrong, wrong, log_p, u) == pytest.approx(distance, abs=ROUNDING)


def test_both_sides_are_infinite_at_a_policy_that_takes_a_token_ruled_out():
    log_p, u = np.log([0.5, 0.5]), np.array([0.0, -INF])
    assert gibbs_residual(log_p, gibbs(log_p, u), log_p, u) == 0
    assert gibbs_residual(log_p, log_p, log_p, u) == INF


@given(problems())
def test_the_dual_bounds_every_policy_and_meets_the_best(problem):
    log_p, u, log_pi = problem
    log_z = logsumexp(log_p + u)
    assert log_partition(log_p, u) == pytest.approx(log_z, abs=ROUNDING)
    for mu in log_z - 1 + np.array([-2.0, -0.1, 0.0, 0.1, 2.0]):
        assert dual(mu, log_p, u) >= objective(log_pi, log_p, u) - ROUNDING
    least = minimize_scalar(lambda mu: float(dual(mu, log_p, u)), bracket=(log_z - 2, log_z))
    # A minimum found by comparing values is good to the square root of rounding in mu, to rounding in the value.
    assert least.fun == pytest.approx(log_z, abs=1e-9)
    assert duality_gap(log_pi, log_p, u) >= -ROUNDING
    assert abs(duality_gap(gibbs(log_p, u), log_p, u)) < ROUNDING


@given(problems())
def test_pinsker_turns_the_gap_into_a_distance(problem):
    log_p, u, log_pi = problem
    distance = np.abs(np.exp(log_pi) - np.exp(gibbs(log_p, u))).sum()
    assert distance <= np.sqrt(2 * max(float(duality_gap(log_pi, log_p, u)), 0.0)) + 1e-5  # sqrt(2 * ROUNDING)


@given(problems())
def test_stationary_only_at_the_optimum(problem):
    log_p, u, log_pi = problem
    best = gibbs(log_p, u)
    assert stationarity(best, log_p, u) < ROUNDING
    support = np.isfinite(best)
    expected = np.ptp(best[support] - log_pi[support])
    assert stationarity(log_pi, log_p, u) == pytest.approx(expected, abs=ROUNDING)
    if support.sum() > 1:
        assert stationarity(greedy(log_pi), log_p, u) == INF or np.ptp(log_pi[support]) == 0


def test_a_policy_outside_the_support_is_worth_nothing():
    log_p, u = np.array([0.0, -INF]), np.array([0.0, INF])
    assert objective(np.log([0.5, 0.5]), log_p, u) == -INF
    assert stationarity(np.log([0.5, 0.5]), log_p, u) == INF
    assert log_partition(log_p, u) == 0


def test_no_token_left_is_named():
    with pytest.raises(ValueError, match="-inf everywhere"):
        log_partition(np.log([0.5, 0.5]), np.array([-INF, -INF]))
