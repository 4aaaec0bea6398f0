"""Each method against its known optimum in a world of seven answers, and against the wrong one."""

from itertools import product

import numpy as np
import pytest

from theory.arrays import normalised
from theory.information import kl
from theory.layers import Layers, expected_gain, sequence_optimum
from theory.preference_optima import psi_optimum, rl_optimum, self_play_optimum
from theory.preferences import bradley_terry, by_reward
from toy import policy_learning
from toy.policy_learning import dpo, ipo, ppo, shortfall
from toy.training import Training

ANSWERS = [y for length in range(3) for y in product((1, 2), repeat=length)]  # 7 answers of up to two symbols, then EOS
QUICK = Training(steps=400, batch=128, rate=0.05, reports=2)
# Adam's last steps are near 0, and the noise of 400 batches of 128 leaves some 1e-3 nats.
CLOSE = 0.01


def world(seed=0):
    """A tree as layers: every prefix is a state of its own, the reward sits on EOS."""
    rng = np.random.default_rng(seed)
    states = len(ANSWERS)
    log_p = np.log(0.1 + rng.dirichlet(np.ones(3), size=(3, states)))
    log_p[-1] = -np.inf
    log_p[-1, :, 0] = 0.0
    successor = np.zeros((states, 3), dtype=int)
    for s, y in enumerate(ANSWERS):
        for a in (1, 2):
            successor[s, a] = ANSWERS.index((*y, a)) if len(y) < 2 else 0
    gain = np.zeros((3, states, 3))
    gain[:, :, 0] = np.array([0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5])
    return Layers(normalised(log_p), successor, gain)


def law(layers, log_policy):
    """log pi(y) of every answer."""
    found = []
    for y in ANSWERS:
        s, total = 0, 0.0
        for t, a in enumerate((*y, 0)):
            total += log_policy[t, s, a]
            s = layers.successor[s, a]
        found.append(total)
    return np.array(found)


LAYERS = world()
BASE = law(LAYERS, LAYERS.log_p)
REWARD = LAYERS.gain[0, :, 0]
assert np.isclose(np.exp(BASE).sum(), 1)


def trained(learn, strength, **options):
    return law(LAYERS, learn(LAYERS, strength, np.random.default_rng(0), QUICK, **options).log_policy)


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_ppo_reaches_the_rl_optimum(beta):
    found = trained(ppo, beta)
    assert kl(found, rl_optimum(BASE, REWARD, beta)) < CLOSE
    assert kl(found, rl_optimum(BASE, REWARD, beta / 2)) > 3 * CLOSE


@pytest.mark.parametrize("source", ["policy", "base"])
@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_dpo_on_bradley_terry_labels_reaches_the_rl_optimum(beta, source):
    found = trained(dpo, beta, labels="bradley-terry", source=source)
    assert kl(found, rl_optimum(BASE, REWARD, beta)) < CLOSE


@pytest.mark.parametrize("beta", [0.5, 2.0])
def test_dpo_on_the_rewards_own_labels_is_drawn_to_the_winner(beta):
    """Beta sets the pace: the mass grows with training at either, far beyond p e^(r / beta)."""
    winner = np.argmax(REWARD)
    shares = [np.exp(BASE[winner])]
    for steps in (100, 400, 1600):
        training = Training(steps=steps, batch=64, rate=0.05, reports=1)
        policy = dpo(LAYERS, beta, np.random.default_rng(0), training).log_policy
        shares.append(np.exp(law(LAYERS, policy)[winner]))
    assert np.all(np.diff(shares) > 0)
    assert shares[-1] > 0.9
    if beta == 2:
        assert np.exp(rl_optimum(BASE, REWARD, beta)[winner]) < 0.5


@pytest.mark.parametrize(("labels", "preferred"), [("reward", by_reward), ("bradley-terry", bradley_terry)])
def test_ipo_on_the_base_laws_answers_reaches_the_optimum_of_its_objective(labels, preferred):
    found = trained(ipo, 0.3, labels=labels, source="base")
    assert kl(found, psi_optimum(BASE, preferred(REWARD), BASE, 0.3)) < CLOSE
    assert kl(found, rl_optimum(BASE, REWARD, 0.3)) > 3 * CLOSE


