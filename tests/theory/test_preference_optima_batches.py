"""The optima of a batch are those of its rows, whatever is broadcast against what."""

import numpy as np

from theory.arrays import normalised
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
    independent,
    ipo_slope,
)


def test_batches_agree_with_their_rows():
    rng = np.random.default_rng(0)
    log_p = np.log(rng.dirichlet(np.ones(4), size=5) + 0.01)
    log_p = normalised(log_p)
    reward = rng.normal(size=(5, 4))
    pairs = independent(log_p)
    for rule in (
        lambda p, r, w: self_play_optimum(p, by_reward(r), 0.05),
        lambda p, r, w: dpo_log_ratio(w, bradley_terry(r), 0.3),
        lambda p, r, w: ipo_log_ratio(w, by_reward(r), 0.3),
        lambda p, r, w: psi_optimum(p, by_reward(r), p, 0.3),
        lambda p, r, w: rl_optimum(p, r, 0.3),
        lambda p, r, w: gradient(r, w, by_reward(r), 0.3, ipo_slope),
    ):
        rows = [rule(p, r, w) for p, r, w in zip(log_p, reward, pairs, strict=True)]
        np.testing.assert_allclose(rule(log_p, reward, pairs), rows, atol=1e-10)


def test_batches_of_batches_keep_their_graphs_apart():
    rng = np.random.default_rng(1)
    pairs = rng.random((2, 3, 4, 4)) * (rng.random((2, 3, 4, 4)) < 0.15)
    pairs = pairs + np.swapaxes(pairs, -1, -2)
    preference = bradley_terry(rng.normal(size=(2, 3, 4)))
    for rule in (dpo_log_ratio, ipo_log_ratio):
        found = rule(pairs, preference, 0.5)
        for place in np.ndindex(2, 3):
            np.testing.assert_allclose(found[place], rule(pairs[place], preference[place], 0.5), atol=1e-10)


def test_the_bound_takes_a_batch_of_comparison_laws():
    rng = np.random.default_rng(2)
    log_p, excess = np.log([0.2, 0.3, 0.5]), np.array([0.1, 0.4])
    pairs = independent(np.log(rng.dirichlet(np.ones(3), size=2)))
    rows = [winner_at_least(log_p, x, w, 2, 0.7) for x, w in zip(excess, pairs, strict=True)]
    np.testing.assert_allclose(winner_at_least(log_p, excess, pairs, 2, 0.7), rows, atol=1e-14)


def test_one_preference_for_a_batch_of_priors():
    log_p = np.log([[0.5, 0.5], [0.1, 0.9]])
    beats = by_reward(np.array([0.0, 1.0]))
    np.testing.assert_allclose(
        self_play_optimum(log_p, beats, 0.5)[1], self_play_optimum(log_p[1], beats, 0.5), atol=1e-12
    )


def test_the_winners_bound_takes_a_batch_of_losses_alone():
    log_p, pairs, losses = np.log([0.2, 0.5, 0.3]), np.full((3, 3), 1 / 9), np.array([1e-3, 0.1, 0.4])
    together = winner_at_least(log_p, losses, pairs, 0, 0.5)
    assert together.tolist() == [float(winner_at_least(log_p, loss, pairs, 0, 0.5)) for loss in losses]
    assert (np.diff(together) < 0).all()  # the closer to the infimum, the more is the winner's
