"""PPO begins each batch with RLOO's gradient, heeds the clip, goes on from a kill and finds the tilted law."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from empirical import training
from empirical.models import with_adapter
from empirical.policy_gradient import advantages, surrogate
from empirical.ppo import clipped_surrogate, ppo
from empirical.training import Recipe, train, with_new_adapter
from tests.empirical.moved_adapters import Killed
from tests.empirical.seven_answers import BETA, TEXTS, World
from tests.empirical.six_words import kl, log_law, random_reward, six_words, tilted
from toy.training import clipped_slope

CLIP = 0.2


def first_step(w, g):
    log_old = w.log_pi[g].detach()
    return clipped_surrogate(w.log_pi[g], log_old, w.kl[g], advantages(w.kl[g], w.reward[g], BETA), BETA, CLIP)


def drawn_log_ratio_as_penalty(w, g):
    """Pitfall 35: the gradient of the drawn log-ratio itself is 0 in the mean, so the present step's KL is free."""
    drawn = w.log_pi[g] - w.log_p[g]
    log_old = w.log_pi[g].detach()
    return clipped_surrogate(w.log_pi[g], log_old, drawn, advantages(w.kl[g], w.reward[g], BETA), BETA, CLIP)


def no_kl_to_come(w, g):
    log_old, none = w.log_pi[g].detach(), torch.zeros_like(w.kl[g])
    return clipped_surrogate(w.log_pi[g], log_old, w.kl[g], advantages(none, w.reward[g], BETA), BETA, CLIP)


def test_a_batch_begins_with_an_unbiased_gradient():
    """Of E r - beta KL, by enumeration of all pairs of answers, float64; group by group it is RLOO's."""
    world = World()
    torch.testing.assert_close(world.expected(first_step, 2), world.exact(), atol=1e-12, rtol=0)
    for group in map(list, product(range(len(TEXTS)), repeat=2)):
        plain = surrogate(world.log_pi[group], world.kl[group], world.reward[group], BETA)
        ours, rloo = (
            torch.autograd.grad(loss, world.logits, retain_graph=True)[0] for loss in (first_step(world, group), plain)
        )
        torch.testing.assert_close(ours, rloo, atol=1e-12, rtol=0)


@pytest.mark.parametrize("slip", [drawn_log_ratio_as_penalty, no_kl_to_come])
def test_planted_slips_are_biased(slip):
    world = World()
    assert (world.expected(slip, 2) - world.exact()).abs().max() > 0.01


tables = st.lists(st.floats(-2, 2), min_size=6, max_size=6)


@given(tables, tables, tables, st.floats(0.05, 0.9))
def test_the_slope_in_each_token_is_the_clipped_one(log_pi, log_old, advantage, clip):
    """Against the tabular PPO's closed form; the KL adds its own gradient and nothing else."""
    log_pi, log_old, advantage = (
        torch.tensor(x, dtype=torch.float64).reshape(2, 3) for x in (log_pi, log_old, advantage)
    )
    step_kl = torch.ones_like(log_pi, requires_grad=True)
    log_pi.requires_grad_()
    clipped_surrogate(log_pi, log_old, step_kl, advantage, BETA, clip).backward()
    expected = -clipped_slope((log_pi - log_old).exp().detach().numpy(), advantage.numpy(), clip) / 2
    # At the clip's very edge and at advantage 0 the slope has two values; both are right.
    ratio = (log_pi - log_old).exp().detach().numpy()
    smooth = (np.abs(np.abs(ratio - 1) - clip) > 1e-9) & (advantage.numpy() != 0)
    np.testing.assert_allclose(log_pi.grad.numpy()[smooth], expected[smooth], atol=1e-12)
    np.testing.assert_allclose(step_kl.grad.numpy(), BETA / 2, atol=1e-15)


@pytest.fixture
def prior(tmp_path):
    return six_words(tmp_path / "prior")


def test_ppo_reaches_the_tilted_law(prior, tmp_path):
    """KL(pi || p e^(r / beta) / Z) is exact over the 31 answers and falls below three tenths, as for RLOO.

    A batch's first step finds no token out of the clip's range; later ones do, and report the same draws.
    """
    reward, beta = random_reward(), 1.0
    recipe = Recipe(beta, steps=60, max_new=2, prompts_a_step=1, answers_a_step=32, learning_rate=1e-2)
    step = ppo(prior, reward, ["a b"], recipe)
    figures = train(with_new_adapter(prior, recipe), recipe, step, tmp_path / "work", stride=4)
    aligned = with_adapter(prior, tmp_path / "work" / "adapter", "aligned")
    log_p, log_pi = (log_law(model, "a b") for model in (prior, aligned))
    optimum = tilted(log_p, np.array(list(reward.values.values())), beta)
    assert kl(log_pi, optimum) < 0.3 * kl(log_p, optimum)
    moved = np.array([row["moved"] for row in figures]).reshape(-1, 4)
    assert not moved[:, 0].any()
    assert moved[:, 1:].any()
    assert moved.max() <= 1
    for key in ("reward", "kl", "objective"):
        batches = np.array([row[key] for row in figures]).reshape(-1, 4)
        assert (batches == batches[:, :1]).all()
        assert len(set(batches[:, 0])) > 10


def test_a_killed_run_ends_with_the_same_weights(prior, tmp_path, monkeypatch):
    """Killed at every step in turn, within a batch too: it goes on where the last batch began; the last bits agree."""
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    recipe = Recipe(beta=BETA, steps=8, max_new=2, learning_rate=1e-2, answers_a_step=4)
    runs = Killed(prior, recipe, lambda: ppo(prior, random_reward(), ["a b", "c", "d"], recipe, epochs=3), tmp_path)
    whole, killed = runs.weights_of_both(stride=3)
    assert all(torch.equal(*pair) for pair in zip(whole, killed, strict=True))
    with pytest.raises(KeyboardInterrupt):
        runs.run("without stride", 2)
    with pytest.raises(ValueError, match="stride"):
        runs.run("without stride")


@pytest.mark.parametrize(("epochs", "clip"), [(0, 0.2), (4, 0.0), (4, 1.0), (4, float("nan"))])
def test_numbers_out_of_range_are_refused(prior, epochs, clip):
    with pytest.raises(ValueError, match="epochs"):
        ppo(prior, random_reward(), ["a"], Recipe(beta=1.0), epochs, clip)