def test_on_line_ipo_reaches_the_equilibrium():
    found = trained(ipo, 0.3)
    assert kl(found, self_play_optimum(BASE, by_reward(REWARD), 0.3)) < CLOSE
    assert kl(found, psi_optimum(BASE, by_reward(REWARD), BASE, 0.3)) > CLOSE


def test_ties_count_half_for_each():
    """With one reward for all there is nothing to learn, and the base law is the optimum of all three."""
    flat = Layers(LAYERS.log_p, LAYERS.successor, np.zeros_like(LAYERS.gain))
    for learn in (ppo, dpo, ipo):
        policy = learn(flat, 0.5, np.random.default_rng(0), QUICK).log_policy
        # Adam's step does not shrink with the gradient, so that even rounding moves PPO a little.
        np.testing.assert_allclose(law(flat, policy), BASE, atol=1e-3)


def test_the_shortfall_is_the_divergence_from_the_optimum():
    policy = ppo(LAYERS, 1.0, np.random.default_rng(0), Training(steps=5, batch=16, reports=1)).log_policy
    divergence = kl(law(LAYERS, policy), rl_optimum(BASE, REWARD, 1.0))
    assert shortfall(LAYERS, policy, 1.0) == pytest.approx(float(divergence), abs=1e-12)
    best, _ = sequence_optimum(LAYERS, 1.0)
    assert shortfall(LAYERS, best, 1.0) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("learn", [ppo, dpo, ipo])
def test_one_step_is_a_step(learn):
    run = learn(LAYERS, 1.0, np.random.default_rng(0), Training(steps=1, batch=16, reports=1))
    assert run.history["step"].tolist() == [1]
    assert not np.array_equal(run.log_policy, LAYERS.log_p)


@pytest.mark.parametrize("learn", [ppo, dpo, ipo])
def test_every_step_has_a_batch(learn, monkeypatch):
    sizes, drawn = [], policy_learning.drawn
    monkeypatch.setattr(policy_learning, "drawn", lambda *asked: sizes.append(asked[2]) or drawn(*asked))
    learn(LAYERS, 1.0, np.random.default_rng(0), Training(steps=5, batch=16, reports=1))
    assert sizes == [16] * 5


@pytest.mark.parametrize("learn", [ppo, dpo, ipo])
def test_the_history_tells_the_exact_reward(learn):
    run = learn(LAYERS, 1.0, np.random.default_rng(0), Training(steps=6, batch=16, reports=3))
    assert run.history["step"].tolist() == [2, 4, 6]
    assert run.history["reward"].iloc[-1] == expected_gain(LAYERS, run.log_policy)
    assert (run.history["kl"] > 0).all()


@pytest.mark.parametrize("learn", [ppo, dpo, ipo])
def test_training_is_a_function_of_its_draws(learn):
    quick = Training(steps=5, batch=16, reports=1)
    first, again, other = (learn(LAYERS, 0.5, np.random.default_rng(seed), quick) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.log_policy, again.log_policy)
    assert not np.array_equal(first.log_policy, other.log_policy)


@pytest.mark.parametrize("learn", [ppo, dpo, ipo])
@pytest.mark.parametrize("strength", [0.0, -1.0, np.inf, np.nan])
def test_bad_strengths_are_refused(learn, strength):
    with pytest.raises(ValueError, match="must be a positive number"):
        learn(LAYERS, strength, np.random.default_rng(0), QUICK)


@pytest.mark.parametrize("wrong", [{"labels": "guess"}, {"source": "model"}])
def test_unknown_labels_and_sources_are_refused(wrong):
    with pytest.raises(ValueError, match="must be one of"):
        dpo(LAYERS, 1.0, np.random.default_rng(0), QUICK, **wrong)
