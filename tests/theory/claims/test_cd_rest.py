"""The claims on controlled decoding's values, losses and blocks fall when a rule or a measure is replaced."""

from functools import cache
from importlib import import_module

import numpy as np
import pytest

import theory.claims  # fills the registry
from tests.statistical.p_values import bernstein
from tests.statistical.randomised import Randomised
from theory.arrays import expectation
from theory.best_of import best_of
from theory.claims.cd import best_of_k_tilts, convergence, tokenwise_objective
from theory.claims.cd.best_of_k import ceiling
from theory.claims.cd.blockwise import closed
from theory.information import kl
from theory.ledger import REGISTRY, verify
from theory.values import Values, hard_values, soft_values, tokenwise


def soft(tree, reward):
    return soft_values(tree, reward, 1.0)


def shifted(tree, reward):
    values = hard_values(tree, reward)
    return Values(values.state + 0.01, values.action)


def one_more(log_p, reward, count):
    return best_of(log_p, reward, count + 1)


BROKEN = [
    ("cd.eq1", "value_function", "hard_values", soft),
    ("cd.adv0", "value_function", "expectation", lambda p, q: expectation(p, q) + 0.01),
    ("cd.bellman", "value_function", "hard_values", soft),
    ("cd.bellman", "value_function", "solved", lambda tree, r: hard_values(tree, r).state[..., ::-1]),
    ("cd.multiobj", "value_function", "hard_values", soft),
    ("cd.multiobj", "value_function", "weighted", lambda a, b, shares: a),
    ("cd.eq2", "tokenwise_objective", "printed", lambda pi, p, v, value, lam: kl(pi, p)),
    ("cd.eq2", "tokenwise_objective", "printed", lambda pi, p, v, value, lam: lam * expectation(pi, v)),
    ("cd.lambda0", "tokenwise_objective", "tokenwise", lambda tree, v, lam: tokenwise(tree, v, lam + 0.1)),
    ("cd.lambda0", "tokenwise_objective", "hard_values", shifted),
    ("cd.tradeoff", "tokenwise_objective", "tokenwise", lambda tree, v, lam: tokenwise(tree, v, 1.1 * lam)),
    ("cd.tradeoff", "tokenwise_objective", "tokenwise", lambda tree, v, lam: tokenwise(tree, v, min(lam, 100.0))),
    ("cd.eq6", "tokenwise_objective", "kl", lambda a, b: 20 * kl(a, b)),
    ("cd.eq6", "tokenwise_objective", "tokenwise", lambda tree, v, lam: tokenwise(tree, v, 8 * lam)),
    ("cd.lemC.1", "fudge", "hard_values", soft),
    ("cd.lemC.1", "fudge", "given_prefix", lambda law, x: x),
    ("cd.eq16", "fudge", "passing", lambda: 0 * theory.claims.trees.passing()),
    ("cd.eq20", "fudge", "hard_values", soft),
    ("cd.thm3.1", "convergence", "hard_values", soft),
    ("cd.eq5", "semi_gradient", "bellman_target", lambda p, q: np.where(np.isneginf(p), -np.inf, q).max(axis=-1)),
    ("cd.eq7", "blockwise", "best_of", one_more),
    ("cd.eq7", "blockwise", "tournament", lambda p, scores, count: p),
    ("cd.block_kl", "block_cost", "best_of", one_more),
    ("cd.block_kl", "block_cost", "closed", lambda count: closed(2 * count)),
    ("cd.bok_tilt", "best_of_k_tilts", "best_of", one_more),
    ("cd.bok_tilt", "best_of_k_tilts", "ceiling", lambda count: ceiling(count) / 2),
    ("cd.dpo_additivity", "best_of_k_tilts", "kl", lambda a, b: kl(b, a)),
    ("cd.dpo_additivity", "best_of_k_tilts", "best_of", lambda log_p, reward, count: log_p),
]


@pytest.mark.parametrize(("id", "module", "rule", "broken"), BROKEN)
def test_a_broken_rule_contradicts_its_claim(monkeypatch, id, module, rule, broken):
    monkeypatch.setattr(import_module(f"theory.claims.cd.{module}"), rule, broken)
    assert any(fault.startswith("check failed") for fault in verify(REGISTRY[id]).faults())


@pytest.mark.parametrize("id", ["cd.eq16", "cd.eq20", "cd.thmC.2", "cd.dpo_additivity"])
def test_an_erratum_has_both_sides(id):
    entry = verify(REGISTRY[id])
    assert entry.verdict == "erratum"
    assert all(any(check.name.startswith(side) for check in entry.checks) for side in ("printed", "corrected"))


