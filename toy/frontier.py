"""The exact reward-KL frontier of a layered world, and where a rule's answers lie below it.

Every law pi of answers obeys lambda E_pi r - KL(pi || p) <= log E_p e^(lambda r), with equality at p e^(lambda r) / Z
alone. The frontier R*(kappa), the greatest E_pi r at KL(pi || p) = kappa, is what these lines leave, and it needs the
law of the reward only.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq

from theory.arrays import expectation, logsumexp, shaped, validated
from theory.block_laws import Blocks, Reward, block_laws
from theory.blockwise import Answers, blockwise, reward_law
from theory.guidance import gibbs
from theory.information import kl
from theory.layers import Floats, Layers, expected_gain, sequence_kl


@dataclass(frozen=True, eq=False)
class Frontier:
    """The frontier of a reward whose law under the base is log_prob [G] on the ascending levels [G]."""

    levels: Floats
    log_prob: Floats

    @property
    def limit(self) -> float:
        """log 1 / P(greatest reward), the KL from which on nothing is left to gain."""
        return -float(self.log_prob[-1])

    def dual(self, lam: float) -> float:
        """log E_p e^(lambda r), nats."""
        return float(logsumexp(self.log_prob + lam * self.levels))

    def point(self, lam: float) -> tuple[float, float]:
        """KL (nats) and expected reward of p e^(lambda r) / Z."""
        log_pi = gibbs(self.log_prob, lam * self.levels)
        return float(kl(log_pi, self.log_prob)), float(expectation(log_pi, self.levels))

    def strength(self, divergence: float) -> float:
        """The lambda >= 0 at which p e^(lambda r) / Z has a KL of kappa nats; inf from log 1 / P(greatest reward) on.

        Raises ValueError on NaN or a negative kappa beyond rounding.
        """
        # A KL is a sum of some thousand terms of either sign.
        if not divergence >= -1e-12:
            raise ValueError(f"a KL must be a number >= 0, not {divergence}.")
        if divergence <= self.point(0.0)[0]:  # 0, but for rounding
            return 0.0
        high = 1.0
        while self.point(high)[0] < divergence:
            high *= 2
            if high * np.ptp(self.levels) > HARD or self.levels.size == 1:
                return np.inf
        return float(brentq(lambda lam: self.point(lam)[0] - divergence, 0.0, high, xtol=1e-15, rtol=1e-14))

    def best(self, divergence: float) -> float:
        """R*(kappa), the greatest expected reward at a KL of kappa nats. Raises ValueError as `strength`."""
        lam = self.strength(divergence)
        if lam == np.inf:
            return float(self.levels[-1])
        # The line of the dual at any lambda bounds R* from above, and the error of this one is of second order.
        return (divergence + self.dual(lam)) / lam if lam > 1e-6 else self.point(lam)[1]


HARD = 1e5
"""lambda times the range of r beyond which only the greatest reward is left in floats."""


@dataclass(frozen=True, eq=False)
class World:
    """A base law, the reward that is optimised, and the judge's own reward [T, S, V], additive as well."""

    layers: Layers
    reward: Reward
    judge: Floats

    def blocks(self, M: int, log_policy: Floats | None = None, further: tuple[Floats, ...] = ()) -> list[Blocks]:  # noqa: N803
        """`theory.blockwise.block_laws` with the judge's reward as the first further gain."""
        log_pi = self.layers.log_p if log_policy is None else log_policy
        return block_laws(self.layers, log_pi, self.reward, M, (self.judge, *further))

    @cached_property
    def base_answers(self) -> Answers:
        """What the base says."""
        return self.answers(self.layers.log_p)

    @cached_property
    def base(self) -> tuple[Floats, Floats]:
        """The law of the reward under the base."""
        return reward_law(self.base_answers, self.reward)

    @cached_property
    def frontier(self) -> Frontier:
        """The frontier of this world's reward."""
        return Frontier(*self.base)

    def answers(self, log_policy: Floats) -> Answers:
        """What a token-by-token policy says: one block, chosen out of one."""
        blocks = block_laws(self.layers, log_policy, self.reward, self.layers.horizon)
        return blockwise(blocks, self.reward, np.zeros((self.layers.horizon + 1, self.layers.n_states)), 1)

    def of_policy(self, log_policy: Floats) -> dict[str, float]:
        """The exact measures of a token-by-token policy, as `measures`."""
        judged = expected_gain(Layers(self.layers.log_p, self.layers.successor, self.judge), log_policy)
        return self.measures(self.answers(log_policy), sequence_kl(self.layers, log_policy), judged)

    def of_blocks(
        self, blocks: list[Blocks], values: Floats, K: int, M: int, scored: Reward | None = None  # noqa: N803
    ) -> dict[str, float]:  # fmt: skip
        """The exact measures of blockwise best-of-K, with the papers' bounds on its KL beside it.

        scored: the reward that ranks the blocks, this world's unless given. kl_blocks: KL to the law that the blocks
        are drawn from; where that is another policy d, the blocks' second further gain is log d - log p, and
        KL(pi || p) = KL(pi || d) + E_pi log d / p. bound: f_K E_pi ceil(n / M), f_K = log K - (K - 1) / K, of the later
        version; bound_first: f_K ceil(E_p n / M), as the first version prints it.
        """
        found = blockwise(blocks, scored or self.reward, values, K)
        row = self.measures(found, found.kl + sum(found.sums[1:]), found.sums[0])
        row["kl_blocks"] = found.kl
        tokens = np.arange(1, self.layers.horizon + 1)
        per_block = np.log(K) - (K - 1) / K
        row["bound"] = per_block * float(np.exp(found.log_law).sum(axis=-1) @ np.ceil(tokens / M))
        row["bound_first"] = per_block * float(np.ceil(self._tokens(self.base_answers) / M))
        return row

    def measures(self, found: Answers, divergence: float, judged: float) -> dict[str, float]:
        """kl: to the base, nats; reward: its mean; win: against a base answer, ties half; judged; tokens with EOS;
        optimum: R*(kl)."""
        levels, log_prob = reward_law(found, self.reward)
        return {
            "kl": divergence,
            "reward": float(expectation(log_prob, levels)),
            "win": win_rate((levels, log_prob), self.base),
            "judged": judged,
            "tokens": self._tokens(found),
            "optimum": self.frontier.best(divergence),
        }

    @staticmethod
    def _tokens(found: Answers) -> float:
        law = np.exp(found.log_law).sum(axis=-1)
        return float(law @ np.arange(1, law.size + 1))


def win_rate(mine: tuple[Floats, Floats], theirs: tuple[Floats, Floats]) -> float:
    """P(r > r') + P(r = r') / 2 for independent r, r' with laws (ascending levels, log-probabilities).

    Raises ValueError where the levels do not ascend or the probabilities are not one each.

    >>> fair = np.array([0.0, 1.0]), np.log([0.5, 0.5])
    >>> round(win_rate((np.array([1.0]), np.array([0.0])), fair), 6)
    0.75
    """
    for levels, log_prob in (mine, theirs):
        if not np.all(np.diff(shaped(levels, (None,), "the levels")) > 0):
            raise ValueError("the levels of a law of rewards must ascend.")
        validated(shaped(log_prob, levels.shape, "the law of rewards"), "the law of rewards")
    cumulated = np.concatenate([[0.0], np.cumsum(np.exp(theirs[1]))])
    below = cumulated[np.searchsorted(theirs[0], mine[0], "left")]
    up_to = cumulated[np.searchsorted(theirs[0], mine[0], "right")]
    return float(np.exp(mine[1]) @ (below + up_to) / 2)
