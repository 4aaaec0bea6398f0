"""The eight experiments of Mudgal et al. (later version) in one exact world; every measure of every point is exact.

What is random is the learning alone: the scorers' answers and the policies' training, both keyed by the seed.
"""

import platform
from collections.abc import Iterator

import pandas as pd

import toy.control_findings
import toy.transfer_findings  # noqa: F401 (both register their findings)
from theory.guidance import controlled
from theory.layers import sequence_optimum, state_values
from toy.controlled_rules import Row, points, row, strengths
from toy.controlled_world import BLOCK, REWARDS, SCORERS, SMALL, Ingredients, Size, ingredients, keyed
from toy.findings import findings
from toy.prefix_learning import scorer_error
from toy.text_automaton import fingerprint


def run(seed: int, small: bool = False) -> dict[str, pd.DataFrame]:
    """Tables toy_controlled_*: points, frontier, scorers, samples, texts, findings.

    points: one row a rule at one strength. reward (length, helpful, pairs), base (bigram, trigram), method, scorer,
    strength (lambda, beta, tau or the weight of the length), K, M (NaN where a rule has none); kl (to the base, nats),
    reward_mean and optimum (the frontier's at that KL; of the row's reward), win (against a base answer), judged
    (expected number of true pairs), tokens (with EOS); for blocks kl_blocks, bound and bound_first (nats).
    frontier: lam, kl, reward_mean, primal, dual (nats), both of p e^(lambda r) / Z, and unequal to 1e-12 at most.
    scorers: error (root mean square against Q*, units of the reward). samples: the same by the answers learned from,
    with the share of the frontier's gain that the scorer earns at one strength, tokenwise and blockwise. texts: what
    the world was made from. findings: the paper's qualitative findings, the rule of each and by how much it holds
    (margin >= 0) or fails; NaN where the curves share no KL.
    """
    made = ingredients(seed, SMALL if small else Size())
    table = points(made)
    scorers = pd.DataFrame(
        {
            "reward": reward,
            "scorer": name,
            "answers": made.size.answers,
            "error": scorer_error(made.worlds[reward, "bigram"].layers, made.scorers[reward, name]),
        }
        for reward in REWARDS
        for name in SCORERS
    )
    texts = {
        "phrases": len(made.texts),
        "fingerprint": fingerprint(made.texts),
        "python": platform.python_version(),
        "horizon": made.size.horizon,
        "accuracy_train": made.accuracy[0],
        "accuracy_fresh": made.accuracy[1],
    }
    return {
        "toy_controlled_points": table,
        "toy_controlled_frontier": pd.DataFrame(_frontier(made)),
        "toy_controlled_scorers": scorers,
        "toy_controlled_samples": pd.DataFrame(_samples(made, seed)),
        "toy_controlled_texts": pd.DataFrame([texts]),
        "toy_controlled_findings": findings(table, scorers),
    }


def _frontier(made: Ingredients) -> Iterator[Row]:
    for (reward, base), world in made.worlds.items():
        for lam in strengths(made, reward, base):
            policy, dual = sequence_optimum(world.layers, lam)
            found = world.of_policy(policy)
            primal = lam * found["reward"] - found["kl"]
            yield row(reward, base, "optimum", found, lam=lam, primal=primal, dual=dual)


def _samples(made: Ingredients, seed: int) -> Iterator[Row]:
    """Scorers learned from few answers and many: tokenwise at lambda of two nats or half the range, and K = 4."""
    for i, reward in enumerate(REWARDS):
        world = made.worlds[reward, "bigram"]
        blocks, usual = world.blocks(BLOCK), world.of_policy(world.layers.log_p)["reward"]
        for count in made.size.sample_sizes:
            for scorer, learn in SCORERS.items():
                q = learn(world.layers, count, keyed(seed, 3, i, count), None)
                policy = controlled(world.layers.log_p, q, world.frontier.strength(min(2.0, world.frontier.limit / 2)))
                for method, found in (
                    ("tokenwise", world.of_policy(policy)),
                    ("blockwise", world.of_blocks(blocks, state_values(world.layers, q), 4, BLOCK)),
                ):
                    share = (found["reward"] - usual) / (found["optimum"] - usual)
                    yield {"reward": reward, "scorer": scorer, "answers": count, "method": method, "kl": found["kl"],
                           "share": share, "error": scorer_error(world.layers, q)}  # fmt: skip
