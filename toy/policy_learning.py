"""PPO, DPO and IPO trained on-line on a tabular softmax policy, from nothing but its own answers and their rewards.

All three see whole answers: a log-ratio is summed over an answer's tokens, never averaged. Where each of them leads is
known (`theory.preference_optima`): PPO to p e^(r / beta), and so does DPO where answers win by Bradley-Terry; labels by
the reward itself, as in Mudgal et al., draw DPO to the best answer whatever beta, which then sets the pace alone; IPO
stays finite with either label. What is trained is compared with that, not with what the optimum would be.
"""

import numpy as np
import pandas as pd

from theory.layers import Floats, Layers, expected_gain, sequence_kl, sequence_optimum
from theory.preference_optima import Slope, gradient
from theory.preferences import bradley_terry, by_reward, dpo_slope, ipo_slope, positive
from toy.training import (
    Descent,
    Trained,
    Training,
    advantages,
    clipped_slope,
    drawn,
    log_ratio,
    logit_gradient,
    report,
)

LABELS = {"reward": by_reward, "bradley-terry": bradley_terry}
SOURCES = ("policy", "base")


def dpo(
    layers: Layers,
    beta: float,
    rng: np.random.Generator,
    training: Training = Training(),  # noqa: B008 (frozen)
    labels: str = "reward",
    source: str = "policy",
) -> Trained:
    """On-line DPO: all pairs of a batch of answers, labelled by their rewards, each -log sigmoid(beta margin).

    labels: "reward" (the higher reward wins, ties are half a win each, as in the paper) or "bradley-terry" (y wins
    with probability sigmoid(r - r')), in the mean over the labels; source: the answers come from the current "policy"
    (as in the paper) or from the "base" law. Raises ValueError unless 0 < beta < inf, or on another label or source.
    Sources: Rafailov et al. 2023 (2305.18290); Mudgal et al., section 4.3.
    """
    return _by_pairs(layers, beta, rng, training, labels, source, dpo_slope)


def ipo(
    layers: Layers,
    tau: float,
    rng: np.random.Generator,
    training: Training = Training(),  # noqa: B008 (frozen)
    labels: str = "reward",
    source: str = "policy",
) -> Trained:
    """On-line IPO: as `dpo`, each pair costing (margin of the winner - 1/(2 tau))^2.

    Source: Azar et al. 2023 (2310.12036); Mudgal et al., section 4.3.
    """
    return _by_pairs(layers, tau, rng, training, labels, source, ipo_slope)


def ppo(
    layers: Layers,
    beta: float,
    rng: np.random.Generator,
    training: Training = Training(),  # noqa: B008 (frozen)
) -> Trained:
    """KL-regularised PPO: the clipped surrogate, each token charged beta (log pi - log p) beside what it earns.

    Advantages are generalised ones (lambda = `training.trace`, no discount) against a table of state values that
    averages over about the last ten batches. Raises ValueError unless 0 < beta < inf.
    Sources: Schulman et al. 2017 (1707.06347); Ouyang et al. 2022 (2203.02155), the charge; Mudgal et al., section 4.3.
    """
    positive(beta, "beta")
    descent, rows = Descent(layers, training.rate, training.steps * training.epochs), []
    values, seen = np.zeros((2, layers.horizon * layers.n_states))
    for step in range(1, training.steps + 1):
        old = descent.log_policy
        batch = drawn(layers, old, training.batch, rng)
        here = batch.cells // layers.log_p.shape[-1]
        expected = np.where(batch.alive, values[here], 0.0)
        advantage = advantages(batch.paid - beta * batch.of_tokens(log_ratio(layers, old)), expected, training.trace)
        visits = np.bincount(here[batch.alive], minlength=values.size)
        surprise = np.bincount(here[batch.alive], weights=advantage[batch.alive], minlength=values.size)
        seen = 0.9 * seen + visits
        values = values + surprise / np.maximum(seen, 1)
        for _ in range(training.epochs):
            change = log_ratio(layers, descent.log_policy) - log_ratio(layers, old)
            slope = clipped_slope(np.exp(batch.of_tokens(change)), advantage, training.clip)
            descent.step(-logit_gradient(descent.log_policy, batch, slope) / training.batch)
        if step in training.reported:
            rows.append(report(layers, descent.log_policy, step))
    return Trained(descent.log_policy, pd.DataFrame(rows))


def shortfall(layers: Layers, log_policy: Floats, beta: float) -> float:
    """KL(pi || p e^(r / beta) / Z) = log Z - E r / beta + KL(pi || p): what pi misses of the RL optimum, in nats."""
    _, log_z = sequence_optimum(layers, 1 / positive(beta, "beta"))
    return log_z - expected_gain(layers, log_policy) / beta + sequence_kl(layers, log_policy)


def _by_pairs(
    layers: Layers,
    strength: float,
    rng: np.random.Generator,
    training: Training,
    labels: str,
    source: str,
    slope: Slope,
) -> Trained:
    if labels not in LABELS or source not in SOURCES:
        raise ValueError(f"labels must be one of {list(LABELS)} and source one of {list(SOURCES)}.")
    positive(strength, "beta or tau")
    descent, rows = Descent(layers, training.rate, training.steps), []
    n = training.batch
    # Every two answers of a batch make a pair: the gradient has the mean of n / 2 pairs and far less noise.
    pairs = (1 - np.eye(n)) / (n * (n - 1))
    for step in range(1, training.steps + 1):
        batch = drawn(layers, descent.log_policy if source == "policy" else layers.log_p, n, rng)
        whole = batch.of_tokens(log_ratio(layers, descent.log_policy)).sum(axis=-1)
        weights = gradient(whole, pairs, LABELS[labels](batch.reward), strength, slope)
        descent.step(logit_gradient(descent.log_policy, batch, weights[:, None]))
        if step in training.reported:
            rows.append(report(layers, descent.log_policy, step))
    return Trained(descent.log_policy, pd.DataFrame(rows))
