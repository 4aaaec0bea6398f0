import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import OptimizeResult

import theory.solvers
from theory.certificates import duality_gap, objective
from theory.guidance import gibbs
from theory.solvers import cone_installed, maximise_cone, maximise_logits

INF = float("inf")
RULES = settings(max_examples=25, deadline=None)


@st.composite
def small(draw):
    size = draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return np.log(0.05 + (1 - 0.05 * size) * rng.dirichlet(np.ones(size))), rng.uniform(-2, 2, size=size)


@RULES
@given(small())
def test_the_cone_solver_finds_the_closed_form(problem):
    log_p, u = problem
    found = maximise_cone(log_p, u)
    assert -1e-12 < duality_gap(found, log_p, u) < 1e-7
    # sqrt(2 * 1e-8) by Pinsker.
    assert np.abs(np.exp(found) - np.exp(gibbs(log_p, u))).sum() < 1.5e-4


@RULES
@given(small())
def test_bfgs_finds_the_closed_form(problem):
    log_p, u = problem
    found = maximise_logits(lambda log_pi: float(objective(log_pi, log_p, u)), np.log(np.full(u.size, 1 / u.size)))
    # The gradient vanishes to 1e-6 at most, and the curvature exceeds 1e-3 here.
    assert np.abs(np.exp(found) - np.exp(gibbs(log_p, u))).sum() < 1e-4


def test_impossible_tokens_stay_out():
    log_p, u = np.array([np.log(0.5), -INF, np.log(0.5)]), np.array([1.0, 5.0, -1.0])
    best = gibbs(log_p, u)
    for found in (maximise_cone(log_p, u), maximise_logits(lambda pi: float(objective(pi, log_p, u)), log_p)):
        assert found[1] == -INF
        assert np.abs(np.exp(found) - np.exp(best)).sum() < 1.5e-4
    assert maximise_logits(lambda _: 0.0, np.array([0.0, -INF])).tolist() == [0.0, -INF]


def test_without_the_extra_the_cone_solver_says_what_to_install(monkeypatch):
    monkeypatch.setattr(theory.solvers, "find_spec", lambda _: None)
    assert not cone_installed()
    with pytest.raises(ImportError, match=r"decoding-tradeoffs\[solvers\]"):
        maximise_cone(np.log([0.5, 0.5]), np.zeros(2))


def test_a_cone_solver_that_gives_up_is_not_believed():
    with pytest.raises(RuntimeError, match="status"):
        maximise_cone(np.log([0.5, 0.5]), np.zeros(2), gap=1e-40)


@pytest.mark.parametrize("slope", [0.1, np.nan])
def test_a_climb_that_stops_on_a_slope_is_not_believed(monkeypatch, slope):
    stopped = OptimizeResult(x=np.zeros(1), jac=np.array([slope]), message="out of breath")
    monkeypatch.setattr(theory.solvers, "minimize", lambda *_, **__: stopped)
    with pytest.raises(RuntimeError, match="out of breath"):
        maximise_logits(lambda _: 0.0, np.log([0.5, 0.5]))


@pytest.mark.parametrize(
    "solve", [lambda bad: maximise_cone(bad, np.zeros(2)), lambda bad: maximise_logits(float, bad)]
)
def test_bad_rows_are_named(solve):
    with pytest.raises(ValueError, match="NaN"):
        solve(np.array([0.0, np.nan]))
