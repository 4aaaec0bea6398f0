"""Causal bootstrapping: resample observations so that they show p(r | do(x)), not p(r | x).

Graph x <- u -> r, x -> r: u is the confounder of x and r, so the back-door formula is p(r | do(x)) = sum_u p(r | x, u)
p(u). Writing p(r | x, u) p(u) = p(x, r, u) / p(x | u) and putting the empirical law sum_n delta_n / N of the
observations (x_n, r_n, u_n) for p(x, r, u), with a kernel K for the point mass at x,

    p(r | do(x)) = sum_n w_n(x) delta(r - r_n),    w_n(x) = K(x - x_n) / (N p(x_n | u_n)).

Without the denominators the same resampling shows p(r | x). Taking p at the observation's own x_n makes
E sum_n w_n(x) f(r_n) the kernel's average of E[f(r) | do(x')], whatever its width.
Source: Little and Badawy, Causal bootstrapping, arXiv:1910.09648 (2019).
"""

import numpy as np
import numpy.typing as npt

from theory.arrays import shaped
from theory.covariance import Covariance
from toy.dirichlet import Floats

Labels = npt.NDArray[np.int64]


def band_labels(x: Floats, bands: int = 10) -> Labels:
    """The band 0..bands-1 of each value, of equal widths over the values' range and closed on the right: [n] -> [n].

    Raises ValueError unless bands >= 1 and x has two different values over a finite range.

    >>> band_labels(np.array([0.0, 0.5, 0.6, 1.0]), 2).tolist()
    [0, 0, 1, 1]
    """
    if bands < 1:
        raise ValueError(f"there must be at least one band, not {bands}.")
    with np.errstate(over="ignore", invalid="ignore"):
        if len(x) == 0 or not 0 < np.ptp(x) < np.inf:
            raise ValueError("bands need values over a finite range, at least two of them different.")
    edges = np.linspace(x.min(), x.max(), bands + 1)
    return np.maximum(np.searchsorted(edges, x) - 1, 0).astype(np.int64)


def indicator_kernel(labels: Labels, values: int) -> Floats:
    """K for a discrete x, or for a continuous one cut into bands: K[b, n] = 1 if x_n is in band b: [n] -> [values, n].

    >>> indicator_kernel(np.array([0, 1, 1]), 2).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]
    """
    return np.asarray(labels == np.arange(values)[:, None], dtype=float)


def frequencies(labels: Labels, strata: Labels) -> Floats:
    """p(x_n | u_n) as the share of observations of stratum u_n whose x is that of n: [n] and [n] -> [n].

    Raises ValueError on other shapes.

    >>> frequencies(np.array([0, 1, 1, 1]), np.array([0, 0, 0, 1])).round(3).tolist()
    [0.333, 0.667, 0.667, 1.0]
    """
    shaped(strata, shaped(labels, (None,), "labels").shape, "strata")
    _, both, together = np.unique(np.stack([labels, strata]), axis=1, return_inverse=True, return_counts=True)
    _, stratum, alone = np.unique(strata, return_inverse=True, return_counts=True)
    return np.asarray(together[both] / alone[stratum])


def normal_density(x: Floats, u: Floats, mean: tuple[float, float], parts: Covariance) -> Floats:
    """p(x_n | u_n) for Gaussian (x, u) with these means: N(x; E x + (u - E u) Cov/Var u, Var x - Cov^2/Var u): [n].

    parts: Var x, Var u and Cov(x, u) in its fields x, r and xr. The weights 1/p have a variance only if
    Corr(x, u)^2 < 1/2: E 1/p(x|u) integrates e^(u^2 Corr^2/(1 - Corr^2)/2 - u^2/2). Raises ValueError if u fixes x.
    """
    slope = parts.xr / parts.r
    variance = parts.x - slope * parts.xr
    if not variance > 0:
        raise ValueError("the confounder fixes x, so no observation shows another x for the same confounder.")
    gap = x - mean[0] - slope * (u - mean[1])
    return np.asarray(np.exp(-(gap**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance))


def backdoor_weights(kernel: Floats, density: Floats) -> Floats:
    """w[b, n] = K(x_b - x_n) / (N p(x_n | u_n)): [B, n] and [n] -> [B, n]; density 1 gives the ordinary bootstrap.

    A row's sum estimates the integral of K, 1 for a density or an indicator; it falls short where some u has no
    observation near x_b, which no weight can mend. Raises ValueError unless kernel >= 0 and density > 0.
    """
    if not (np.all(kernel >= 0) and np.all(np.isfinite(kernel))):
        raise ValueError("a kernel must be finite and >= 0.")
    if not (np.all(density > 0) and np.all(np.isfinite(density))):
        raise ValueError("p(x_n | u_n) must be positive and finite: every observation was possible under its own u.")
    return np.asarray(kernel / (kernel.shape[-1] * density))


def resampling_law(weights: Floats) -> Floats:
    """The law of one resampled observation when every x_b is taken equally often: [B, n] -> [n], sum 1.

    An x_b without observations gives nothing. Raises ValueError if none has any, and unless weights are finite and
    >= 0.

    >>> resampling_law(np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 2.0]])).tolist()
    [0.5, 0.25, 0.25]
    """
    total = _totals(weights)
    return np.asarray((weights[total > 0] / total[total > 0, None]).mean(axis=0))


def resample(weights: Floats, per_value: int, rng: np.random.Generator) -> Labels:
    """Indices of the resampled observations, `per_value` with replacement for each x_b that has any: [B, n] -> [m].

    Raises ValueError unless per_value >= 1, and as `resampling_law`.
    """
    if per_value < 1:
        raise ValueError(f"at least one observation must be drawn at each value of x, not {per_value}.")
    laws = [row / total for row, total in zip(weights, _totals(weights), strict=True) if total > 0]
    return np.concatenate([rng.choice(len(law), size=per_value, p=law) for law in laws])


def _totals(weights: Floats) -> Floats:
    """Each row's sum, [B, n] -> [B], or a ValueError."""
    total: Floats = shaped(weights, (None, None), "weights").sum(axis=-1)
    if not (np.all(np.isfinite(total)) and np.any(total > 0)):
        raise ValueError("no observation has a positive, finite weight at any value of x.")
    if np.any(weights < 0):
        raise ValueError("a weight below 0 is no share of a resample.")
    return total
