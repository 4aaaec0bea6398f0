"""Pearson and Spearman correlation under any law on the points: uniform, or the law that draws them."""

import numpy as np

from theory import covariance
from theory.arrays import shaped
from toy.dirichlet import Floats


def pearson(x: Floats, y: Floats, weights: Floats | None = None) -> float:
    """Corr_w(x, y) = Cov_w(x, y) / sqrt(Var_w x Var_w y) with weights w >= 0, equal by default.

    x, y, weights: [n]. Raises ValueError on other shapes, bad weights, NaN, or where x or y does not vary under w, for
    which `theory.covariance.pearson` returns NaN.

    >>> round(pearson(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0])), 6)
    1.0
    """
    found = float(covariance.pearson(x, y, _law(x, y, weights)))
    if np.isnan(found):
        raise ValueError("the correlation is undefined: a variable is constant (or NaN) under these weights.")
    return found


def spearman(x: Floats, y: Floats, weights: Floats | None = None) -> float:
    """Corr_w of the mid-ranks F_w(x-) + P_w(X = x) / 2: with equal weights the usual Spearman correlation.

    x, y, weights: [n]. Raises ValueError as `pearson`.

    >>> round(spearman(np.array([1.0, 2.0, 30.0]), np.array([1.0, 5.0, 6.0])), 6)
    1.0
    """
    law = _law(x, y, weights)
    if np.isnan(x).any() or np.isnan(y).any():
        raise ValueError("the rank correlation is undefined: a variable contains NaN.")
    return pearson(covariance.mid_ranks(x, law), covariance.mid_ranks(y, law), law)


def _law(x: Floats, y: Floats, weights: Floats | None) -> Floats:
    if len(shaped(x, (None,), "x")) < 2:
        raise ValueError(f"a correlation needs at least two points, not {len(x)}.")
    shaped(y, x.shape, "y")
    if weights is None:
        return np.full(len(x), 1 / len(x))
    shaped(weights, x.shape, "weights")
    total = weights.sum()
    if not (np.all(weights >= 0) and 0 < total < np.inf):
        raise ValueError("weights must be finite numbers >= 0 with a positive sum.")
    law: Floats = weights / total
    return law
