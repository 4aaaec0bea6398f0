"""An adapter that has gone some way from its prior, the gradient that a loss leaves on it, and runs that are killed."""

import pytest
import torch

from empirical.training import Recipe, checkpoint, train, with_new_adapter


def moved(prior, far=0.3, seed=1):
    """The prior's network with an adapter whose B is normal with standard deviation `far`."""
    network = with_new_adapter(prior, Recipe(beta=1.0))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lora_B" in name:
                weight.copy_(far * torch.randn(weight.shape, generator=generator))
    return network


def gradient(network):
    """All of the adapter's gradients in one vector, which is taken off the network."""
    found = torch.cat([weight.grad.flatten().clone() for weight in network.parameters() if weight.requires_grad])
    network.zero_grad()
    return found


class Killed:
    """Runs of one recipe, each in a folder of its own, that end before a given step; `steps`: makes the step anew."""

    def __init__(self, prior, recipe, steps, root):
        self.prior, self.recipe, self.steps, self.root = prior, recipe, steps, root

    def run(self, name, last=None, stride=1):
        """Go on in the folder, up to a step that raises KeyboardInterrupt."""
        step = self.steps()  # a new process has a new one
        self.begun = begun = []

        def dies(network, number):
            begun.append(number)
            if number == last:
                raise KeyboardInterrupt
            return step(network, number)

        train(with_new_adapter(self.prior, self.recipe), self.recipe, dies, self.root / name, stride=stride)

    def weights_of_both(self, stride=1):
        """The last checkpoint's weights of a run left alone, and of one killed at every step in turn."""
        self.run("whole", stride=stride)
        for last in range(1, self.recipe.steps):
            with pytest.raises(KeyboardInterrupt):
                self.run("killed", last, stride)
            assert self.begun == [*range((last - 1) // stride * stride, last + 1)], "it goes on, not anew"
        self.run("killed", stride=stride)
        return [checkpoint(self.root / name / "checkpoint.pt")["weights"] for name in ("whole", "killed")]
