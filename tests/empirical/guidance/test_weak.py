"""The weaker prior: how much weaker, what it shares, and that it forgets nothing of the intact one."""

import pytest
import torch

from empirical.guidance.weak import weakened


def test_the_noise_is_as_large_as_asked_and_the_embeddings_are_shared(triple):
    model = triple.prior
    before = {name: weight.clone() for name, weight in model.network.named_parameters()}
    weak = weakened(model, 0.5)
    shared = {id(weight) for module in (model.network.get_input_embeddings(), model.network.get_output_embeddings())
              for weight in module.parameters()}  # fmt: skip
    for (name, one), (_, other) in zip(model.network.named_parameters(), weak.network.named_parameters(), strict=True):
        assert torch.equal(one, before[name]), "the model itself is as it was"
        if id(one) in shared:
            assert other is one
        elif one.ndim == 2:
            assert float((other - one).std() / one.std()) == pytest.approx(0.5, rel=0.2)  # 1,000 weights: 2 % noise
        else:
            assert torch.equal(one, other)
    assert weak.sha256 != model.sha256
    assert weak.name == f"{model.name} with noise 0.5"


def test_no_noise_is_the_model(triple):
    same = weakened(triple.prior, 0.0)
    assert all(map(torch.equal, same.network.parameters(), triple.prior.network.parameters()))


def test_the_seed_decides(triple):
    one, again, other = (weakened(triple.prior, 0.1, seed) for seed in (0, 0, 1))
    assert all(map(torch.equal, one.network.parameters(), again.network.parameters()))
    assert not all(map(torch.equal, one.network.parameters(), other.network.parameters()))


@pytest.mark.parametrize("noise", [-1.0, float("nan"), float("inf")])
def test_noise_out_of_range(triple, noise):
    with pytest.raises(ValueError, match="noise"):
        weakened(triple.prior, noise)