def test_theorem_c2_stands_for_samples_without_the_wiggle(monkeypatch):
    """With V_i = theta the mean of two PL losses is PL, so the erratum must be withdrawn."""

    def straight(theta):
        return (theta + 2) ** 2 / 2, (theta - 2) ** 2 / 2, np.ones((2, theta.size))

    monkeypatch.setattr(convergence, "wiggly", straight)
    assert any("printed: local minima" in fault for fault in verify(REGISTRY["cd.thmC.2"]).faults())


def test_theorem_c2_falls_with_steps_that_do_not_shrink(monkeypatch):
    original = convergence.Descent.run
    constant = lambda self, start, rate: original(self, start, lambda _: rate(0) / 2)  # noqa: E731
    monkeypatch.setattr(convergence.Descent, "run", constant)
    assert any("corrected: gap" in fault for fault in verify(REGISTRY["cd.thmC.2"]).faults())


def test_the_two_wiggly_samples_of_the_audit():
    first, second, slopes = convergence.wiggly(convergence.GRID)
    total = first + second
    low = np.flatnonzero((total[1:-1] < total[:-2]) & (total[1:-1] < total[2:])) + 1
    np.testing.assert_allclose(total[low], [6.223, 3.610, 4.061], atol=5e-4)
    for loss, slope in ((first, slopes[0]), (second, slopes[1])):
        grown = np.gradient(loss, convergence.GRID) ** 2 / 2
        np.testing.assert_allclose(grown[1:-1], (slope * loss)[1:-1], atol=1e-5)
        assert loss.min() < 1e-8


@cache
def fitted():
    """A problem of seven samples, its step size, and the exact second moments of the error along the descent."""
    fit, _, _ = convergence.descents(np.random.default_rng(0))
    rate = 0.5 * fit.bend / fit.mean(fit.curvature**2)
    return fit, rate[0], fit.run(1.0, lambda _: rate)[0][:, 0]


def squared_errors(rng, faster=1.0):
    """The squared errors of 40,000 descents of 20 steps; faster: by this factor in the step size."""
    fit, rate, _ = fitted()
    theta = np.full(40_000, fit.optimum[0] + 1.0)
    for _ in range(20):
        y = rng.choice(fit.law[0].size, size=theta.size, p=fit.law[0])
        theta -= faster * rate * (fit.curvature[0][y] * theta - fit.pull[0][y])
    return (theta - fit.optimum[0]) ** 2


def second_moment(squares):
    """A step maps the error's ends to new ends, whatever is drawn: 20 times, it stays between them."""
    fit, rate, errors = fitted()
    ends = np.array([1.0, 1.0])
    shrink, shift = 1 - rate * fit.curvature[0], rate * (fit.pull[0] - fit.curvature[0] * fit.optimum[0])
    for _ in range(20):
        reached = shrink * ends[:, None] + shift
        ends = np.array([reached.min(), reached.max()])
    return bernstein(squares, 0, np.max(ends**2), errors[20])


DESCENTS = Randomised(
    __name__,
    "exact moments are those of simulated descents",
    draw=squared_errors,
    judge=second_moment,
    planted={"steps longer by a quarter": lambda rng: squared_errors(rng, 1.25)},
    sample="40,000 descents, empirical Bernstein",
)


def test_the_exact_moments_are_those_of_simulated_descents():
    DESCENTS.hold()


def test_the_audits_figures_for_dpo_and_best_of_two():
    p, d = np.log([0.5, 0.5]), np.log([0.8, 0.2])
    policy = best_of(d, np.array([1.0, 0.0]), 2)
    assert kl(policy, p) == pytest.approx(0.5252, abs=5e-5)
    assert ceiling(2) + kl(d, p) == pytest.approx(0.3859, abs=5e-5)
    assert kl(policy, d) + kl(d, p) == pytest.approx(0.3034, abs=5e-5)


@pytest.mark.parametrize(("count", "earned"), [(2, 0.67591), (4, 0.80400), (16, 0.941287)])
def test_the_tilt_of_equal_cost(count, earned):
    strength = best_of_k_tilts.equal_cost(ceiling(count))
    assert best_of_k_tilts.tilted_mean(strength) == pytest.approx(earned, abs=5e-6)
    # The mean and the cost by a sum over a fine grid.
    r = (np.arange(100_000) + 0.5) / 100_000
    weight = np.exp(strength * (r - 1))
    weight /= weight.sum()
    assert weight @ r == pytest.approx(earned, abs=5e-6)
    assert weight @ np.log(weight * r.size) == pytest.approx(ceiling(count), abs=1e-6)


def test_the_worst_scorer_on_two_tokens_costs_more_than_once_its_error():
    rare = np.array([-18.0, np.log1p(-np.exp(-18.0))])
    wrong = tokenwise_objective.controlled(rare, np.array([10.0, -10.0]), 1.0)
    assert 10 < kl(wrong, rare) <= 20
