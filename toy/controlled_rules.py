"""The points of the eight experiments: every rule at every strength, measured exactly."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from theory.guidance import controlled
from theory.layers import sequence_kl
from toy.controlled_world import BLOCK, REWARDS, SCORERS, Ingredients
from toy.text_rewards import combined
from toy.training import log_ratio

Row = dict[str, object]
LARGEST_KL = 9.0
"""Nats; the papers look at single digits."""
LARGEST_WEIGHT = 4.0
"""Of log(n / T) against the helpful reward: far more than any K needs to keep the length."""


def points(made: Ingredients) -> pd.DataFrame:
    """The table toy_controlled_points of `toy.controlled.run`."""
    parts = (_bases, _tokenwise, _trained, _blocks, _swapped, _with_length, _on_dpo)
    table = pd.DataFrame([row for part in parts for row in part(made)])
    numbers = ["K", "M", "strength", "bound", "bound_first", "kl_blocks", "kl_policy"]
    return table.astype(dict.fromkeys(numbers, float))


def row(reward: str, base: str, method: str, measures: dict[str, float], **setting: object) -> Row:
    """One point; a measure named reward is its mean."""
    renamed = {("reward_mean" if name == "reward" else name): value for name, value in measures.items()}
    return {"reward": reward, "base": base, "method": method, **setting, **renamed}


def strengths(made: Ingredients, reward: str, base: str = "bigram") -> list[float]:
    """lambda at which the frontier has KL from .05 nats up to the largest, or to most of what it can have."""
    frontier = made.worlds[reward, base].frontier
    top = min(LARGEST_KL, 0.95 * frontier.limit)
    return [frontier.strength(kl) for kl in np.geomspace(0.05, top, made.size.points)]


def _bases(made: Ingredients) -> Iterator[Row]:
    for (reward, base), world in made.worlds.items():
        yield row(reward, base, "base", world.of_policy(world.layers.log_p))


def _tokenwise(made: Ingredients, base: str = "bigram", scorers: tuple[str, ...] = ("V*", *SCORERS)) -> Iterator[Row]:
    for reward in REWARDS:
        world = made.worlds[reward, base]
        for scorer in scorers:
            q = made.action_values(reward, scorer, base)
            for lam in strengths(made, reward, base):
                # A tokenwise rule spends less at the same lambda; half as much again covers the same KLs.
                found = world.of_policy(controlled(world.layers.log_p, q, 1.5 * lam))
                yield row(reward, base, "tokenwise", found, scorer=scorer, strength=1.5 * lam)


def _trained(made: Ingredients) -> Iterator[Row]:
    for (reward, method, strength), policy in made.policies.items():
        yield row(reward, "bigram", method, made.worlds[reward, "bigram"].of_policy(policy), strength=strength)


def _best_of(made: Ingredients, reward: str, base: str) -> Iterator[Row]:
    world, T = made.worlds[reward, base], made.size.horizon  # noqa: N806
    blocks = world.blocks(T)
    for K in made.size.K_answers:  # noqa: N806
        yield row(reward, base, "best-of-K", world.of_blocks(blocks, made.values(reward, "V*", base), K, T), K=K)


def _blocks(made: Ingredients) -> Iterator[Row]:
    for reward in REWARDS:
        world = made.worlds[reward, "bigram"]
        yield from _best_of(made, reward, "bigram")
        for M in sorted({*made.size.M, BLOCK}):  # noqa: N806
            blocks = world.blocks(M)
            for scorer in ("V*", *SCORERS) if M == BLOCK else ("CD-Q",):
                values = made.values(reward, scorer)
                for K in made.size.K:  # noqa: N806
                    found = world.of_blocks(blocks, values, K, M)
                    yield row(reward, "bigram", "blockwise", found, scorer=scorer, K=K, M=M)


def _swapped(made: Ingredients) -> Iterator[Row]:
    """Experiment 5: the scorer of one base on another."""
    yield from _tokenwise(made, "trigram", ("V*", "CD-Q"))
    for reward in REWARDS:
        world = made.worlds[reward, "trigram"]
        yield from _best_of(made, reward, "trigram")
        blocks = world.blocks(BLOCK)
        for scorer in ("V*", "CD-Q"):
            values = made.values(reward, scorer, "trigram")
            for K in made.size.K:  # noqa: N806
                found = world.of_blocks(blocks, values, K, BLOCK)
                yield row(reward, "trigram", "blockwise", found, scorer=scorer, K=K, M=BLOCK)


def _with_length(made: Ingredients) -> Iterator[Row]:
    """Experiment 4: helpful less some of the length, the two scorers added up at inference."""
    world, length = made.worlds["helpful", "bigram"], made.worlds["length", "bigram"].reward
    blocks, usual = world.blocks(BLOCK), world.of_policy(world.layers.log_p)["tokens"]
    helpful, long = (made.values(reward, "CD-FUDGE") for reward in ("helpful", "length"))

    def at(weight: float, K: int) -> dict[str, float]:  # noqa: N803
        scored = combined(world.reward, length, -weight)
        return world.of_blocks(blocks, helpful - weight * long, K, BLOCK, scored)

    def longer(weight: float, K: int) -> float:  # noqa: N803
        return at(weight, K)["tokens"] - usual

    for K in made.size.K:  # noqa: N806
        # The largest weight makes every answer shorter than the base's, so that one between keeps the length.
        kept = brentq(longer, 0.0, LARGEST_WEIGHT, args=(K,), xtol=1e-3)
        for weight in (*made.size.weights, float(kept)):
            yield row("helpful", "bigram", "blockwise less length", at(weight, K), scorer="CD-FUDGE", strength=weight,
                      K=K, M=BLOCK)  # fmt: skip


def _on_dpo(made: Ingredients) -> Iterator[Row]:
    """Experiments 7 and 8: blocks, or whole answers, drawn from a DPO policy; kl_policy is its own KL to the base."""
    T = made.size.horizon  # noqa: N806
    for reward in ("length", "helpful"):
        world = made.worlds[reward, "bigram"]
        tuned, _ = made.tuned(reward)
        values = made.values(reward, "CD-Q")
        for beta in made.size.strengths(reward)["DPO"]:
            policy = made.policies[reward, "DPO", beta]
            spent = sequence_kl(world.layers, policy)
            for M, method in ((BLOCK, "DPO + blockwise"), (T, "DPO + best-of-K")):  # noqa: N806
                blocks = world.blocks(M, policy, (log_ratio(world.layers, policy),))
                for K in made.size.K if beta == tuned else (4, 8, 16):  # noqa: N806
                    found = world.of_blocks(blocks, values, K, M)
                    yield row(reward, "bigram", method, found, scorer="CD-Q", strength=beta, K=K, M=M, kl_policy=spent)
