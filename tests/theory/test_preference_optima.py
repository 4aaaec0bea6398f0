"""The optima of RL, DPO and IPO against SciPy's minimisers, graphs walked in plain Python, and planted failures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.sparse.csgraph import connected_components

from theory.arrays import normalised
from theory.information import kl
from theory.preference_optima import (
    dpo_log_ratio,
    gradient,
    ipo_log_ratio,
    psi_optimum,
    rl_optimum,
    self_play_optimum,
    winner_at_least,
)
from theory.preferences import (
    bradley_terry,
    by_reward,
    components,
    dpo_loss,
    dpo_slope,
    ipo_loss,
    ipo_slope,
    margins,
)

STRENGTHS = st.sampled_from([0.1, 0.5, 2.0])


@st.composite
def worlds(draw):
    """log p [M], a reward with ties [M], symmetric weights [M, M] with zeros, any preference [M, M]."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(2, 6))
    log_p = np.log(0.02 + (1 - 0.02 * size) * rng.dirichlet(np.ones(size)))
    reward = rng.choice([-1.0, 0.0, 0.5, 1.0], size=size) if draw(st.booleans()) else rng.uniform(-1, 1, size)
    weights = rng.uniform(0.2, 1, (size, size)) * (rng.random((size, size)) < draw(st.sampled_from([0.2, 0.5, 1.0])))
    weights = np.triu(weights) + np.triu(weights).T
    weights[0, 1] = weights[1, 0] = 0.5
    preference = np.triu(rng.uniform(0.1, 0.9, (size, size)), 1)
    preference = preference + np.tril(1 - preference.T, -1) + np.eye(size) / 2
    return log_p, reward, weights / weights.sum(), preference


def minimised(loss, pairs, preference, strength):
    """argmin of the mean loss over h by BFGS, mean zero in each component."""
    size = len(pairs)

    def total(h):
        return np.sum(pairs * loss(h[:, None] - h[None, :], preference, strength))

    found = minimize(total, np.zeros(size), method="BFGS", jac="3-point", options={"gtol": 1e-8}).x
    _, labels = connected_components(pairs > 0, directed=False)
    return found - np.array([found[labels == label].mean() for label in labels])


@given(worlds(), STRENGTHS)
@settings(max_examples=30)
def test_dpo_minimises_its_loss(world, beta):
    _, _, pairs, preference = world
    found = dpo_log_ratio(pairs, preference, beta)
    # BFGS stops at a slope of 1e-8 (or where differences drown): curvatures are beta² times 1e-3 or more.
    np.testing.assert_allclose(found, minimised(dpo_loss, pairs, preference, beta), atol=2e-3 / beta)
    np.testing.assert_allclose(gradient(found, pairs, preference, beta, dpo_slope), 0, atol=1e-13)


@given(worlds(), STRENGTHS)
@settings(max_examples=30)
def test_ipo_minimises_its_loss(world, tau):
    _, _, pairs, preference = world
    found = ipo_log_ratio(pairs, preference, tau)
    np.testing.assert_allclose(found, minimised(ipo_loss, pairs, preference, tau), atol=1e-4 / tau)
    np.testing.assert_allclose(gradient(found, pairs, preference, tau, ipo_slope), 0, atol=1e-12)


@given(worlds(), STRENGTHS)
def test_bradley_terry_labels_lead_dpo_to_the_rl_optimum(world, beta):
    log_p, reward, pairs, _ = world
    found = dpo_log_ratio(pairs, bradley_terry(reward), beta)
    within = components(pairs)
    np.testing.assert_allclose(margins(found)[within], margins(reward / beta)[within], atol=1e-9)
    if within.all():
        np.testing.assert_allclose(normalised(log_p + found), rl_optimum(log_p, reward, beta), atol=1e-9)
    for row in within:
        assert abs(found[row].mean()) < 1e-12 / beta


@given(worlds(), STRENGTHS)
def test_the_equilibrium_is_its_own_best_reply(world, tau):
    log_p, reward, _, preference = world
    for beats in (preference, by_reward(reward), bradley_terry(reward)):
        found = self_play_optimum(log_p, beats, tau)
        np.testing.assert_allclose(found, psi_optimum(log_p, beats, found, tau), atol=1e-9)
        assert abs(np.exp(found).sum() - 1) < 1e-12


@pytest.mark.parametrize("tau", [0.003, 0.01, 0.05])
def test_the_equilibrium_is_found_where_iteration_cycles(tau):
    """Rock, paper, scissors: at small tau the best reply jumps from one to the next for ever."""
    beats = np.array([[0.5, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 0.0, 0.5]])
    log_p = np.log([0.7, 0.2, 0.1])
    found = self_play_optimum(log_p, beats, tau)
    np.testing.assert_allclose(np.exp(found), np.exp(psi_optimum(log_p, beats, found, tau)), atol=1e-8)
    np.testing.assert_allclose(np.exp(found), 1 / 3, atol=2 * tau)


