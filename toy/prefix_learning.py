"""CD-FUDGE and CD-Q learned from a finite sample in a world whose exact V* is known: the error of a prefix scorer.

Q(t, s, a) is what token a at step t in state s is worth: the reward still to come, a's own gain included. What the
prefix has earned already is the same for all its tokens, so the policies p e^(lambda Q) are those of the whole reward.
A token that the sample never took is worth what its state is worth, so that control leaves it as probable as it was
next to a neutral token; in a state never seen all tokens are worth 0, and control does nothing.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pandas as pd
from scipy.stats import t as student

from theory.arrays import expectation, shaped
from theory.layers import Floats, Layers, action_values, occupancy, sample
from theory.prefix_scorers import cell_means, kept_bellman_target

Learner = Callable[[Layers, int, np.random.Generator, Floats | None], Floats]


def cd_fudge(layers: Layers, count: int, rng: np.random.Generator, log_data: Floats | None = None) -> Floats:
    """CD-FUDGE on `count` answers: each token's mean reward to come. Returns Q [T, S, V], every entry finite.

    log_data: [T, S, V], the policy that the answers are drawn from, the base law unless given; from another policy
    CD-FUDGE learns that policy's values. Raises ValueError unless count >= 1. Source: Mudgal et al., equation 4.

    >>> log_p = np.log([[[0.5, 0.5]], [[1.0, 1e-300]]])
    >>> log_p[1, 0, 1] = -np.inf
    >>> world = Layers(log_p, np.zeros((1, 2), dtype=int), np.array([[[0.0, 1.0]], [[2.0, 0.0]]]))
    >>> cd_fudge(world, 100, np.random.default_rng(0))[0, 0].tolist()
    [0.0, 3.0]
    """
    cells, to_come = _visited(layers, count, rng, log_data)
    by_token, seen = cell_means(cells, to_come, layers.log_p.size)
    size = layers.log_p.shape[-1]
    by_state, _ = cell_means(cells // size, to_come, layers.log_p.size // size)
    neutral = np.repeat(np.nan_to_num(by_state), size)
    return np.where(seen > 0, by_token, neutral).reshape(layers.log_p.shape)


def cd_q(layers: Layers, count: int, rng: np.random.Generator, log_data: Floats | None = None) -> Floats:
    """CD-Q on `count` answers: full steps to the Bellman target of every token they took, from the last step back.

    One such sweep is the fixed point of the sweeps in any order. The target's mean over the next token is p's own, over
    the tokens that the sample took there. Returns Q [T, S, V], every entry finite; it is V* once the sample has taken
    every token, whatever policy log_data [T, S, V] it comes from (the base law unless given).
    Raises ValueError unless count >= 1. Source: Mudgal et al., equation 5.
    """
    cells, _ = _visited(layers, count, rng, log_data)
    known = (np.bincount(cells, minlength=layers.log_p.size) > 0).reshape(layers.log_p.shape)
    q, worth = np.array(layers.gain), np.zeros(layers.n_states)
    for t in reversed(range(layers.horizon)):
        if t + 1 < layers.horizon:
            q[t, :, 1:] += worth[layers.successor[:, 1:]]
        worth = kept_bellman_target(layers.log_p[t], q[t], known[t])
        q[t] = np.where(known[t], q[t], worth[:, None])
    return q


def return_variance(layers: Layers) -> Floats:
    """Var of the reward still to come after each token under the base law, by its first two moments: [T, S, V]."""
    q = action_values(layers, expectation)
    variance, below = np.zeros(q.shape), np.zeros(layers.n_states)
    for t in reversed(range(layers.horizon)):
        if t + 1 < layers.horizon:
            variance[t, :, 1:] = below[layers.successor[:, 1:]]
        spread = (q[t] - expectation(layers.log_p[t], q[t])[:, None]) ** 2
        below = np.asarray(expectation(layers.log_p[t], variance[t] + spread))  # the law of total variance
    return variance


def scorer_error(layers: Layers, q: Floats) -> float:
    """The root mean square of Q - Q* over the tokens of the base law's own answers, in units of the reward.

    Raises ValueError on a table of another shape than [T, S, V], or one that is not finite.
    """
    if not np.all(np.isfinite(shaped(q, layers.log_p.shape, "q"))):
        raise ValueError("q must be finite; check the scorer that produced it.")
    weights = occupancy(layers, layers.log_p)[..., None] * np.exp(layers.log_p)
    squares = (q - action_values(layers, expectation)) ** 2
    return float(np.sqrt(np.sum(weights * squares) / weights.sum()))


def monte_carlo_error(layers: Layers, count: int) -> float:
    """CD-FUDGE's error as n -> inf, sqrt(sum of Var(reward to come) over the reachable tokens / (n E|y|)).

    A token of probability w is taken n w times, so that w Var / (n w) is what it adds, however rare it is: the cells
    count, not their mass. It holds once n w is large for each of them. Raises ValueError unless count >= 1.
    """
    if count < 1:
        raise ValueError(f"count must be >= 1, not {count}.")
    weights = occupancy(layers, layers.log_p)[..., None] * np.exp(layers.log_p)
    return float(np.sqrt(np.sum(return_variance(layers)[weights > 0]) / (count * weights.sum())))


def learning_curve(
    layers: Layers, counts: Iterable[int], seed: int, replications: int = 8, log_off: Floats | None = None
) -> pd.DataFrame:
    """The error of both scorers against V* as the sample grows, on-policy and, where log_off is given, off-policy.

    Columns: method (CD-FUDGE, CD-Q), data (on-policy, off-policy), count, error (the root mean square over the
    replications, reward units) with its 95 % interval low, high (Student's, of the mean square), monte_carlo (what
    `monte_carlo_error` predicts; CD-FUDGE on-policy alone, else NaN). One row a method, data and count.
    Raises ValueError unless replications >= 2.
    """
    if replications < 2:
        raise ValueError(f"an interval needs replications >= 2, not {replications}.")
    return pd.DataFrame(_curve(layers, counts, seed, replications, log_off))


def _curve(
    layers: Layers, counts: Iterable[int], seed: int, replications: int, log_off: Floats | None
) -> Iterator[dict[str, object]]:
    methods: dict[str, Learner] = {"CD-FUDGE": cd_fudge, "CD-Q": cd_q}
    sources = {"on-policy": None} | ({} if log_off is None else {"off-policy": log_off})
    for count in counts:
        for number, (source, log_data) in enumerate(sources.items()):
            for method, learn in methods.items():
                squares = []
                for replication in range(replications):
                    # Both methods learn from the same answers.
                    key = np.random.SeedSequence([seed, count, number, replication])
                    rng = np.random.Generator(np.random.Philox(key))
                    squares.append(scorer_error(layers, learn(layers, count, rng, log_data)) ** 2)
                mean, scatter = np.mean(squares), np.std(squares, ddof=1) / np.sqrt(replications)
                wide = student.ppf(0.975, replications - 1) * scatter
                law = monte_carlo_error(layers, count) if (method, source) == ("CD-FUDGE", "on-policy") else np.nan
                yield {
                    "method": method,
                    "data": source,
                    "count": count,
                    "error": float(np.sqrt(mean)),
                    "low": float(np.sqrt(max(mean - wide, 0.0))),
                    "high": float(np.sqrt(mean + wide)),
                    "monte_carlo": law,
                }


def _visited(
    layers: Layers, count: int, rng: np.random.Generator, log_data: Floats | None
) -> tuple[np.typing.NDArray[np.int64], Floats]:
    """The cells (t S + s) V + a that the sample takes, one entry a token, and the reward to come at each."""
    if count < 1:
        raise ValueError(f"count must be >= 1, not {count}.")
    tokens, states, lengths = sample(layers, layers.log_p if log_data is None else log_data, count, rng)
    steps = np.arange(layers.horizon)
    alive = steps < lengths[:, None]
    paid = np.where(alive, layers.gain[steps, states, tokens], 0.0)
    to_come = np.cumsum(paid[:, ::-1], axis=-1)[:, ::-1]
    cells = np.ravel_multi_index((np.broadcast_to(steps, tokens.shape), states, tokens), layers.log_p.shape)
    return cells[alive], to_come[alive]
