"""A world of seven answers with a free policy, where the mean of any gradient over groups of answers is a short sum."""

from itertools import product

import numpy as np
import torch

from tests.empirical.six_words import every_answer

TEXTS = every_answer(words=(1, 2))  # two words and EOS, at most two tokens: seven answers
PREFIXES = [(), (1,), (2,)]
BETA = 0.7


class World:
    """A policy with free logits at every prefix, a prior, and a reward for each answer, in float64."""

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        prior, policy = torch.tensor(rng.standard_normal((2, len(PREFIXES), 3)))
        self.reward = torch.tensor(rng.standard_normal(len(TEXTS)))
        self.logits = policy.requires_grad_()
        log_pi, log_p = self.logits.log_softmax(-1), prior.log_softmax(-1)
        step_kl = (log_pi.exp() * (log_pi - log_p)).sum(-1)
        rows = [[(PREFIXES.index(text[:t]), token) for t, token in enumerate(text)] for text in TEXTS]
        zero = torch.zeros((), dtype=torch.float64)
        self.log_pi = torch.stack([torch.stack([log_pi[r] for r in row] + [zero] * (2 - len(row))) for row in rows])
        self.log_p = torch.stack([torch.stack([log_p[r] for r in row] + [zero] * (2 - len(row))) for row in rows])
        self.kl = torch.stack([torch.stack([step_kl[p] for p, _ in row] + [zero] * (2 - len(row))) for row in rows])
        self.law = self.log_pi.sum(1).exp()

    def exact(self) -> torch.Tensor:
        """- grad J, from the definition of J over all answers."""
        log_ratio = (self.log_pi - self.log_p).sum(1)
        objective = self.law @ (self.reward - BETA * log_ratio)
        return torch.autograd.grad(-objective, self.logits, retain_graph=True)[0]

    def expected(self, loss, n) -> torch.Tensor:
        """E grad loss over all groups of n answers."""
        total = torch.zeros(())
        for group in map(list, product(range(len(TEXTS)), repeat=n)):
            total = total + self.law[group].prod().detach() * loss(self, group)
        return torch.autograd.grad(total, self.logits, retain_graph=True)[0]
