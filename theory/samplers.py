"""Four ways to a globally normalised law from its locally normalised proposal, beside independence Metropolis-Hastings.

The proposal p_loc draws token by token and keeps log Z_t at every step; the target is p_glob ~ p_loc prod_t Z_t. All
but `draw` leave the normaliser Z in: a text y is expected Z p_glob(y) times, without bias at any sample size.
"""

import numpy as np
from numpy.typing import NDArray

from theory.arrays import logsumexp, normalised, validated
from theory.language_models import Tree

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def draw(log_p: Floats, uniform: Floats) -> Indices:
    """Invert the distribution function: the first token whose cumulative mass exceeds `uniform`, never one of mass 0.

    log_p: [..., V], any log-weights; uniform: [...] in [0, 1). Raises ValueError on NaN or an all -inf row.

    >>> draw(np.log([0.5, 0.25, 0.25]), np.array([0.1, 0.6, 0.9])).tolist()
    [0, 1, 2]
    """
    cumulative = np.cumsum(np.exp(validated(log_p) - np.max(log_p, axis=-1, keepdims=True)), axis=-1)
    # Dividing makes the last entry exactly 1, so that rounding can push no uniform past it.
    return np.asarray((cumulative / cumulative[..., -1:] <= np.asarray(uniform)[..., None]).sum(axis=-1))


def rejection(log_w: Floats, uniform: Floats) -> NDArray[np.bool_]:
    """Accept a proposal with probability w = prod_t Z_t <= 1, hence with probability Z on average.

    log_w, uniform: broadcast. Raises ValueError on NaN and on w > 1, where rejection would cut the target short.
    """
    # A sum of a few log Z_t that are 0 in exact arithmetic may exceed it by rounding.
    if not np.all(np.asarray(log_w) <= 1e-12):
        raise ValueError("a weight exceeds 1: rejection needs log w <= 0, as truncation and T <= 1 give.")
    return np.asarray(uniform < np.exp(log_w))


def pool_weights(log_w: Floats) -> tuple[Floats, Floats]:
    """The self-normalised weights of a finite pool, w_i / sum_j w_j, in logs, and the estimate log (1/N sum_i w_i).

    log_w: [..., N]. Returns [..., N] and [...]. Raises ValueError on NaN or where no weight is positive.

    >>> log_share, log_z = pool_weights(np.log([0.5, 0.25, 0.25]))
    >>> np.exp(log_share).round(6).tolist(), float(np.exp(log_z).round(6))
    ([0.5, 0.25, 0.25], 0.333333)
    """
    log_w = validated(log_w, "log_w")
    return np.asarray(normalised(log_w)), np.asarray(logsumexp(log_w)) - np.log(log_w.shape[-1])


def sequential_monte_carlo(
    log_q: Floats, log_kept: Floats, n_particles: int, runs: int, rng: np.random.Generator
) -> tuple[Indices, Floats]:
    """Particles that grow by one token of q a step, resampled by Z_t before each: (strings, log Z estimates).

    log_q: [M, n + 1], the steps of one tree, EOS last; log_kept: [M], log Z_t at every prefix. Returns the strings'
    places on the axis M, [runs, n_particles], and [runs]. Raises ValueError unless there is a particle and a run,
    log_q is a tree of no batch, and log_kept fits it.
    """
    if n_particles < 1 or runs < 1:
        raise ValueError(f"n_particles and runs must be at least 1, not {n_particles} and {runs}.")
    if Tree(log_q).log_steps.ndim != 2 or log_kept.shape != log_q.shape[:1]:
        raise ValueError(f"log_q {log_q.shape} and log_kept {log_kept.shape} must be [M, n + 1] and [M].")
    n_symbols = log_q.shape[-1] - 1
    prefix = np.zeros((runs, n_particles), dtype=np.int64)
    done = np.zeros(prefix.shape, dtype=bool)
    log_z = np.zeros(runs)
    while not done.all():
        log_share, log_mean = pool_weights(np.where(done, 0.0, log_kept[prefix]))
        log_z += log_mean
        parents = draw(log_share[:, None, :], rng.random(prefix.shape))
        prefix, done = np.take_along_axis(prefix, parents, axis=-1), np.take_along_axis(done, parents, axis=-1)
        token = draw(log_q[prefix], rng.random(prefix.shape))
        done |= token == n_symbols
        # Prefixes are ordered by length, then lexicographically: the children of i are n i + 1 to n i + n.
        prefix = np.where(done, prefix, n_symbols * prefix + 1 + token)
    return prefix, log_z
