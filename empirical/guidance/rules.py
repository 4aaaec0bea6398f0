"""Which rule guides an answer: Chang et al.'s, each with its strength, and a static temperature beneath it."""

from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

import torch

from theory.adaptors import local, temperature
from theory.guidance import classifier_free_guidance, classifier_guidance, greedy, kl_guided_temperature

Kind = Literal["none", "free", "kl", "classifier"]


@dataclass(frozen=True)
class Guidance:
    """A rule over a step's laws p (with the evidence) and p^- (without it), then a static temperature T.

    none: p; free: p^(1 + lambda) (p^-)^(-lambda); kl: p^(1 / t), t = 2^(-KL(p || p^-) / sigma); classifier: p Q^lambda.
    strength: lambda, or sigma in nats. T = 0 is greedy, ties shared. Raises ValueError unless lambda is finite,
    0 < sigma < inf and 0 <= T < inf. Source: Chang et al., Theorems 3.1 to 3.5.
    """

    kind: Kind = "none"
    strength: float = 0.0
    T: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.T < inf:
            raise ValueError(f"A temperature must be a number of at least 0, not {self.T}.")
        if self.kind == "kl" and not 0 < self.strength < inf:
            raise ValueError(f"sigma must be a positive number of nats, not {self.strength}.")
        if not isfinite(self.strength):
            raise ValueError(f"lambda must be a finite number, not {self.strength}.")

    @property
    def name(self) -> str:
        """Its name in tables: free(1), kl(0.5), greedy, temperature(0.7)."""
        if self.kind == "none":
            return "greedy" if self.T == 0 else "ancestral" if self.T == 1 else f"temperature({self.T:g})"
        return f"{self.kind}({self.strength:g})" + ("" if self.T == 1 else f" at temperature {self.T:g}")

    def law(
        self, log_p: torch.Tensor, log_p_without: torch.Tensor, log_success: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The guided law [..., V], through `theory.guidance`."""
        if self.kind == "free":
            log_pi = classifier_free_guidance(log_p, log_p_without, self.strength)
        elif self.kind == "kl":
            log_pi = kl_guided_temperature(log_p, log_p_without, self.strength)
        elif self.kind == "classifier":
            assert log_success is not None
            log_pi = classifier_guidance(log_p, log_success, self.strength)
        else:
            log_pi = log_p
        return greedy(log_pi) if self.T == 0 else local(temperature(self.T), log_pi)[0]
