from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import OptimizeResult

import theory.solvers
from theory.certificates import duality_gap, objective
from theory.guidance import gibbs
from theory.solvers import cone_installed, maximise_cone, maximise_logits, minimise_linear

INF = float("inf")
RULES = settings(max_examples=25)


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


@RULES
@given(st.integers(1, 20), st.integers(2, 4), st.integers(0, 2**32))
def test_many_instances_are_one_programme(batch, size, seed):
    rng = np.random.default_rng(seed)
    log_p = np.log(0.05 + (1 - 0.05 * size) * rng.dirichlet(np.ones(size), size=(2, batch)))
    log_p[0, 0, -1] = -INF
    u = rng.uniform(-2, 2, size=log_p.shape)
    start = np.where(np.isneginf(log_p), -INF, 0.0) - np.log(size)
    for found in (maximise_cone(log_p, u), maximise_logits(lambda pi: objective(pi, log_p, u), start)):
        assert np.abs(np.exp(found) - np.exp(gibbs(log_p, u))).sum(axis=-1).max() < 1.5e-4


@RULES
@given(st.integers(1, 20), st.integers(2, 5), st.integers(0, 2**32))
def test_linear_programmes_end_at_their_own_vertices(batch, size, seed):
    costs = np.random.default_rng(seed).normal(size=(batch, size))
    every, one = np.ones((batch, 1, size)), np.ones((batch, 1))
    found = minimise_linear(costs, every, one, every, one)
    np.testing.assert_allclose(found, costs == costs.min(axis=-1, keepdims=True), atol=1e-6)
    # At most 3/4 on the best token: the rest goes to the next.
    found = minimise_linear(costs, np.broadcast_to(np.eye(size), (batch, size, size)), 0.75 * every[:, 0], every, one)
    np.testing.assert_allclose(np.sort(found, axis=-1)[:, -2:], np.broadcast_to([0.25, 0.75], (batch, 2)), atol=1e-6)


def test_a_linear_programme_without_optimum_is_named():
    every, one = np.ones((1, 1, 2)), np.ones((1, 1))
    with pytest.raises(RuntimeError, match="no optimum"):
        minimise_linear(np.ones((1, 2)), every, 0 * one, every, one)


def test_impossible_tokens_stay_out():
    log_p, u = np.array([np.log(0.5), -INF, np.log(0.5)]), np.array([1.0, 5.0, -1.0])
    best = gibbs(log_p, u)
    for found in (maximise_cone(log_p, u), maximise_logits(lambda pi: float(objective(pi, log_p, u)), log_p)):
        assert found[1] == -INF
        assert np.abs(np.exp(found) - np.exp(best)).sum() < 1.5e-4
    assert maximise_logits(lambda _: 0.0, np.array([0.0, -INF])).tolist() == [0.0, -INF]


@pytest.mark.parametrize("missing", ["cvxpy", "clarabel"])
def test_without_the_extra_the_cone_solver_says_what_to_install(monkeypatch, missing):
    monkeypatch.setattr(theory.solvers, "find_spec", lambda name: None if name == missing else name)
    assert not cone_installed()
    with pytest.raises(ImportError, match=r"^the cone solver needs .* pip install 'decoding-tradeoffs\[solvers\]'"):
        maximise_cone(np.log([0.5, 0.5]), np.zeros(2))


def test_what_is_said_of_impossible_tokens_is_void():
    found = maximise_cone(np.array([np.log(0.5), -INF, np.log(0.5)]), np.array([0.0, np.nan, np.log(3)]))
    np.testing.assert_allclose(np.exp(found), [0.25, 0, 0.75], atol=1.5e-4)  # Pinsker, as above


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_bfgs_climbs_the_hill_it_starts_on(side):
    """-(x^2 - 1)^2 in the log-odds x has a top at -1 and one at 1."""
    found = maximise_logits(lambda q: -(((q[..., 0] - q[..., 1]) ** 2 - 1) ** 2), np.log(0.5) + np.array([side / 2, 0]))
    assert found[0] - found[1] == pytest.approx(side, abs=1e-6)  # the gradient, which vanishes to 1e-6, has slope 8


