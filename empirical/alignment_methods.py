"""The methods that make an adapter, by name: their defaults, the law that each leads to, and their training steps."""

from enum import StrEnum
from pathlib import Path

from empirical.alignment import dpo, draw_pools
from empirical.models import LanguageModel
from empirical.online import DPO, IPO, Labels, online
from empirical.policy_gradient import rloo
from empirical.ppo import CLIP, EPOCHS, ppo
from empirical.scored import Reward
from empirical.training import Recipe, Step


class Method(StrEnum):
    """How the adapter is trained."""

    RLOO = "rloo"
    PPO = "ppo"
    DPO = "dpo"
    ONLINE_DPO = "online-dpo"
    ONLINE_IPO = "online-ipo"


# Not tuned for PPO, on-line DPO and on-line IPO: they are RLOO's, and for PPO half its batches, each used four times.
STEPS = {Method.RLOO: 60, Method.PPO: 120, Method.DPO: 120, Method.ONLINE_DPO: 60, Method.ONLINE_IPO: 60}
LEARNING_RATE = {
    Method.RLOO: 5e-4,
    Method.PPO: 5e-4,
    Method.DPO: 1.5e-3,
    Method.ONLINE_DPO: 5e-4,
    Method.ONLINE_IPO: 5e-4,
}
PAIRED = {Method.ONLINE_DPO: DPO, Method.ONLINE_IPO: IPO}
TILT = "p e^(r / beta) / Z"
AIMS = {
    (Method.ONLINE_DPO, Labels.REWARD): "the best answer, at a pace that beta sets",
    (Method.ONLINE_IPO, Labels.REWARD): "pi ~ p e^(E_pi P(y beats y') / beta), P = 1 for the higher reward",
    (Method.ONLINE_IPO, Labels.BRADLEY_TERRY): "pi ~ p e^(E_pi P(y beats y') / beta), P of Bradley and Terry",
}
"""The law that a method leads to in the mean; `TILT` for all others."""


def named(reward: str, method: Method, beta: float, labels: Labels = Labels.REWARD) -> str:
    """An adapter's folder: reward, method and beta, and the labels of pairs where they are not the reward's own."""
    other = method in PAIRED and labels is not Labels.REWARD
    return f"{Path(reward).name}-{method}-{beta:g}" + (f"-{labels}" if other else "")


def settings_of(method: Method, labels: Labels) -> dict[str, str | float]:
    """What decides a method's run besides the recipe."""
    if method is Method.PPO:
        return {"epochs": EPOCHS, "clip": CLIP}
    return {"labels": str(labels)} if method in PAIRED else {}


def step_of(
    method: Method,
    prior: LanguageModel,
    reward: Reward,
    prompts: list[str],
    recipe: Recipe,
    labels: Labels,
    kept: Path,
) -> Step:
    """The method's training step; kept: the file of the prior's answers, for the method that learns from those."""
    if method is Method.DPO:
        return dpo(draw_pools(prior, reward, prompts, recipe, kept), recipe)
    if method in PAIRED:
        return online(PAIRED[method], prior, reward, prompts, recipe, labels)
    return (ppo if method is Method.PPO else rloo)(prior, reward, prompts, recipe)
