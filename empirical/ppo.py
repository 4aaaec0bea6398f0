"""KL-regularised PPO: several clipped steps on one batch of answers, with an exact KL penalty and RLOO's baseline.

Answers are drawn from pi_old, then the policy climbs for a few steps

    E_old sum_t [ min(rho_t A_t, clip(rho_t, 1 - c, 1 + c) A_t) - beta D_t ],  rho_t = (pi / pi_old)(y_t | y_<t),
    D_t = KL(pi(. | y_<t) || p(. | y_<t)),      A_t = R_t - b_t of pi_old, see `policy_gradient`.

At pi = pi_old, where every batch begins, its gradient is RLOO's: an unbiased estimate of that of E_pi r - beta KL, the
maximum of which is p e^(r / beta) / Z. In the later steps on a batch it is none: the clip stops a token that has moved
far enough, and the prefixes, the advantages and the KL still to come in them remain those of pi_old.

What differs from PPO as in Ouyang et al. 2022 (2203.02155): the baseline is the mean of the other answers to the prompt
instead of a value network with generalised advantages; the penalty is the exact KL of every step, differentiated,
instead of the drawn log-ratio taken off the reward; nothing is whitened. The clip is that of Schulman et al. 2017
(1707.06347), equation 7.

TRL 1.16 has no PPO: its trainer was moved to `trl.experimental` and then removed (TRL's pull requests 4482 and 7020).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from empirical.alignment import Pool
from empirical.models import LanguageModel
from empirical.policy_gradient import advantages, on_policy, step_figures
from empirical.scored import Reward
from empirical.training import Recipe, Step

EPOCHS, CLIP = 4, 0.2  # steps on a batch, and c: customary values, not tuned


def clipped_surrogate(
    log_pi: torch.Tensor, log_old: torch.Tensor, kl: torch.Tensor, advantage: torch.Tensor, beta: float, clip: float
) -> torch.Tensor:
    """Less the objective above, as the mean over n answers.

    log_pi, log_old: of each drawn token under pi and pi_old; kl: D_t in nats; advantage: A_t; all [n, longest], the
    first two equal and the third 0 behind an answer's end.
    """
    ratio = (log_pi - log_old).exp()
    gained = torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    return (beta * kl - gained).sum(1).mean()


def ppo(
    prior: LanguageModel,
    reward: Reward,
    prompts: Sequence[str],
    recipe: Recipe,
    epochs: int = EPOCHS,
    clip: float = CLIP,
) -> Step:
    """A step of PPO: every `epochs`-th one draws fresh answers, as `rloo` does, and the others use them again.

    Train it with `stride=epochs`. The figures are the batch's when it was drawn, and moved: the share of its tokens
    whose ratio has left the clip's range. Raises ValueError unless epochs >= 1 and 0 < clip < 1.
    """
    if epochs < 1 or not 0 < clip < 1:
        raise ValueError(f"PPO needs epochs >= 1 and 0 < clip < 1, not {epochs} and {clip}.")
    draw = on_policy(prior, reward, prompts, recipe, "ppo")
    pools: list[Pool] = []
    old: list[tuple[torch.Tensor, torch.Tensor]] = []  # log pi_old and A_t of each pool
    drawn: dict[str, float] = {}

    def step(network: Any, number: int) -> Mapping[str, float]:
        fresh = number % epochs == 0
        if fresh:
            pools[:] = draw(network, number)
            old.clear()
            drawn.update(reward=float(torch.stack([pool.reward.mean() for pool in pools]).mean()), kl=0.0)
        if not old and not fresh:
            raise ValueError("PPO can only go on where a batch begins: train it with stride=epochs.")
        moved, tokens = 0, 0
        for place, pool in enumerate(pools):
            log_pi, kl = step_figures(network, prior.network, pool.prompt, pool.answers)
            if fresh:
                old.append((log_pi.detach(), advantages(kl, pool.reward.to(log_pi), recipe.beta)))
                drawn["kl"] += float(kl.detach().sum(1).mean()) / len(pools)
            log_old, advantage = old[place]
            (clipped_surrogate(log_pi, log_old, kl, advantage, recipe.beta, clip) / len(pools)).backward()
            moved += int(((log_pi.detach() - log_old).expm1().abs() > clip).sum())
            tokens += sum(map(len, pool.answers))
        return {**drawn, "objective": drawn["reward"] - recipe.beta * drawn["kl"], "moved": moved / tokens}

    return step