def test_impossible_answers_stay_impossible():
    log_p = np.array([np.log(0.5), -np.inf, np.log(0.5)])
    beats = by_reward(np.array([0.0, 5.0, 1.0]))
    for found in (rl_optimum(log_p, np.zeros(3), 1.0), psi_optimum(log_p, beats, log_p, 1.0)):
        assert found[1] == -np.inf
    found = self_play_optimum(log_p, beats, 1.0)
    two = self_play_optimum(np.log([0.5, 0.5]), beats[np.ix_([0, 2], [0, 2])], 1.0)
    np.testing.assert_allclose(found[[0, 2]], two, atol=1e-12)


def test_certain_labels_have_no_minimiser():
    pairs = np.full((3, 3), 1 / 9)
    with pytest.raises(ValueError, match=r"^some answers never lose to the others .* DPO has no minimiser\.$"):
        dpo_log_ratio(pairs, by_reward(np.array([0.0, 1.0, 1.0])), 1.0)


def test_a_cycle_of_certain_wins_has_one():
    beats = np.array([[0.5, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 0.0, 0.5]])
    np.testing.assert_allclose(dpo_log_ratio(np.full((3, 3), 1 / 9), beats, 0.5), 0, atol=1e-12)


def test_newton_gives_up_in_words(monkeypatch):
    monkeypatch.setattr("theory.preference_optima._ROUNDS", 1)
    log_p = np.log([0.3, 0.7])
    with pytest.raises(
        RuntimeError, match=r"^Newton's method did not settle; some preference may be too close to 0 or 1\.$"
    ):
        dpo_log_ratio(np.full((2, 2), 0.25), bradley_terry(np.array([0.0, 3.0])), 0.1)
    with pytest.raises(
        RuntimeError, match=r"^the equilibrium was not reached; tau may be too small for double precision\.$"
    ):
        self_play_optimum(log_p, by_reward(np.array([0.0, 3.0])), 0.1)


def test_halving_alone_keeps_newton_on_course(monkeypatch):
    """Without backtracking the iteration overshoots at a small tau."""
    rng = np.random.default_rng(3)
    log_p = normalised(np.log(rng.dirichlet(np.ones(8), size=50)))
    beats = by_reward(rng.normal(size=(50, 8)))
    found = self_play_optimum(log_p, beats, 0.01)
    assert kl(found, psi_optimum(log_p, beats, found, 0.01)).max() < 1e-9
    monkeypatch.setattr("theory.preference_optima._HALVINGS", 0)
    with pytest.raises(
        RuntimeError, match=r"^the equilibrium was not reached; tau may be too small for double precision\.$"
    ):
        self_play_optimum(log_p, beats, 0.01)


@given(st.floats(0.05, 0.95), st.floats(-3, 12), STRENGTHS)
def test_the_bound_is_attained_by_two_answers(mass, margin, beta):
    log_p, h = np.log([1 - mass, mass]), np.array([0.0, margin / beta])
    pairs = np.array([[0.2, 0.3], [0.3, 0.2]])
    excess = 2 * 0.3 * np.logaddexp(0.0, -margin)
    policy = np.exp(normalised(log_p + h))
    assert winner_at_least(log_p, np.array(excess), pairs, 1, beta) == pytest.approx(policy[1], abs=1e-9)


def test_a_great_loss_forces_nothing():
    log_p = np.log([0.5, 0.5])
    assert winner_at_least(log_p, np.array(1e6), np.full((2, 2), 0.25), 0, 1.0) == 0.0


