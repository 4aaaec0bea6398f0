"""A prefix scorer as the stochastic discriminator of Theorem 3.1, in its base-value reading: frozen, and of the base.

Q(s, a) = E_p[D(y) | s, a] is the chance that the base's own continuation would pass a discriminator D(y) in [0, 1]:
what CD-FUDGE learns with D as the reward. Nothing of it depends on the policy that it guides.
"""

from collections.abc import Sequence

import torch

from empirical.engines.steering import Scorer, steering
from empirical.guidance.engine import LogSuccess
from empirical.models import LanguageModel

FLOOR = 1e-3
"""A learnt value may leave [0, 1]; below this no token is told from another, and none is ruled out."""


def log_success(scorer: Scorer, model: LanguageModel, weights: Sequence[float] = (1.0,)) -> LogSuccess:
    """log Q of every next token, off the states of `model`: the scorer's weighted values between FLOOR and 1.

    weights: of the scorer's rewards. Raises ValueError on a scorer of another base or on other weights.
    """
    steered = steering(model, scorer)
    steered.check_weights(weights)
    row = torch.tensor(list(weights), dtype=torch.float64)

    def read(states: torch.Tensor) -> torch.Tensor:
        return steered.values(states, row.to(states).expand(len(states), -1)).clamp(FLOOR, 1.0).log()

    return read
