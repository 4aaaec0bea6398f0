"""Training resumes to the same bits, refuses another run's checkpoint, and writes a small adapter that loads."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from empirical import training
from empirical.models import with_adapter
from empirical.scoring import answer_log_prob, score
from empirical.training import Recipe, TrainingError, save_adapter, train, warm_then_decay, with_new_adapter

RECIPE = Recipe(beta=1.0, steps=6, learning_rate=1e-2)


def lengthen(recipe):
    """A step whose figures and gradient depend on its number through the recipe's generator."""

    def step(network, number):
        token = int(recipe.generator(number).integers(1, 200))
        loss = -answer_log_prob(network, [1, 2], [[token]])[0]
        loss.backward()
        return {"loss": float(loss.detach())}

    return step


def killed_at(step, last, begun=None):
    def dies(network, number):
        if begun is not None:
            begun.append(number)
        if number == last:
            raise KeyboardInterrupt
        return step(network, number)

    return dies


def weights(network):
    return [weight.detach().clone() for weight in network.parameters() if weight.requires_grad]


def losses(figures):
    return [row["loss"] for row in figures]


def test_a_killed_run_ends_with_the_same_weights(triple, tmp_path, monkeypatch):
    """Killed at every step in turn, so each one follows a resume; the last bits agree."""
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    whole = with_new_adapter(triple.prior, RECIPE)
    expected, begun = train(whole, RECIPE, lengthen(RECIPE), tmp_path / "whole"), []
    for last in range(1, RECIPE.steps):
        torch.rand(3)  # the global generator's state is no part of a run
        network = with_new_adapter(triple.prior, RECIPE)
        with pytest.raises(KeyboardInterrupt):
            train(network, RECIPE, killed_at(lengthen(RECIPE), last, begun), tmp_path / "killed")
    network = with_new_adapter(triple.prior, RECIPE)
    again = train(network, RECIPE, killed_at(lengthen(RECIPE), None, begun), tmp_path / "killed")
    assert losses(again) == losses(expected)
    assert begun == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], "only the step that was cut short is taken again"
    assert all(torch.equal(*pair) for pair in zip(weights(network), weights(whole), strict=True))
    assert losses(expected)[-1] != losses(expected)[0]


def test_a_finished_run_takes_no_further_step(triple, tmp_path):
    network = with_new_adapter(triple.prior, RECIPE)
    figures = train(network, RECIPE, lengthen(RECIPE), tmp_path)
    assert train(with_new_adapter(triple.prior, RECIPE), RECIPE, killed_at(lengthen(RECIPE), 0), tmp_path) == figures


@pytest.mark.parametrize("other", [{"recipe": replace(RECIPE, beta=0.5)}, {"name": "another reward"}])
def test_another_runs_checkpoint_is_refused(triple, tmp_path, other):
    train(with_new_adapter(triple.prior, RECIPE), RECIPE, lengthen(RECIPE), tmp_path)
    changed = {"recipe": RECIPE, "name": ""} | other
    with pytest.raises(TrainingError, match="another run"):
        train(with_new_adapter(triple.prior, RECIPE), step=lengthen(RECIPE), folder=tmp_path, **changed)


def test_a_new_adapter_is_the_prior_and_leaves_the_global_generator_alone(triple):
    state = torch.get_rng_state()
    network = with_new_adapter(triple.prior, RECIPE)
    assert torch.equal(torch.get_rng_state(), state)
    ours = answer_log_prob(network, [1, 2, 3], [[5, 0]])
    torch.testing.assert_close(ours, answer_log_prob(triple.prior.network, [1, 2, 3], [[5, 0]]), atol=0, rtol=0)
    assert not any(weight.requires_grad for weight in triple.prior.network.parameters())
    shared = {id(weight) for weight in triple.prior.network.parameters()}
    assert shared <= {id(weight) for weight in network.parameters()}
    again = weights(with_new_adapter(triple.prior, RECIPE))
    assert all(torch.equal(*pair) for pair in zip(weights(network), again, strict=True))
    other = weights(with_new_adapter(triple.prior, replace(RECIPE, seed=1)))
    assert not all(torch.equal(*pair) for pair in zip(again, other, strict=True))


def test_the_saved_adapter_is_the_trained_one(triple, tmp_path):
    """bfloat16 keeps 8 bits of a weight: the answer's log-probability moves by far less than training moved it."""
    network = with_new_adapter(triple.prior, RECIPE)
    train(network, RECIPE, lengthen(RECIPE), tmp_path / "work")
    save_adapter(network, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert {weight.dtype for weight in load_file(tmp_path / "out" / "adapter_model.safetensors").values()} == {
        torch.bfloat16
    }
    loaded = score(with_adapter(triple.prior, tmp_path / "out", "aligned"), [1, 2], [[5, 0]]).log_prob.double()
    trained = answer_log_prob(network, [1, 2], [[5, 0]]).detach()
    before = score(triple.prior, [1, 2], [[5, 0]]).log_prob.double()
    assert abs(loaded - trained) < 0.1 * abs(trained - before)
    saved = (tmp_path / "work" / "adapter" / "adapter_model.safetensors").read_bytes()
    assert saved == (tmp_path / "out" / "adapter_model.safetensors").read_bytes()


@given(st.integers(1, 500))
def test_the_rate_rises_then_falls_and_never_passes_one(steps):
    rates = [warm_then_decay(step, steps) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
    top = rates.index(max(rates))
    assert rates == sorted(rates[: top + 1]) + sorted(rates[top + 1 :], reverse=True)
