"""A claim about a rule must fall when the rule is broken, or its evidence proves nothing."""

from importlib import import_module

import numpy as np
import pytest

import theory.claims
import theory.solvers
from theory.arrays import normalised
from theory.claims.chang import approximations, attribution
from theory.claims.chang.literal_objective import literal, on_grid, printed_policy, refined, stationary, threshold
from theory.claims.optimality import rowwise
from theory.classifier_readings import respond
from theory.guidance import classifier_free_guidance, gibbs, greedy
from theory.information import entropy, kl
from theory.ledger import REGISTRY, verify

BROKEN = [
    ("chang.thm3.1-frozen", "classifier_guidance", "classifier_guidance", lambda p, q, lam: normalised(lam * p + q)),
    ("chang.thm3.1-frozen", "classifier_guidance", "classifier_guidance", lambda p, q, lam: normalised(p + np.exp(q))),
    (
        "chang.thm3.2",
        "classifier_free_guidance",
        "classifier_free_guidance",
        lambda p, q, lam: gibbs(p, lam * q),
    ),
    (
        "chang.thm3.2",
        "classifier_free_guidance",
        "classifier_free_guidance",
        # The scale of other libraries: p^lambda (p^-)^(1 - lambda).
        lambda p, q, lam: gibbs(p, (lam - 1) * (np.where(np.isneginf(p), 0.0, p) - q)),
    ),
    (
        "chang.thm3.2",
        "classifier_free_guidance",
        "classifier_free_guidance",
        lambda p, q, lam: classifier_free_guidance(p, q, max(lam, -0.5)),
    ),
    ("chang.thm3.3", "kl_guided_temperature", "kl_guided_temperature", lambda p, q, sigma: p),
    (
        "chang.thm3.3",
        "kl_guided_temperature",
        "printed",
        lambda pi, p, lam: -((abs(lam) + 1) * kl(pi, p) + abs(lam) * entropy(pi)),  # another for lambda < 0 alone
    ),
    ("chang.thm3.4", "temperature", "policy", lambda p, t: normalised(p * t)),
    (
        "chang.thm3.4",
        "temperature",
        "printed",
        # Another where a token is impossible, and only there.
        lambda pi, p, t: -kl(pi, p) / t - (1 / t - 1) * entropy(pi) + np.isneginf(p).any(axis=-1),
    ),
    ("chang.thm3.1-base", "attribution", "respond", lambda p, q, lam: respond(p, q, 1.1 * lam)),
    ("chang.thm3.1-base", "attribution", "respond", lambda p, q, lam: gibbs(p, lam * np.exp(q))),
    # Hopeless prefixes keep a hundredth of what they have.
    ("chang.thm3.1-base", "attribution", "respond", lambda p, q, lam: respond(p, np.maximum(q, np.log(0.01)), lam)),
    ("chang.sec4.2-chain", "approximations", "classifier_free_guidance", lambda p, q, lam: gibbs(p, lam * p)),
    ("chang.sec4.2-chain", "approximations", "greedy", lambda p: greedy(-p)),
    ("chang.thm3.5", "greedy", "greedy_policy", lambda p: normalised(20 * p)),
    ("chang.thm3.5", "greedy", "greedy_policy", lambda p: greedy(p - 1e-9 * np.arange(p.shape[-1]))),
]


@pytest.mark.parametrize(("id", "module", "rule", "broken"), BROKEN)
def test_a_broken_rule_contradicts_its_claim(monkeypatch, id, module, rule, broken):
    monkeypatch.setattr(import_module(f"theory.claims.chang.{module}"), rule, broken)
    monkeypatch.setattr("theory.claims.optimality.cone_installed", lambda: False)
    assert any(fault.startswith("check failed") for fault in verify(REGISTRY[id]).faults())


def test_a_claim_stands_without_the_cone_solver(monkeypatch):
    full = verify(REGISTRY["chang.thm3.4"])
    monkeypatch.setattr(theory.solvers, "find_spec", lambda _: None)
    bare = verify(REGISTRY["chang.thm3.4"])
    assert bare.faults() == []
    assert {check.name for check in full.checks} - {check.name for check in bare.checks} == {"argmax over the simplex"}


def test_the_literal_theorem_falls_if_success_did_not_depend_on_the_policy(monkeypatch):
    """With V frozen at the base policy's value the printed formula is right, so the erratum must be withdrawn."""

    def frozen(pi, p, q, lam):
        return lam * (np.sum(pi * np.log(q), axis=-1) - np.log(np.sum(p * q, axis=-1))) - np.sum(
            pi * np.log(pi / p), axis=-1
        )

    for module in ("literal", "literal_objective"):
        monkeypatch.setattr(f"theory.claims.chang.{module}.literal", frozen)
    assert any("printed" in fault for fault in verify(REGISTRY["chang.thm3.1-literal"]).faults())


def test_the_smallest_counter_example_to_theorem_3_1():
    """P_G = (.6, .4), Q = (.1, .9), lambda = 1: the audit's figures, computed afresh."""
    p, q = np.array([0.6, 0.4]), np.array([0.1, 0.9])
    printed = printed_policy(p, q, 1.0)
    np.testing.assert_allclose(printed, [0.1429, 0.8571], atol=5e-5)
    values = on_grid(p, q, 1.0)
    best = refined(np.linspace(0, 1, 10001)[1:-1][values.argmax()], p, q, 1.0)
    np.testing.assert_allclose(best, [0.9977, 0.0023], atol=5e-5)
    figures = [literal(best, p, q, 1.0), literal(printed, p, q, 1.0), literal(p, p, q, 1.0)]
    np.testing.assert_allclose(figures, [-0.5087, -0.6263, -0.5562], atol=5e-5)
    np.testing.assert_allclose([p @ q, printed @ q, best @ q], [0.42, 0.786, 0.102], atol=5e-4)
    np.testing.assert_allclose(stationary(best, p, q, 1.0), best, atol=1e-12)
    assert threshold(q) == pytest.approx(4 * 0.09 / 0.64)


@pytest.mark.parametrize("measure", ["entropy", "cross_entropy", "kl"])
def test_table_1_falls_with_any_of_its_measures(monkeypatch, measure):
    original = getattr(approximations, measure)
    monkeypatch.setattr(approximations, measure, lambda *args: original(*args) / np.log(2))  # bits for nats
    assert any(fault.startswith("check failed") for fault in verify(REGISTRY["chang.table1"]).faults())


def test_the_sign_of_i_hat_falls_with_the_posterior_for_the_policy(monkeypatch):
    monkeypatch.setattr(attribution, "kl", lambda a, b: -attribution.expectation(a, a - b))
    assert any("corrected" in fault for fault in verify(REGISTRY["chang.Ihat_disc"]).faults())


def test_rowwise_gives_each_row_its_own_parameter():
    rows = np.arange(6.0).reshape(3, 2)
    found = rowwise(lambda array, value: array * value, np.array([2.0, 0.0, 2.0]), rows)
    assert found.tolist() == [[0, 2], [0, 0], [8, 10]]