@given(worlds(), st.integers(0, 2**32 - 1), st.floats(-3, 8), STRENGTHS)
def test_the_bound_holds_for_any_policy(world, seed, height, beta):
    log_p, _, pairs, preference = world
    rng, size = np.random.default_rng(seed), len(log_p)
    pairs = (pairs + 0.1) / (pairs + 0.1).sum()
    winner = int(rng.integers(size))
    preference = preference.copy()
    preference[winner], preference[:, winner] = 1.0, 0.0
    preference[winner, winner] = 0.5
    others = np.arange(size) != winner
    h = np.where(others, rng.normal(size=size), height) / beta
    # The winner's own pairs cost nothing in the limit; each other costs no less than the entropy of its label.
    label = preference[others][:, others]
    least = -(label * np.log(label) + (1 - label) * np.log(1 - label))
    entropies = np.sum(pairs[others][:, others] * least) + pairs[winner, winner] * np.log(2)
    excess = np.sum(pairs * dpo_loss(margins(h), preference, beta)) - entropies
    found = np.exp(normalised(log_p + h))[winner]
    bound = winner_at_least(np.stack([log_p, log_p]), np.array([excess, 2 * excess]), pairs, winner, beta)
    assert bound.shape == (2,)
    assert bound[1] <= bound[0] <= found + 1e-12  # rounding
    forced = np.log(np.expm1(excess / (2 * pairs[winner, others]))) / beta
    log_total = np.logaddexp.reduce([log_p[winner], *(log_p[others] + forced)])
    assert bound[0] == pytest.approx(np.exp(log_p[winner] - log_total), rel=1e-9)
    each = winner_at_least(log_p, np.array(excess), np.stack([pairs, pairs]), winner, beta)
    np.testing.assert_array_equal(each, [bound[0], bound[0]])  # a law of pairs each


@given(worlds(), STRENGTHS)
def test_psi_and_rl_by_their_formulas(world, strength):
    log_p, reward, _, preference = world
    log_mu = log_p[::-1]
    wins = [sum(preference[y, z] * np.exp(log_mu[z]) for z in range(len(log_p))) for y in range(len(log_p))]
    for found, gain in (
        (psi_optimum(log_p, preference, log_mu, strength), np.array(wins)),
        (rl_optimum(log_p, reward, strength), reward),
    ):
        weights = np.exp(log_p + gain / strength)
        np.testing.assert_allclose(np.exp(found), weights / weights.sum(), atol=1e-13)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.inf, np.nan])
def test_bad_strengths_are_refused(wrong):
    log_p, pairs = np.log([0.5, 0.5]), np.full((2, 2), 0.25)
    beats = bradley_terry(np.array([0.0, 1.0]))
    for name, call in (
        ("beta", lambda: rl_optimum(log_p, np.zeros(2), wrong)),
        ("tau", lambda: psi_optimum(log_p, beats, log_p, wrong)),
        ("tau", lambda: self_play_optimum(log_p, beats, wrong)),
        ("beta", lambda: dpo_log_ratio(pairs, beats, wrong)),
        ("tau", lambda: ipo_log_ratio(pairs, beats, wrong)),
        ("beta", lambda: winner_at_least(log_p, np.array(0.1), pairs, 0, wrong)),
    ):
        with pytest.raises(ValueError, match=f"^{name} must be a positive number"):
            call()


@pytest.mark.parametrize(
    "wrong", [np.array([[0.5, 0.8], [0.3, 0.5]]), np.array([[0.5, 1.2], [-0.2, 0.5]]), np.eye(2) * np.nan]
)
def test_what_is_no_preference_is_refused(wrong):
    log_p, pairs = np.log([0.5, 0.5]), np.full((2, 2), 0.25)
    for call in (
        lambda: psi_optimum(log_p, wrong, log_p, 1.0),
        lambda: self_play_optimum(log_p, wrong, 1.0),
        lambda: dpo_log_ratio(pairs, wrong, 1.0),
        lambda: ipo_log_ratio(pairs, wrong, 1.0),
    ):
        with pytest.raises(ValueError, match="preference must hold"):
            call()


@pytest.mark.parametrize(
    "wrong", [np.array([[0.5, 0.3], [0.2, 0.0]]), np.array([[0.5, -0.1], [-0.1, 0.7]]), np.eye(2) * np.nan]
)
def test_what_is_no_comparison_law_is_refused(wrong):
    for rule in (dpo_log_ratio, ipo_log_ratio):
        with pytest.raises(ValueError, match="pairs must hold"):
            rule(wrong, np.full((2, 2), 0.5), 1.0)


@pytest.mark.parametrize(("pairs", "winner"), [((3, 3), 0), ((2, 3), 0), ((3, 2), 0), ((2, 2), 2), ((2, 2), -1)])
def test_a_winner_among_other_answers_is_refused(pairs, winner):
    law = np.log([0.5, 0.5])
    with pytest.raises(ValueError, match=f"^winner {winner} and pairs .* do not fit 2 answers\\.$"):
        winner_at_least(law, np.array([0.1]), np.full(pairs, 0.25), winner, 1.0)
    for wrong in ((law[0], np.full((2, 2), 0.25), "log_p"), (law, law, "pairs")):
        with pytest.raises(ValueError, match=f"^{wrong[2]} needs . or more axes"):
            winner_at_least(np.asarray(wrong[0]), np.array([0.1]), wrong[1], 0, 1.0)
