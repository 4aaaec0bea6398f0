"""The surrogate's gradient is that of E r - beta KL, by enumeration; RLOO moves a model to p e^(r / beta) / Z."""

import copy
from itertools import product

import numpy as np
import pytest
import torch

from empirical.models import with_adapter
from empirical.policy_gradient import Sampler, rloo, step_figures, surrogate
from empirical.scoring import answer_log_prob, score
from empirical.tiny import write_tiny_adapter
from empirical.training import Recipe, train, with_new_adapter
from tests.empirical.seven_answers import BETA, TEXTS, World
from tests.empirical.six_words import EOS, every_answer, kl, log_law, random_reward, six_words, tilted


def ours(w, g):
    return surrogate(w.log_pi[g], w.kl[g], w.reward[g], BETA)


def trl(w, g):
    """TRL's RLOO: the drawn log-ratio in the reward, one advantage an answer."""
    gained = (w.reward[g] - BETA * (w.log_pi[g] - w.log_p[g]).sum(1)).detach()
    baseline = (gained.sum() - gained) / (len(g) - 1)
    return -((gained - baseline) * w.log_pi[g].sum(1)).mean()


def kl_of_the_other_sign(w, g):
    return surrogate(w.log_pi[g], w.kl[g], w.reward[g], -BETA)


def baseline_with_the_own_answer(w, g):
    spent = w.kl[g].detach()
    returns = w.reward[g][:, None] - BETA * (spent.flip(1).cumsum(1).flip(1) - spent)
    return (BETA * w.kl[g] - (returns - returns.mean(0)) * w.log_pi[g]).sum(1).mean()


def without_eos(w, g):
    ends = torch.tensor([[place < len(TEXTS[i]) and TEXTS[i][place] == EOS for place in range(2)] for i in g])
    return surrogate(w.log_pi[g].masked_fill(ends, 0), w.kl[g], w.reward[g], BETA)


def without_what_a_token_does_to_later_kl(w, g):
    advantage = (w.reward[g] - w.reward[g].mean()) * len(g) / (len(g) - 1)
    return (BETA * w.kl[g] - advantage[:, None] * w.log_pi[g]).sum(1).mean()


def returns_with_the_present_step(w, g):
    """R_t with D_t: another number of the prefix alone, which the score function averages away."""
    spent = w.kl[g].detach()
    returns = w.reward[g][:, None] - BETA * spent.flip(1).cumsum(1).flip(1)
    advantage = (returns - returns.mean(0)) * len(g) / (len(g) - 1)
    return (BETA * w.kl[g] - advantage * w.log_pi[g]).sum(1).mean()


@pytest.mark.parametrize("loss", [ours, trl, returns_with_the_present_step])
@pytest.mark.parametrize("n", [2, 3])
def test_the_gradient_is_unbiased_for_any_number_of_answers(loss, n):
    """Float64 sums of at most 343 groups; D_t belongs to the prefix, so counting it in R_t adds only noise."""
    world = World()
    torch.testing.assert_close(world.expected(loss, n), world.exact(), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    "slip",
    [kl_of_the_other_sign, baseline_with_the_own_answer, without_eos, without_what_a_token_does_to_later_kl],
)
def test_planted_slips_are_biased(slip):
    world = World()
    assert (world.expected(slip, 2) - world.exact()).abs().max() > 0.01


def test_the_exact_kl_makes_the_estimate_less_noisy_than_the_drawn_log_ratio():
    """The mean squared gradient over groups of two; both have the same mean."""
    world = World()
    spread = {}
    for loss in (ours, trl):
        squares = 0.0
        for group in map(list, product(range(len(TEXTS)), repeat=2)):
            (grad,) = torch.autograd.grad(loss(world, group), world.logits, retain_graph=True)
            squares += float(world.law[group].prod().detach() * (grad**2).sum())
        spread[loss] = squares
    assert spread[ours] < spread[trl]


def test_one_answer_has_no_baseline():
    with pytest.raises(ValueError, match="at least two"):
        surrogate(torch.zeros(1, 2), torch.zeros(1, 2), torch.zeros(1), 1.0)


