"""Controlled decoding's claims fall when the rule, or the printed equation, is replaced."""

import itertools

import numpy as np
import pytest

import theory.claims  # noqa: F401 (fills the registry)
from theory.claims.cd import best_of_k, sequences, tokenwise
from theory.claims.cd.two_steps import two_steps
from theory.guidance import gibbs
from theory.ledger import REGISTRY, verify
from theory.values import tokenwise as tokenwise_rule


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


@pytest.mark.parametrize("id", ["cd.seq_vs_tok", "cd.chain", "cd.softvalue"])
def test_a_broken_rule_contradicts_the_claims_on_sequences(monkeypatch, id):
    monkeypatch.setattr(sequences, "tokenwise", lambda tree, values, lam: tokenwise_rule(tree, values, 1.1 * lam))
    assert any(fault.startswith("check failed") for fault in verify(REGISTRY[id]).faults())


@pytest.mark.parametrize(("scale", "shortfall"), [(1.0, 0.0233), (3.0, 0.5562), (5.0, 1.4737)])
def test_the_coin_world_costs_the_tokenwise_rule_what_the_audit_says(scale, shortfall):
    tree, reward = sequences.coin(scale)
    assert sequences.shortfall(tree, reward, 1.0) == pytest.approx(shortfall, abs=5e-5)
    law = np.exp(sequences.controlled(tree, reward, 1.0).log_prob)
    tilted = np.exp([scale, -scale]) / (2 * np.cosh(scale))
    np.testing.assert_allclose(law, [0, 0.5, 0, 0, 0, *(0.5 * tilted)], rtol=1e-12, atol=1e-15)


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


@pytest.mark.parametrize("id", ["cd.bok_pmf", "cd.bok_kl", "cd.winrate"])
def test_one_draw_more_contradicts_the_claims_on_best_of_k(monkeypatch, id):
    original = best_of_k.best_of
    monkeypatch.setattr(best_of_k, "best_of", lambda log_p, reward, count: original(log_p, reward, count + 1))
    assert any(fault.startswith("check failed") for fault in verify(REGISTRY[id]).faults())
