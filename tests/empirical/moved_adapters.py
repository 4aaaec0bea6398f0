"""An adapter that has gone some way from its prior, and the gradient that a loss leaves on it."""

import torch

from empirical.training import Recipe, with_new_adapter


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