def test_step_figures_are_those_of_the_whole_sequence(triple):
    """Against plain passes of both networks over prompt and answer; float32."""
    prompt, texts = [1, 2, 3], [[5, 0], [7, 8, 9]]
    log_pi, step_kl = step_figures(triple.aligned.network, triple.prior.network, prompt, texts)
    assert log_pi[0, 2] == step_kl[0, 2] == 0
    for row, text in enumerate(texts):
        laws = []
        for model in (triple.aligned, triple.prior):
            logits = model.network(torch.tensor([prompt + text])).logits[0, len(prompt) - 1 : -1]
            laws.append(logits.double().log_softmax(-1))
        drawn = laws[0].gather(1, torch.tensor(text)[:, None])[:, 0]
        exact = (laws[0].exp() * (laws[0] - laws[1])).sum(-1)
        torch.testing.assert_close(log_pi[row, : len(text)].double(), drawn, atol=1e-4, rtol=0)
        torch.testing.assert_close(step_kl[row, : len(text)].double(), exact, atol=1e-4, rtol=0)
        assert (step_kl[row, : len(text)] > 0).all()


def test_gradients_reach_the_adapter_and_not_the_prior(triple):
    network = with_new_adapter(triple.prior, Recipe(beta=1.0))
    log_pi, step_kl = step_figures(network, triple.prior.network, [1, 2], [[5, 0], [7, 8]])
    surrogate(log_pi, step_kl, torch.tensor([1.0, -1.0]), 1.0).backward()
    moved = [name for name, weight in network.named_parameters() if weight.grad is not None and weight.grad.any()]
    assert moved
    assert all("lora_B" in name for name in moved)  # A has no gradient while B is 0
    assert all(weight.grad is None for weight in triple.prior.network.parameters())


def test_the_twin_follows_the_adapter_and_shares_the_rest(triple):
    """Merged and unmerged weights agree to float32's rounding."""
    network = with_new_adapter(triple.prior, Recipe(beta=1.0))
    twin = Sampler(triple.prior)
    before = log_probs = score(triple.prior, [1, 2], [[3, 4, 0]]).log_prob
    for seed in (1, 2):
        torch.manual_seed(seed)
        with torch.no_grad():
            for name, weight in network.named_parameters():
                if "lora_B" in name:
                    weight.normal_(std=0.3)
        twin.follow(network)
        expected = answer_log_prob(network, [1, 2], [[3, 4, 0]])
        log_probs = score(twin.model, [1, 2], [[3, 4, 0]]).log_prob
        torch.testing.assert_close(log_probs.double(), expected.detach(), atol=1e-4, rtol=0)
    assert (log_probs - before).abs() > 0.01
    torch.testing.assert_close(score(triple.prior, [1, 2], [[3, 4, 0]]).log_prob, before, atol=0, rtol=0)
    same = [a is b for a, b in zip(twin.model.network.parameters(), triple.prior.network.parameters(), strict=True)]
    assert same.count(False) == 4  # queries and values of two layers


def test_steps_add_up_to_the_kl_of_whole_answers(tmp_path):
    """E_pi sum_t D_t = sum_y pi(y) log(pi / p)(y), over the 31 answers of the six-word model."""
    prior = six_words(tmp_path / "prior")
    aligned = with_adapter(prior, write_tiny_adapter(prior, tmp_path / "adapter"), "aligned")
    log_p, log_pi = (log_law(model, "a b") for model in (prior, aligned))
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-5)  # float32
    texts = [list(text) for text in every_answer()]
    with torch.inference_mode():
        steps = step_figures(aligned.network, prior.network, prior.prompt_ids("a b"), texts)[1]
    assert np.exp(log_pi) @ steps.double().sum(1).numpy() == pytest.approx(kl(log_pi, log_p), abs=1e-5)
    assert kl(log_pi, log_p) > 0.01


def test_rloo_reaches_the_tilted_law(tmp_path):
    """All answers of a prompt are listed, so KL(pi || p e^(r / beta) / Z) is exact: it falls below three tenths."""
    prior, reward = six_words(tmp_path / "prior"), random_reward()
    recipe = Recipe(beta=1.0, steps=120, max_new=2, prompts_a_step=1, answers_a_step=32, learning_rate=1e-2)
    network = with_new_adapter(prior, recipe)
    untouched = copy.deepcopy(prior.network.state_dict())
    figures = train(network, recipe, rloo(prior, reward, ["a b"], recipe), tmp_path / "work")
    aligned = with_adapter(prior, tmp_path / "work" / "adapter", "aligned")
    log_p, log_pi = (log_law(model, "a b") for model in (prior, aligned))
    optimum = tilted(log_p, np.array(list(reward.values.values())), recipe.beta)
    assert kl(log_pi, optimum) < 0.3 * kl(log_p, optimum)
    assert np.mean([row["objective"] for row in figures[-20:]]) > np.mean([row["objective"] for row in figures[:20]])
    assert all(torch.equal(weight, untouched[name]) for name, weight in prior.network.state_dict().items())