def test_the_slope_handed_to_bfgs_is_the_gradient(monkeypatch):
    """d<pi, u> / d logit_a = pi_a (u_a - <pi, u>), of two rows at once; the minimiser sees the negative."""
    u, start = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]]), np.log([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    seen = {}

    def look(loss, at, **_):
        seen["value"], seen["slope"] = loss(at)
        return OptimizeResult(x=at, jac=np.zeros(at.size), message="")

    monkeypatch.setattr(theory.solvers, "minimize", look)
    maximise_logits(lambda q: (np.exp(q) * u).sum(axis=-1), start)
    p = np.exp(start)
    mean = (p * u).sum(axis=-1, keepdims=True)
    assert seen["value"] == pytest.approx(-mean.sum(), rel=1e-14)
    np.testing.assert_allclose(seen["slope"].reshape(2, 3), -p * (u - mean), atol=1e-9)  # STEP^2 and 1e-15 / STEP


def test_a_cone_solver_that_stops_short_is_not_believed(monkeypatch):
    monkeypatch.setattr(theory.solvers, "dual", lambda *_: np.asarray(1.0))
    with pytest.raises(RuntimeError, match="1e\\+00 nats short, with status"):
        maximise_cone(np.log([0.5, 0.5]), np.zeros(2))


def test_what_the_cone_solver_gives_up_on_is_solved_in_halves(monkeypatch):
    """Without AVX NumPy's last digits made Clarabel give up on 4,000 entries. Planted: it takes one row, or none."""
    cvxpy = pytest.importorskip("cvxpy")
    rng, solve, most, asked = np.random.default_rng(0), cvxpy.Problem.solve, 4, set()

    def refusing(problem, **options):
        asked.add(options["tol_gap_abs"])
        if sum(one.size for one in problem.variables()) > most:
            raise cvxpy.SolverError("too many")
        return solve(problem, **options)

    monkeypatch.setattr(cvxpy.Problem, "solve", refusing)
    log_p, u = np.log(rng.dirichlet(np.full(4, 5.0), size=(2, 3))), rng.uniform(-1, 1, (2, 3, 4))
    assert duality_gap(maximise_cone(log_p, u, 1e-7), log_p, u).max() < 1e-6
    assert asked == {1e-7}
    most = 3
    with pytest.raises(RuntimeError, match=r"^the cone solver gave up: too many"):
        maximise_cone(log_p, u)


def test_what_the_cone_solver_stops_short_of_is_solved_in_halves(monkeypatch):
    """On another processor Clarabel stopped 1.1e-8 short of one row in 1,000. Planted: of all but single rows."""
    asked, exact = [], theory.solvers.dual

    def short(multiplier, log_p, u):
        asked.append(np.size(multiplier))
        return exact(multiplier, log_p, u) + (asked[-1] > 1)

    monkeypatch.setattr(theory.solvers, "dual", short)
    rng = np.random.default_rng(0)
    log_p, u = np.log(rng.dirichlet(np.full(3, 5.0), size=4)), rng.uniform(-1, 1, (4, 3))
    assert duality_gap(maximise_cone(log_p, u), log_p, u).max() < 1e-7
    assert asked == [4, 2, 1, 1, 2, 1, 1]


@pytest.mark.parametrize("scale", [50.0, 200.0])
def test_at_scale_an_answer_is_certified_or_refused(scale):
    """A thousand tokens, utilities of tens of nats: Clarabel calls solved what is up to 2e-7 nats short.

    The certificate is asked again, with the best multiplier and not the solver's; rounding of u: 1e-11.
    """
    rng = np.random.default_rng(0)
    log_p, u = np.log(rng.dirichlet(np.full(1000, 0.5))), rng.uniform(-scale, scale, 1000)
    with suppress(RuntimeError):
        assert duality_gap(maximise_cone(log_p, u), log_p, u) < 1e-8 + 1e-11
    assert duality_gap(maximise_cone(log_p, u / scale), log_p, u / scale) < 1e-8 + 1e-11  # not every answer is refused
    assert duality_gap(gibbs(log_p, 0.999 * u), log_p, u) > 1e-8  # nor any certified


@pytest.mark.parametrize("slope", [0.1, np.nan])
def test_a_climb_that_stops_on_a_slope_is_not_believed(monkeypatch, slope):
    stopped = OptimizeResult(x=np.zeros(1), jac=np.array([slope]), message="out of breath")
    monkeypatch.setattr(theory.solvers, "minimize", lambda *_, **__: stopped)
    with pytest.raises(RuntimeError, match="out of breath"):
        maximise_logits(lambda _: 0.0, np.log([0.5, 0.5]))


@pytest.mark.parametrize(
    ("solve", "name"),
    [
        (lambda bad: maximise_cone(bad, np.zeros(2)), "log_p"),
        (lambda bad: maximise_cone(np.log([0.5, 0.5]), bad), r"log p \+ u"),
        (lambda bad: maximise_logits(float, bad), "start"),
    ],
)
def test_bad_rows_are_named(solve, name):
    with pytest.raises(ValueError, match=f"^{name} contains NaN"):
        solve(np.array([0.0, np.nan]))


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"^u \(3,\) must have the shape of log_p \(2,\)\.$"):
        maximise_cone(np.log([0.5, 0.5]), np.zeros(3))
    every, one, costs = np.ones((1, 1, 2)), np.ones((1, 1)), np.ones((1, 2))
    wrong = [
        (costs[:0], every[:0], one[:0], every[:0], one[:0]),
        (costs[0], every, one, every, one),
        (costs, every[..., :1], one, every, one),
        (costs, every, one, every, one[0]),
        (costs, every, np.ones((2, 1)), every, one),
        (costs, every, one, np.ones((1, 2, 2)), one),
    ]
    for given_ in wrong:
        with pytest.raises(ValueError, match=r"do not fit .* one row an instance"):
            minimise_linear(*given_)
