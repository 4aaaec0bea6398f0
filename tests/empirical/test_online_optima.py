"""Where on-line DPO and IPO stand still, by enumeration, and that training goes there."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from empirical.models import with_adapter
from empirical.online import DPO, IPO, Labels, mean_pair_loss, online
from empirical.training import Recipe, train, with_new_adapter
from tests.empirical.six_words import kl, log_law, random_reward, six_words, tilted
from theory.preference_optima import psi_optimum, self_play_optimum
from theory.preferences import bradley_terry, by_reward

BETA = 0.4


class Lottery:
    """A policy with a free logit for each of nine answers, so that every law is one of its policies; float64."""

    def __init__(self, seed=3):
        rng = np.random.default_rng(seed)
        self.log_p = torch.tensor(rng.standard_normal(9)).log_softmax(0).numpy()
        self.reward = rng.standard_normal(9)
        self.reward[5] = self.reward[2]  # a tie
        self.lengths = np.array([1, 1, 2, 3, 5, 8, 2, 4, 1])

    def gradient(self, log_pi, objective, labels, log_mu=None, lengths=1.0):
        """E slope in each answer's logit, both answers of a pair drawn from mu (else from pi), by enumeration.

        lengths: what a slip divides log-ratios by.
        """
        mu, h = np.exp(log_pi if log_mu is None else log_mu), (log_pi - self.log_p) / lengths
        pulls = np.zeros(9)
        for i in range(9):
            for j in range(9):
                pair = [i, j]
                slope = mean_pair_loss(objective, h[pair], self.reward[pair], BETA, labels)[1]
                np.add.at(pulls, pair, mu[i] * mu[j] * slope)
        return pulls - np.exp(log_pi) * pulls.sum()


def test_online_dpo_stands_still_at_the_tilted_law_and_not_beside_it():
    """Its slopes vanish pair by pair at beta h = r + constant, whoever draws the pairs; uniform ones show it best."""
    world = Lottery()
    optimum, uniform = tilted(world.log_p, world.reward, BETA), np.full(9, -np.log(9))
    for log_mu in (None, world.log_p, uniform):
        assert np.abs(world.gradient(optimum, DPO, Labels.BRADLEY_TERRY, log_mu)).max() < 1e-12  # float64
    for share in (0.0, 0.5, 1.5):
        passed = tilted(world.log_p, share * world.reward, BETA)
        assert np.abs(world.gradient(passed, DPO, Labels.BRADLEY_TERRY, uniform)).max() > 1e-3
    slip = world.gradient(optimum, DPO, Labels.BRADLEY_TERRY, uniform, world.lengths)
    assert np.abs(slip).max() > 1e-3


@given(st.lists(st.floats(-3, 3), min_size=9, max_size=9))
def test_online_dpo_with_the_rewards_labels_pulls_the_best_answer_up_from_everywhere(logits):
    """There is no law between at which it would stand still, whatever beta."""
    world = Lottery()
    log_pi = torch.tensor(logits, dtype=torch.float64).log_softmax(0).numpy()
    best = int(world.reward.argmax())
    assert world.gradient(log_pi, DPO, Labels.REWARD)[best] < 0


@pytest.mark.parametrize(("labels", "preference"), [(Labels.REWARD, by_reward), (Labels.BRADLEY_TERRY, bradley_terry)])
def test_ipo_stands_still_at_its_population_optimum(labels, preference):
    """On-line: the equilibrium of self-play; on the prior's pairs: Azar et al.'s equation 11; never the tilted law.

    Residual 1e-8: theory's Newton iteration stops at steps below 1e-9, and slopes here are at most 2 / beta times that.
    """
    world = Lottery()
    table = preference(world.reward)
    settled = self_play_optimum(world.log_p, table, BETA)
    assert np.abs(world.gradient(settled, IPO, labels)).max() < 1e-8
    offline = psi_optimum(world.log_p, table, world.log_p, BETA)
    assert np.abs(world.gradient(offline, IPO, labels, world.log_p)).max() < 1e-12  # closed form, float64
    for elsewhere in (world.log_p, offline, tilted(world.log_p, world.reward, BETA)):
        assert np.abs(world.gradient(elsewhere, IPO, labels)).max() > 1e-3
    assert np.abs(world.gradient(settled, IPO, labels, lengths=world.lengths)).max() > 1e-3  # pitfall 33


@pytest.mark.parametrize(("objective", "labels"), [(DPO, Labels.BRADLEY_TERRY), (IPO, Labels.REWARD)])
def test_training_reaches_the_optimum_of_its_method(tmp_path, objective, labels):
    """All 31 answers of the six-word model are listed, so KLs are exact: below three tenths, far from the other's."""
    prior, reward = six_words(tmp_path / "prior"), random_reward()
    recipe = Recipe(beta=BETA, steps=40, max_new=2, prompts_a_step=1, answers_a_step=32, learning_rate=1e-2)
    network = with_new_adapter(prior, recipe)
    train(network, recipe, online(objective, prior, reward, ["a b"], recipe, labels), tmp_path / "work")
    aligned = with_adapter(prior, tmp_path / "work" / "adapter", "aligned")
    log_p, log_pi = (log_law(model, "a b") for model in (prior, aligned))
    values = np.array(list(reward.values.values()))
    optima = tilted(log_p, values, BETA), self_play_optimum(log_p, by_reward(values), BETA)
    own, other = optima if objective is DPO else optima[::-1]
    assert kl(log_pi, own) < 0.3 * kl(log_p, own)
    assert kl(log_pi, own) < 0.3 * kl(log_pi, other)
