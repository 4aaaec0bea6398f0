"""What the eight experiments of Mudgal et al. (later version) need: two bases, three rewards, scorers and policies.

The base is a letter bigram of English-like phrases, the "other base" a richer one. The length stands for experiment 1,
the Bradley-Terry reward, fitted to noisy choices and judged by the pairs that made them, for helpfulness, the pairs
themselves for summaries. Scorers and policies learn from equally many answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from theory.arrays import expectation
from theory.block_laws import Reward
from theory.layers import Floats, Layers, action_values, sequence_kl, state_values
from toy.frontier import World
from toy.policy_learning import dpo, ipo, ppo
from toy.prefix_learning import cd_fudge, cd_q
from toy.text_automaton import bigram_states, class_trigram_states, fitted, last_letter, phrases
from toy.text_rewards import choices, length_reward, letter_reward, letter_weights, pair_reward, world
from toy.training import Trained, Training

REWARDS = ("length", "helpful", "pairs")
SCORERS = {"CD-FUDGE": cd_fudge, "CD-Q": cd_q}
POLICIES: dict[str, Callable[[Layers, float, np.random.Generator, Training], Trained]] = {
    "PPO": ppo,
    "DPO": dpo,
    "IPO": ipo,
}
BLOCK = 8
"""M where it does not vary: a quarter of the horizon."""


@dataclass(frozen=True)
class Size:
    """How large the experiments are.

    choices: noisy preferences that the helpful reward is fitted to, and as many fresh ones. weights: how much of
    log(n / T) is taken off that reward in experiment 4, beside the weight that keeps the length.
    """

    horizon: int = 32
    choices: int = 4_000
    training: Training = Training(steps=300, batch=128)  # noqa: RUF009 (frozen)
    points: int = 14
    K: tuple[int, ...] = (2, 3, 4, 6, 8, 16, 32)
    K_answers: tuple[int, ...] = (2, 4, 6, 8, 16, 32, 50, 128, 512, 2048)
    M: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    weights: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    sample_sizes: tuple[int, ...] = (300, 1_200, 4_800, 19_200, 76_800)
    ppo_length: tuple[float, ...] = (0.1, 0.2, 0.4, 1.0)
    ppo: tuple[float, ...] = (0.4, 0.5, 0.7, 1.0)
    dpo: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0)
    ipo: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3)

    @property
    def answers(self) -> int:
        """Answers per scorer and per policy."""
        return self.training.steps * self.training.batch

    def strengths(self, reward: str) -> dict[str, tuple[float, ...]]:
        """beta (tau for IPO) of each policy: spread so that the KL to the base runs from some .1 to some 10 nats."""
        return {"PPO": self.ppo_length if reward == "length" else self.ppo, "DPO": self.dpo, "IPO": self.ipo}


SMALL = Size(
    horizon=10,
    choices=200,
    training=Training(steps=4, batch=32, reports=1),
    points=2,
    K=(2, 6, 8, 32),
    K_answers=(2, 50),
    M=(4, 8),
    weights=(0.0,),
    sample_sizes=(50,),
    ppo_length=(0.3,),
    ppo=(0.5,),
    dpo=(0.3,),
    ipo=(0.1,),
)


@dataclass(frozen=True, eq=False)
class Ingredients:
    """worlds by (reward, base); Q tables [T, S, V] by (reward, scorer), of the bigram base; policies [T, S, V] by
    (reward, method, strength); the phrases; the accuracy of the Bradley-Terry fit on its choices and on fresh ones."""

    size: Size
    worlds: dict[tuple[str, str], World]
    scorers: dict[tuple[str, str], Floats]
    policies: dict[tuple[str, str, float], Floats]
    texts: tuple[str, ...]
    accuracy: tuple[float, float]

    def values(self, reward: str, scorer: str, base: str = "bigram") -> Floats:
        """Prefix scores [T + 1, S] of a base: V* of that base, or learned on the bigram and read by its last letter."""
        layers = self.worlds[reward, base].layers
        if scorer == "V*":
            return state_values(layers, action_values(layers, expectation))
        learned = state_values(self.worlds[reward, "bigram"].layers, self.scorers[reward, scorer])
        return learned[:, last_letter(layers.n_states)]

    def action_values(self, reward: str, scorer: str, base: str = "bigram") -> Floats:
        """The same for tokens: Q [T, S, V]."""
        layers = self.worlds[reward, base].layers
        if scorer == "V*":
            return action_values(layers, expectation)
        return self.scorers[reward, scorer][:, last_letter(layers.n_states)]

    def tuned(self, reward: str) -> tuple[float, Floats]:
        """The strength and the DPO policy whose KL is nearest the 2.5 nats of the paper's experiment 7."""
        layers = self.worlds[reward, "bigram"].layers
        found = {key[2]: policy for key, policy in self.policies.items() if key[:2] == (reward, "DPO")}
        strength = min(found, key=lambda beta: abs(sequence_kl(layers, found[beta]) - 2.5))
        return strength, found[strength]


def ingredients(seed: int, size: Size) -> Ingredients:
    """Fit the bases and the noisy reward, learn the scorers, train the policies; draws are keyed by (seed, what)."""
    texts = phrases(size.horizon - 1)
    bases = {"bigram": bigram_states(), "trigram": class_trigram_states()}
    steps = {base: fitted(texts, successor) for base, successor in bases.items()}
    n_states, horizon = {base: len(successor) for base, successor in bases.items()}, size.horizon

    truth = world(steps["bigram"], bases["bigram"], horizon, pair_reward(n_states["bigram"], horizon))
    seen, fresh = (choices(truth, size.choices, keyed(seed, 0, split))[0] for split in (0, 1))
    weights = letter_weights(seen)
    makers: dict[str, Callable[[int, int], Reward]] = {
        "length": length_reward,
        "helpful": partial(letter_reward, weights),
        "pairs": pair_reward,
    }
    worlds = {
        (reward, base): World(
            world(steps[base], successor, horizon, makers[reward](n_states[base], horizon)),
            makers[reward](n_states[base], horizon),
            pair_reward(n_states[base], horizon).gain,
        )
        for reward in REWARDS
        for base, successor in bases.items()
    }
    layers = {reward: worlds[reward, "bigram"].layers for reward in REWARDS}
    scorers = {
        (reward, name): learn(layers[reward], size.answers, keyed(seed, 1, i), None)
        for i, reward in enumerate(REWARDS)
        for name, learn in SCORERS.items()  # both learn from the same answers
    }
    policies = {
        (reward, method, strength): POLICIES[method](
            layers[reward], strength, keyed(seed, 2, i, list(POLICIES).index(method), j), size.training
        ).log_policy
        for i, reward in enumerate(REWARDS)
        for method, strengths in size.strengths(reward).items()
        for j, strength in enumerate(strengths)
        if reward != "pairs" or method == "IPO"  # experiment 3 has no other
    }
    accuracy = (share_right(seen @ weights), share_right(fresh @ weights))
    return Ingredients(size, worlds, scorers, policies, tuple(texts), accuracy)


def share_right(margins: Floats) -> float:
    """How many choices a reward foretells, by its lead for the answer that was chosen: [n]; a tie is half right.

    >>> share_right(np.array([2.0, 0.0, -1.0, 0.5]))
    0.625
    """
    return float(np.mean((np.sign(margins) + 1) / 2))


def keyed(seed: int, *key: int) -> np.random.Generator:
    """The stream of draws of one thing that is learned."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *key])))
