"""Controlled decoding's claims fall when the rule, or the printed equation, is replaced."""

import itertools

import numpy as np
import pytest

import theory.claims  # noqa: F401 (fills the registry)
from theory.claims.cd import tokenwise
from theory.claims.cd.two_steps import two_steps
from theory.guidance import gibbs
from theory.ledger import REGISTRY, verify


@pytest.mark.parametrize(
    "broken",
    [
        lambda p, v, lam: gibbs(p, v),  # lambda forgotten
        lambda p, v, lam: gibbs(p, 2 * lam * v),
        lambda p, v, lam: gibbs(np.where(np.isneginf(p), p, 0.0), lam * v),  # base model forgotten
        lambda p, v, lam: gibbs(p, lam * (v - v.max(axis=0))),  # a baseline that differs between tokens
    ],
)
def test_a_broken_rule_contradicts_theorem_2_1(monkeypatch, broken):
    monkeypatch.setattr(tokenwise, "controlled", broken)
    monkeypatch.setattr("theory.claims.optimality.cone_installed", lambda: False)
    assert any(fault.startswith("check failed") for fault in verify(REGISTRY["cd.thm2.1"]).faults())


def test_the_erratum_is_withdrawn_for_an_objective_without_the_baseline(monkeypatch):
    """Had equation 2 no -V* in its advantage, the printed equation 12 would be right."""
    original = tokenwise.printed
    monkeypatch.setattr(tokenwise, "printed", lambda pi, p, v, value, lam: original(pi, p, v, 0 * value, lam))
    faults = verify(REGISTRY["cd.eq12"]).faults()
    assert any("printed" in fault for fault in faults)
    assert any("corrected" in fault for fault in faults)


def test_values_are_expected_rewards_over_all_strings():
    world = two_steps(np.random.default_rng(0), 20, 3, 1e-3, -1.0, 1.0)
    for row in range(20):
        first, second, reward = (
            np.array(x[row]) for x in (np.exp(world.log_first), np.exp(world.log_second), world.reward)
        )
        total = sum(first[a] * second[a, b] * reward[a, b] for a, b in itertools.product(range(3), repeat=2))
        assert world.value[row] == pytest.approx(total, abs=1e-14)
        assert world.values[row][1] == pytest.approx(second[1] @ reward[1], abs=1e-14)
