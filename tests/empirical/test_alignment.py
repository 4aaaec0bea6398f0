"""The alignment loss is zero exactly at p e^(r / beta) / Z, and training moves a tiny model there."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from empirical import alignment
from empirical.alignment import dpo, draw_pools, pairwise_loss
from empirical.engines.torch import sample
from empirical.models import with_adapter
from empirical.rewards import SecretReward
from empirical.scoring import answer_log_prob
from empirical.training import Recipe, train, with_new_adapter
from tests.empirical.six_words import every_answer, kl, log_law, random_reward, six_words, tilted

vectors = st.lists(st.floats(-5, 5), min_size=2, max_size=6)


@given(vectors, st.floats(0.05, 2), st.floats(-3, 3))
def test_zero_at_the_optimum_whatever_the_constant(reward, beta, constant):
    r = torch.tensor(reward, dtype=torch.float64)
    assert pairwise_loss(r / beta + constant, r, beta).item() == pytest.approx(0, abs=1e-12)


@given(vectors, vectors, st.floats(0.05, 2))
def test_positive_elsewhere_and_equal_to_the_mean_kl_of_the_labels(log_ratio, reward, beta):
    n = min(len(log_ratio), len(reward))
    h, r = (torch.tensor(v[:n], dtype=torch.float64) for v in (log_ratio, reward))
    kls = []
    for i in range(n):
        for j in range(i + 1, n):
            p, q = (1 / (1 + np.exp(-float(d))) for d in (r[i] - r[j], beta * (h[i] - h[j])))
            kls.append(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))
    assert pairwise_loss(h, r, beta).item() == pytest.approx(np.mean(kls), abs=1e-9)


def test_opposite_sign_is_not_optimal():
    r = torch.tensor([1.0, -1.0])
    assert pairwise_loss(-r, r, 1.0) > 0.5


def test_gradients_reach_the_adapter_through_the_shared_prompt(triple):
    """The gradient of one answer's log-probability, against a plain full pass."""
    network = copy.deepcopy(triple.prior.network).requires_grad_(True)
    weight = network.get_decoder().layers[0].self_attn.v_proj.weight
    prompt, answer = [1, 2, 3], [5, 0, 7]  # id 0 is EOS and padding at once
    (ours,) = torch.autograd.grad(answer_log_prob(network, prompt, [answer, [9]])[0], weight)
    log_p = network(torch.tensor([prompt + answer])).logits[0, 2:-1].log_softmax(-1)
    (plain,) = torch.autograd.grad(log_p.gather(1, torch.tensor(answer)[:, None]).sum(), weight)
    torch.testing.assert_close(ours, plain, atol=1e-4, rtol=1e-3)  # float32


def test_dpo_reaches_the_tilted_law(tmp_path):
    """All 31 answers of the six-word model are listed, so KL(pi || p e^(r / beta) / Z) is exact; to three tenths."""
    prior, reward = six_words(tmp_path / "prior"), random_reward()
    recipe = Recipe(
        beta=1.0, steps=120, answers=128, max_new=2, prompts_a_step=1, answers_a_step=32, learning_rate=1e-2
    )
    (pool,) = draw_pools(prior, reward, ["a b"], recipe)
    figures = train(with_new_adapter(prior, recipe), recipe, dpo([pool], recipe), tmp_path / "work")
    assert figures[-1]["loss"] < figures[0]["loss"] / 3
    aligned = with_adapter(prior, tmp_path / "work" / "adapter", "aligned")
    log_p, log_pi = (log_law(model, "a b") for model in (prior, aligned))
    optimum = tilted(log_p, np.array(list(reward.values.values())), recipe.beta)
    assert kl(log_pi, optimum) < 0.3 * kl(log_p, optimum)


def test_answers_are_drawn_once_for_every_beta_and_reward(tmp_path, monkeypatch):
    prior, kept, prompts = six_words(tmp_path / "prior"), tmp_path / "answers.json", ["a", "b c"]
    recipe, reward, other = Recipe(beta=1.0, answers=8, max_new=2), random_reward(), random_reward(1)
    pools = draw_pools(prior, reward, prompts, recipe, kept)
    drawn = []
    monkeypatch.setattr(alignment, "sample", lambda *given: drawn.append(given) or sample(*given))
    again = draw_pools(prior, other, prompts, replace(recipe, beta=0.1), kept)
    assert not drawn
    for pool, same in zip(pools, again, strict=True):
        assert (pool.prompt, pool.answers) == (same.prompt, same.answers)
        assert torch.equal(pool.log_prior, same.log_prior)
        assert same.reward.tolist() == [other.values[tuple(answer)] for answer in same.answers]
    assert pools[0].answers != pools[1].answers
    whole = kept.read_bytes()
    for spoilt in (whole.replace(b"[[", b"[[1, ", 1), whole[:-9], b"", b"{}"):
        kept.write_bytes(spoilt)
        assert [pool.answers for pool in draw_pools(prior, reward, prompts, recipe, kept)] == [p.answers for p in pools]
        assert kept.read_bytes() == whole
    assert len(drawn) == 4, "what is damaged is drawn again, never read"
    draw_pools(prior, reward, prompts, replace(recipe, seed=1), kept)
    assert len(drawn) == 5


def test_kept_answers_keep_what_drew_them(tmp_path):
    """A reward may read log p under the model that drew: here the prior, so that the secret reward is nothing."""
    prior, kept = six_words(tmp_path / "prior"), tmp_path / "answers.json"
    for _ in range(2):
        (pool,) = draw_pools(prior, SecretReward(), ["a b"], Recipe(beta=1.0, answers=8, max_new=2), kept)
        torch.testing.assert_close(pool.reward, torch.zeros_like(pool.reward), atol=1e-5, rtol=0)  # float32


def test_a_pool_holds_the_priors_own_figures(tmp_path):
    prior, reward = six_words(tmp_path / "prior"), random_reward()
    (pool,) = draw_pools(prior, reward, ["a b"], Recipe(beta=1.0, answers=16, max_new=2))
    law = dict(zip(every_answer(), log_law(prior, "a b"), strict=True))
    exact = torch.tensor([law[tuple(answer)] for answer in pool.answers])
    torch.testing.assert_close(pool.log_prior, exact, atol=1e-5, rtol=0)  # float32
    assert pool.reward.tolist() == [reward.values[tuple(answer)] for answer in pool.answers]
    assert len(set(map(tuple, pool.answers))) > 4
