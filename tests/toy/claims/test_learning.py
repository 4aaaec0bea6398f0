"""The rows on what is learned from samples; their worlds, and broken learners that must break them."""

import numpy as np
import pytest

from theory.language_models import random_tree
from theory.layers import Layers, expected_gain, sequence_optimum
from theory.ledger import REGISTRY, verify
from theory.preference_optima import rl_optimum
from theory.values import sequence_optimum as tree_optimum
from toy import prefix_learning
from toy.claims import learning
from toy.training import Trained


def test_the_row_on_scorers_stands():
    entry = verify(REGISTRY["cd.toy.scorer-learning"], seed=3)
    assert entry.faults() == []
    assert entry.controls


def test_a_tree_as_layers_has_its_strings_and_rewards():
    rng = np.random.default_rng(0)
    tree = random_tree(2, 3, rng)
    reward = rng.normal(size=15)
    layers = learning.as_layers(tree, reward)
    assert isinstance(layers, Layers)
    np.testing.assert_allclose(learning.string_law(tree, Trained(layers.log_p, None)), tree.log_prob, atol=1e-12)
    assert expected_gain(layers, layers.log_p) == pytest.approx(np.exp(tree.log_prob) @ reward, abs=1e-12)
    best = learning.string_law(tree, Trained(sequence_optimum(layers, 2.0)[0], None))
    np.testing.assert_allclose(best, tree_optimum(tree, reward, 2.0).log_prob, atol=1e-12)
    np.testing.assert_allclose(best, rl_optimum(tree.log_prob, reward, 0.5), atol=1e-12)


def test_random_layers_have_no_rare_tokens():
    layers = learning.random_layers(np.random.default_rng(0))
    assert np.exp(layers.log_p[:-1]).min() >= 0.2
    assert np.all(layers.log_p[-1, :, 1:] == -np.inf)


def test_a_scorer_that_forgets_half_of_its_answers_is_found(monkeypatch):
    plain = prefix_learning.cd_fudge
    monkeypatch.setattr(
        prefix_learning, "cd_fudge", lambda layers, n, rng, log_data: plain(layers, n // 2, rng, log_data)
    )
    assert "Monte-Carlo law" in "; ".join(verify(REGISTRY["cd.toy.scorer-learning"]).faults())


def test_a_policy_trained_at_another_strength_is_found_and_nothing_else(monkeypatch):
    plain = learning.ppo
    monkeypatch.setattr(learning, "ppo", lambda layers, beta, rng, training: plain(layers, 0.7 * beta, rng, training))
    assert verify(REGISTRY["cd.toy.policy-learning"]).faults() == [
        "check failed: 1e5 answers, PPO and DPO: KL to the optimum",
        "check failed: PPO: KL to its optimum",
    ]
