"""The rows on tabular scorers and on what PPO, DPO and IPO aim at; broken code breaks them."""

import numpy as np
import pytest

import theory.claims  # noqa: F401  fills the registry
from theory import prefix_scorers
from theory.claims.cd import ipo_optima, preference_optima, tabular_rates, tabular_scorers
from theory.ledger import REGISTRY, verify

NAMES = [
    "new.tabular-scorers",
    "new.tabular-rates",
    "new.preference-optima",
    "new.dpo-certain-labels",
    "new.ipo-optimum",
    "new.ipo-against-rl",
]


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("name", NAMES)
def test_claim_stands(name, seed):
    entry = verify(REGISTRY[name], seed)
    assert entry.faults() == []
    assert entry.controls
    assert max(check.instances for check in entry.checks) >= 1000


def failed(name):
    return "; ".join(verify(REGISTRY[name]).faults())


def test_a_gradient_of_the_wrong_sign_is_found(monkeypatch):
    monkeypatch.setattr(tabular_scorers, "prefix_gradient", lambda v, n, t: n * (t - v))
    assert "the gradient is the loss's" in failed("new.tabular-scorers")


def test_a_target_under_a_flat_law_is_found(monkeypatch):
    monkeypatch.setattr(tabular_scorers, "bellman_target", lambda log_p, q: q.mean(axis=-1))
    found = failed("new.tabular-scorers")
    assert "off-policy CD-Q stands still" in found
    assert "k sweeps" in found


def test_a_step_of_half_its_rate_is_found(monkeypatch):
    monkeypatch.setattr(
        tabular_rates, "prefix_step", lambda v, n, t, a: prefix_scorers.prefix_step(v, n, t, np.asarray(a) / 2)
    )
    found = failed("new.tabular-rates")
    assert "three steps" in found
    assert "4,000 runs" in found


def test_a_schedule_twice_as_fast_at_first_is_found(monkeypatch):
    monkeypatch.setattr(tabular_rates, "pl_bound", lambda k, smooth, mu, square: smooth * square / (20 * k * mu**2))
    assert "mean loss" in failed("new.tabular-rates")


def test_dpo_labels_of_another_temperature_are_found(monkeypatch):
    plain = preference_optima.bradley_terry
    monkeypatch.setattr(preference_optima, "bradley_terry", lambda r: plain(1.1 * r))
    found = failed("new.preference-optima")
    assert "log-ratio r/β" in found
    assert "still at the optimum" in found


def test_a_bound_at_half_the_loss_is_found(monkeypatch):
    plain = preference_optima.winner_at_least
    monkeypatch.setattr(preference_optima, "winner_at_least", lambda p, e, w, i, b: plain(p, e / 2, w, i, b))
    assert "equality for two answers" in failed("new.dpo-certain-labels")


def test_an_equilibrium_off_by_its_strength_is_found(monkeypatch):
    plain = ipo_optima.self_play_optimum
    monkeypatch.setattr(ipo_optima, "self_play_optimum", lambda p, beats, tau: plain(p, beats, 1.01 * tau))
    found = failed("new.ipo-optimum")
    assert "no better reply" in found
    assert "still there" in found


def test_ipo_of_another_strength_is_found(monkeypatch):
    plain = ipo_optima.psi_optimum
    monkeypatch.setattr(ipo_optima, "psi_optimum", lambda p, beats, mu, tau: plain(p, beats, mu, 0.97 * tau))
    found = failed("new.ipo-against-rl")
    assert "ε⁴ law" in found
    assert "mid-rank" in found
