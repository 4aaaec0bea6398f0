"""CD-FUDGE and CD-Q with a table for V: one regression, two targets, and the step sizes its convergence rests on.

A table holds one value a cell, [..., N]: a prefix, or a token at a state where states recur. An answer is told by its
visits [..., N], how often it passes each cell. CD-FUDGE aims every cell at the reward of the whole answer, CD-Q at the
mean of its own values one token on; nothing else tells them apart. Source: Mudgal et al., section 3.1.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from theory.arrays import expectation, logsumexp, validated

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def prefix_loss(values: Floats, visits: Floats, targets: Floats) -> Floats:
    """(1/2) sum_s visits(s) (V(s) - target(s))^2, the target held still: [...].

    values, visits: [..., N]; targets: [..., N], or [..., 1] for CD-FUDGE, the reward of the answer.
    Source: Mudgal et al., equations 4 and 5.
    """
    return np.asarray(np.sum(visits * (values - targets) ** 2, axis=-1) / 2)


def prefix_gradient(values: Floats, visits: Floats, targets: Floats) -> Floats:
    """The derivative of `prefix_loss` in the table, visits (V - target), the target held still: [..., N]."""
    return np.asarray(visits * (values - targets))


def prefix_step(values: Floats, visits: Floats, targets: Floats, rate: Floats | float) -> Floats:
    """One step of stochastic gradient descent, V - rate visits (V - target): [..., N]."""
    return np.asarray(values - rate * prefix_gradient(values, visits, targets))


def bellman_target(log_p: Floats, action: Floats) -> Floats:
    """v(s) = sum_z p(z | s) V(s z), with r(s) for z = EOS: what CD-Q aims at, under the base law p.

    log_p, action: [..., V] next-token log-probabilities and the values one token on. Returns [...].
    Raises ValueError on NaN or an all -inf row. Source: Mudgal et al., equation 5.
    """
    return np.asarray(expectation(validated(log_p), action))


def one_token_on(values: Floats, reward: Floats, n_symbols: int) -> Floats:
    """V(s z) for each symbol z, then r(s) for EOS: a tree's table [..., M] and rewards [..., M] -> [..., M, n + 1].

    Prefixes in the order of `theory.language_models.Tree`; 0 for the symbols that the greatest length forbids.
    Raises ValueError unless M is the size of such a tree's table.
    """
    if n_symbols < 1 or np.ndim(values) < 1 or (np.shape(values)[-1] - 1) % n_symbols:
        raise ValueError(f"a tree of {n_symbols} symbols has no table of the shape {np.shape(values)}.")
    inner = (values.shape[-1] - 1) // n_symbols
    shape = np.broadcast_shapes(values.shape, reward.shape)
    action = np.zeros((*shape, n_symbols + 1))
    # Prefixes are ordered by length, then lexicographically, so the children of all inner ones are 1, 2, 3, ...
    action[..., :inner, :-1] = values[..., 1:].reshape(*values.shape[:-1], inner, n_symbols)
    action[..., -1] = reward
    return action


def cell_means(cells: Integers, targets: Floats, size: int) -> tuple[Floats, Integers]:
    """The table that minimises the sum of `prefix_loss` over a sample, and how often each cell was seen: [size] each.

    cells, targets: [n], one entry a visit. It is where steps of rate 1/visits lead; a cell never seen holds NaN.
    Raises ValueError unless there are as many targets as cells and every cell lies in [0, size).

    >>> means, seen = cell_means(np.array([0, 2, 2]), np.array([1.0, 2.0, 4.0]), 3)
    >>> means.tolist(), seen.tolist()
    ([1.0, nan, 3.0], [1, 0, 2])
    """
    cells = np.asarray(cells)
    if size < 0 or cells.ndim != 1 or cells.shape != np.shape(targets) or not np.all((cells >= 0) & (cells < size)):
        raise ValueError(f"cells and targets must be two lists of one length, and every cell one of 0 to {size - 1}.")
    seen = np.bincount(cells, minlength=size)
    total = np.bincount(cells, weights=targets, minlength=size)
    return np.where(seen > 0, total / np.maximum(seen, 1), np.nan), seen


def kept_bellman_target(log_p: Floats, action: Floats, known: NDArray[np.bool_]) -> Floats:
    """`bellman_target` with p restricted to the tokens whose values are known and normalised again: [...].

    Where no token that p allows is known, 0. log_p, action, known: [..., V].
    """
    kept = known & (log_p > -np.inf)
    some = np.any(kept, axis=-1, keepdims=True)
    log_w = np.where(kept | ~some, log_p, -np.inf)
    return np.asarray(expectation(log_w - logsumexp(log_w, keepdims=True), np.where(kept, action, 0.0)))


def falling_rate(k: int, power: float = 1.0, first: float = 1.0) -> float:
    """a_k = first (k + 1)^(-power), k = 0, 1, ...: sum a = inf and sum a^2 < inf, as Theorem 3.1 needs.

    Raises ValueError unless k >= 0, 1/2 < power <= 1 and first > 0. Source: Robbins and Monro 1951.
    """
    if not (k >= 0 and 0.5 < power <= 1 and first > 0):
        raise ValueError(f"steps need k >= 0, 1/2 < power <= 1 and first > 0, not {k}, {power} and {first}.")
    return float(first * (k + 1.0) ** -power)


def pl_rate(k: int, mu: Floats | float) -> Floats | float:
    """a_k = (2 k + 1) / (2 mu (k + 1)^2), for a mean loss with the Polyak-Lojasiewicz constant mu.

    Raises ValueError unless k >= 0 and mu > 0.
    Source: Karimi, Nutini and Schmidt 2016, Theorem 4, which Theorem C.2 of Mudgal et al. rests on.
    """
    if not (k >= 0 and np.all(np.asarray(mu) > 0)):
        raise ValueError(f"the step needs k >= 0 and mu > 0, not k = {k} and mu = {mu}.")
    return (2 * k + 1) / (2 * mu * (k + 1) ** 2)


def pl_bound(
    k: Floats | Integers | int, smoothness: Floats | float, mu: Floats | float, square: Floats | float
) -> Floats:
    """E L(theta_k) - min L <= L C^2 / (2 k mu^2) after k steps of `pl_rate`, E |gradient|^2 <= C^2 = `square`.

    For a table L and mu are the greatest and the least probability that an answer visits a cell.
    Raises ValueError unless k >= 1, L >= 0, C^2 >= 0 and mu > 0.
    """
    steps, constants, curvature = np.asarray(k, float), np.asarray(smoothness * square, float), np.asarray(mu, float)
    if not (np.all(steps >= 1) and np.all(constants >= 0) and np.all(curvature > 0)):
        raise ValueError("the bound needs k >= 1 steps, constants that are not negative, and mu > 0.")
    return np.asarray(constants / (2 * steps * curvature**2))


def squared_errors(start: Floats, reach: Floats, variance: Floats, rates: Floats) -> Floats:
    """E (V_k(s) - V*(s))^2 of CD-FUDGE after each step, one fresh on-policy answer a step: [K + 1, ..., N], exact.

    m' = m (1 - a (2 - a) reach) + a^2 reach variance, since a step moves a cell only if the answer visits it, and then
    by a (r - V) with E[r | s] = V*. start: [..., N] initial V - V*; reach: [..., N] probability that an answer visits
    the cell (once at most); variance: [..., N] Var(r | s); rates: [K].
    """
    found = [np.broadcast_to(start**2, np.broadcast_shapes(start.shape, reach.shape))]
    for a in rates:
        found.append(found[-1] * (1 - a * (2 - a) * reach) + a**2 * reach * variance)
    return np.array(found)


def mean_inverse_visits(count: int, reach: Floats) -> Floats:
    """E[1 / n; n >= 1] for n ~ Binomial(count, reach): a seen cell's mean reward has the variance Var(r | s) / n.

    reach: [...] in [0, 1]; memory [..., count].
    Raises ValueError unless count >= 1 and reach lies in [0, 1].

    >>> float(mean_inverse_visits(2, np.array(0.5)).round(6))  # 1/2 of once, 1/4 of twice
    0.625
    """
    if count < 1 or not np.all((reach >= 0) & (reach <= 1)):
        raise ValueError(f"count must be >= 1, not {count}, and reach in [0, 1].")
    n = np.arange(1, count + 1.0)
    weights = binom.pmf(n, count, np.asarray(reach)[..., None])
    return np.asarray(np.sum(weights / n, axis=-1))
