"""Laws of the covariance between mean log-prior X and mean reward R of corpora: pooling, temperature, selection.

S = X + R, in units of beta, is log p_plus + log Z. A corpus holds N independent strings of one scheme.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from theory.arrays import expectation, with_axes

Floats = NDArray[np.float64]


class Covariance(NamedTuple):
    """Var X, Var R and Cov(X, R) under one law, each [...]."""

    x: Floats
    r: Floats
    xr: Floats

    @property
    def correlation(self) -> Floats:
        """Cov(X, R) / sqrt(Var X Var R), [...]."""
        return np.asarray(self.xr / np.sqrt(self.x * self.r))


def covariance(log_q: Floats, x: Floats, r: Floats) -> Covariance:
    """Var_q X, Var_q R and Cov_q(X, R): [..., M] -> [...]; a string without mass does not count, whatever its x or r.

    >>> covariance(np.log([0.5, 0.5]), np.array([0.0, 2.0]), np.array([0.0, -4.0])).correlation.item()
    -1.0
    """
    live = log_q > -np.inf
    x, r = (np.where(live, side, 0.0) - _mean(log_q, side)[..., None] for side in (x, r))
    return Covariance(_mean(log_q, x * x), _mean(log_q, r * r), _mean(log_q, x * r))


def tau(log_q: Floats, x: Floats, r: Floats) -> Floats:
    """Var S / (Var X + Var R), S = X + R: below 1 iff X and R correlate negatively under q. [..., M] -> [...]."""
    parts = covariance(log_q, x, r)
    return np.asarray(1 + 2 * parts.xr / (parts.x + parts.r))


def between_and_within(log_laws: Floats, x: Floats, r: Floats) -> tuple[Covariance, Covariance]:
    """B and W of schemes used equally often: the covariance of the schemes' means, and the mean of their covariances.

    log_laws: [..., K, M], one law a scheme; x, r: [..., M]. Returns two Covariance of [...].
    Raises ValueError where one of them has too few axes.
    """
    with_axes(log_laws, 2, "log_laws")
    x, r = with_axes(x, 1, "x"), with_axes(r, 1, "r")
    x, r = (np.broadcast_to(side[..., None, :], log_laws.shape) for side in (x, r))
    each = covariance(log_laws, x, r)
    flat = np.full(log_laws.shape[:-1], -np.log(log_laws.shape[-2]))
    return covariance(flat, _mean(log_laws, x), _mean(log_laws, r)), Covariance(*(part.mean(axis=-1) for part in each))


def pooled(between: Covariance, within: Covariance, size: int) -> Covariance:
    """The covariance of the means of corpora of N strings, pooled over schemes: B + W / N; N = 1 is the string level.

    Raises ValueError unless size >= 1.
    """
    if size < 1:
        raise ValueError(f"a corpus has at least one string, not {size}.")
    return Covariance(*(np.asarray(b + w / size) for b, w in zip(between, within, strict=True)))


def reversal_size(between: Floats, within: Floats) -> Floats:
    """N* = W / |B|: strings correlate positively and corpora of N > N* strings negatively iff B < 0 < B + W, else inf.

    between, within: [...] covariances.

    >>> reversal_size(np.array([-0.125, 0.1]), np.array([2.0, 2.0])).tolist()
    [16.0, inf]
    """
    turns = (between < 0) & (between + within > 0)
    with np.errstate(over="ignore"):  # beyond the largest float there is no corpus
        return np.where(turns, within / np.where(turns, -between, 1.0), np.inf)


def temperature_response(log_q: Floats, x: Floats, r: Floats) -> tuple[Floats, Floats]:
    """dE[X]/dg = Var X + C and dE[R]/dg = Var R + C for q_g ∝ p_plus^g, g = 1/T: [..., M] -> [...].

    log_q: the law q_g itself; x, r: log p and r / beta, which sum to log p_plus but for a constant.
    """
    parts = covariance(log_q, x, r)
    return np.asarray(parts.x + parts.xr), np.asarray(parts.r + parts.xr)


def tilted_slope(log_q: Floats, x: Floats, r: Floats) -> Floats:
    """dE[R]/dE[X] = C / Var X along q_theta ∝ q e^(theta X), from band to band of mean X: [..., M] -> [...]."""
    parts = covariance(log_q, x, r)
    return np.asarray(parts.xr / parts.x)


def typical_shrinkage(probability: Floats | float) -> Floats:
    """kappa = Var(Z | |Z| < c) = 1 - 2 c phi(c) / (2 Phi(c) - 1) of a standard normal, with P(|Z| < c) = probability.

    Raises ValueError unless 0 < probability < 1.
    """
    mass = np.asarray(probability, dtype=float)
    if not np.all((mass > 0) & (mass < 1)):
        raise ValueError("the probability of the typical set must lie strictly between 0 and 1.")
    c = ndtri((1 + mass) / 2)
    return np.asarray(1 - 2 * c * np.exp(-(c**2) / 2) / np.sqrt(2 * np.pi) / mass)


def selected(parts: Covariance, kappa: Floats | float) -> Covariance:
    """The covariance of Gaussian (X, R) given |S - E S| < c, where Var S shrinks by kappa.

    Each part loses (1 - kappa) Cov(., S) Cov(., S) / Var S: S is a collider of X and R.
    """
    xs, rs = parts.x + parts.xr, parts.r + parts.xr
    lost = (1 - np.asarray(kappa)) / (xs + rs)
    return Covariance(parts.x - lost * xs * xs, parts.r - lost * rs * rs, parts.xr - lost * xs * rs)


def reversal_threshold(probability: Floats | float) -> Floats:
    """rho* = (1 - kappa) / (1 + kappa): a typical set of this probability turns every correlation below rho* negative.

    For Gaussian X and R of equal variance. Raises ValueError unless 0 < probability < 1.

    >>> reversal_threshold(np.array([0.5, 0.9, 0.99])).round(3).tolist()
    [0.75, 0.232, 0.039]
    """
    kappa = typical_shrinkage(probability)
    return np.asarray((1 - kappa) / (1 + kappa))


def pearson(x: Floats, y: Floats, law: Floats | None = None) -> Floats:
    """Corr_w(x, y) = Cov_w(x, y) / sqrt(Var_w x Var_w y) under weights w >= 0 that sum to 1, by default 1 / n each.

    x, y, law: [..., n] -> [...]; NaN where x or y does not vary under the law, or holds NaN.

    >>> pearson(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0]), np.array([0.5, 0.5, 0.0])).round(6).item()
    1.0
    """
    weights = np.full(x.shape[-1], 1 / x.shape[-1]) if law is None else law
    dx, dy = _deviation(x, weights), _deviation(y, weights)
    return np.asarray((weights * dx * dy).sum(axis=-1))


def mid_ranks(values: Floats, law: Floats) -> Floats:
    """P(V < v) + P(V = v) / 2 of each value under its row's law: what a weighted Spearman correlation correlates.

    values, law: [..., n] -> [..., n].

    >>> mid_ranks(np.array([2.0, 1.0, 2.0]), np.array([0.25, 0.5, 0.25])).tolist()
    [0.75, 0.25, 0.75]
    """
    values, law = np.broadcast_arrays(values, law)
    order = np.argsort(values, axis=-1)
    ranked, mass = (np.take_along_axis(side, order, axis=-1) for side in (values, law))
    up_to, edge = np.cumsum(mass, axis=-1), np.full((*values.shape[:-1], 1), True)
    changes = ranked[..., 1:] != ranked[..., :-1]
    first, last = np.concatenate([edge, changes], axis=-1), np.concatenate([changes, edge], axis=-1)
    # Every member of a tie takes the mass below its first and up to its last.
    below = np.maximum.accumulate(np.where(first, up_to - mass, 0.0), axis=-1)
    through = np.minimum.accumulate(np.where(last, up_to, np.inf)[..., ::-1], axis=-1)[..., ::-1]
    ranks = np.empty_like(below)
    np.put_along_axis(ranks, order, (below + through) / 2, axis=-1)
    return ranks


def _deviation(values: Floats, law: Floats) -> Floats:
    """(values - mean) / sd under the law, NaN where there is no spread."""
    centred = values - (law * values).sum(axis=-1, keepdims=True)
    sd = np.sqrt((law * centred**2).sum(axis=-1, keepdims=True))
    # 1e-13: a constant keeps a spread of some sqrt(n) roundings of its own size; data with less spread has no digits.
    spread = sd > 1e-13 * np.abs(values).max(axis=-1, keepdims=True)
    return np.asarray(centred / np.where(spread, sd, np.nan))


def _mean(log_q: Floats, values: Floats) -> Floats:
    return np.asarray(expectation(log_q, values))
