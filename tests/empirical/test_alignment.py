"""The alignment loss is zero exactly at p e^(r / beta) / Z, and training moves a tiny model there."""

import copy
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from empirical.alignment import Pool, Recipe, align, draw_pool, pairwise_loss
from empirical.models import load, with_adapter
from empirical.scoring import answer_log_prob, score

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


def test_training_reaches_the_tilted_law(tmp_path, tiny_folder, triple):
    """One prompt, eight answers, beta = 1: the loss falls below a tenth and beta log(pi / p) follows the reward."""
    prior = triple.prior
    recipe = Recipe(beta=1.0, steps=60, answers=8, max_new=6, prompts_a_step=1, answers_a_step=8, learning_rate=3e-3)
    drawn = draw_pool(prior, triple.reward, "Name a fruit.", recipe)
    pool = Pool(drawn.prompt, drawn.answers, drawn.log_prior, (drawn.reward - drawn.reward.mean()) / drawn.reward.std())
    losses = align(load(tiny_folder / "prior", name="tiny"), [pool], recipe, tmp_path)
    assert losses[-1] < losses[0] / 10
    aligned = with_adapter(load(tiny_folder / "prior"), tmp_path, "aligned")
    log_ratio = score(aligned, pool.prompt, pool.answers).log_prob - pool.log_prior
    assert np.corrcoef(log_ratio, pool.reward)[0, 1] > 0.9
    described = json.loads((tmp_path / "adapter_config.json").read_text())
    assert described["r"] == 8
    assert "/tmp" not in described["base_model_name_or_path"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
