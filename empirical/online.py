"""On-line DPO and IPO: preference optimisation on fresh pairs of the policy's own answers, labelled by their rewards.

A step draws n answers to a prompt from pi as it is and takes the gradient of the mean loss over all their pairs,

    DPO:  - P log sigmoid(beta m) - (1 - P) log sigmoid(-beta m),
    IPO:  P (m - 1/(2 beta))^2 + (1 - P) (m + 1/(2 beta))^2,
    m = h(y) - h(y'),   h(y) = sum_t log(pi / p)(y_t | y_<t),

summed over an answer's tokens, never averaged, EOS among them; nothing is differentiated through the drawing. Two
answers a prompt are the published baselines (Guo et al. 2024, 2402.04792, with DPO's and IPO's losses; Mudgal et al.,
section 4.3); all pairs of n have the same mean and less noise. P(y beats y') is 1 for the higher reward and 1/2 at a
tie, as there ("reward"), or Bradley and Terry's sigmoid(r - r'), which is the mean over drawn labels.

Where that leads, in the mean: DPO with Bradley-Terry labels to p e^(r / beta) / Z; DPO with the reward's to the best
answer whatever beta, which then sets the pace alone; IPO to pi ~ p e^(E_pi P(y beats y') / beta), with either label.
Losses and slopes are those of `theory.preferences`, which has the sources; optima: `theory.preference_optima`.

TRL 1.16 has both as an experiment, OnlineDPOTrainer, whose losses the tests take as an oracle (its DPOTrainer averages
IPO's margin over tokens). It draws two answers by `generate` or vLLM and needs `datasets`; the KL that it logs is that
of the drawn tokens, and of padding too. Ours is exact at every step.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch

from empirical.models import LanguageModel
from empirical.policy_gradient import on_policy, step_figures
from empirical.scored import Floats, Reward
from empirical.training import Recipe, Step
from theory.preference_optima import Slope, gradient
from theory.preferences import bradley_terry, by_reward, dpo_loss, dpo_slope, ipo_loss, ipo_slope, margins


class Labels(StrEnum):
    """How a pair's answers are compared."""

    REWARD = "reward"
    BRADLEY_TERRY = "bradley-terry"


PREFERENCE = {Labels.REWARD: by_reward, Labels.BRADLEY_TERRY: bradley_terry}


@dataclass(frozen=True)
class Objective:
    """What one labelled pair costs, and the cost's slope in the margin."""

    name: str
    loss: Callable[[Floats, Floats, float], Floats]
    slope: Slope


DPO = Objective("online-dpo", dpo_loss, dpo_slope)
IPO = Objective("online-ipo", ipo_loss, ipo_slope)


def mean_pair_loss(
    objective: Objective, log_ratio: Floats, reward: Floats, beta: float, labels: Labels
) -> tuple[float, Floats]:
    """The mean loss over the pairs of n >= 2 answers to one prompt, and its derivative in each log-ratio h: [n].

    log_ratio: of whole answers, nats, [n]; reward: [n]. Raises ValueError on one answer alone, on a reward that is not
    finite, and unless 0 < beta < inf.
    """
    n = len(reward)
    if n < 2:
        raise ValueError("A pair has two answers: draw at least two.")
    pairs = (1 - np.eye(n)) / (n * (n - 1))
    preference = PREFERENCE[labels](reward)
    loss = float((pairs * objective.loss(margins(log_ratio), preference, beta)).sum())
    return loss, gradient(log_ratio, pairs, preference, beta, objective.slope)


def online(
    objective: Objective,
    prior: LanguageModel,
    reward: Reward,
    prompts: Sequence[str],
    recipe: Recipe,
    labels: Labels = Labels.REWARD,
) -> Step:
    """A step of on-line preference optimisation, with the mean reward and the exact KL(pi || p) of what it drew."""
    draw = on_policy(prior, reward, prompts, recipe, objective.name)

    def step(network: Any, number: int) -> Mapping[str, float]:
        pools, total, gained, spent = draw(network, number), 0.0, 0.0, 0.0
        for pool in pools:
            tokens, kl = step_figures(network, prior.network, pool.prompt, pool.answers)
            log_pi = tokens.double().sum(1)
            log_ratio = (log_pi.detach().cpu() - pool.log_prior).numpy()
            loss, slope = mean_pair_loss(objective, log_ratio, pool.reward.numpy(), recipe.beta, labels)
            # Its gradient is the loss's, by the chain rule through h.
            (torch.as_tensor(slope).to(log_pi) @ log_pi / len(pools)).backward()
            total += loss / len(pools)
            gained += float(pool.reward.mean()) / len(pools)
            spent += float(kl.detach().sum(1).mean()) / len(pools)
        return {"loss": total, "reward": gained, "kl": spent}

    return step
