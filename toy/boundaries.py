"""Where the toy world's correlations change sign: exact boundaries in its two knobs, the exponent s and the noise n.

log p = f + u - log Z with f = p_+^s and u ~ Uniform(-n, n) independent of p_+, so under weights that look at p_+ alone
Cov(log p, r) = Cov(f, l) - Var f - n^2/3, l = log p_+. With many objects p_+ = G / (V alpha), where G is
Gamma(alpha) for objects counted once each and Gamma(alpha + 1), its size-biased law, for objects drawn from p_+.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import digamma, gammaln, polygamma

from theory.concentration import normal_approximation
from theory.covariance import Covariance, selected, typical_shrinkage
from toy.dirichlet import Floats

CONCENTRATION, OBJECTS = 0.1, 1000
WEIGHTINGS = ("uniform", "aligned", "typical")


class Echo(NamedTuple):
    """Var f, Var l and Cov(f, l) of f = p_+^s and l = log p_+, each of the shape of s."""

    f: Floats
    level: Floats
    both: Floats


def echo(exponent: Floats, weighting: str, concentration: float = CONCENTRATION, objects: int = OBJECTS) -> Echo:
    """The echo of p_+ in the prior, in the limit of many objects.

    With k = alpha or alpha + 1: E G^s = Gamma(k + s)/Gamma(k), Cov(G^s, log G) = E G^s (psi(k + s) - psi(k)),
    Var log G = psi'(k). weighting: uniform (k = alpha) or aligned. Raises ValueError on a bad parameter, and on
    an exponent so large that Var f leaves the range of floats.

    >>> float(echo(np.array(0.5), "aligned").level.round(4))  # varentropy of p_+
    1.4333
    """
    s = np.asarray(exponent, dtype=float)
    if not np.all((s > 0) & np.isfinite(s)):
        raise ValueError("the exponent must be a positive number.")
    if not (concentration > 0 and objects >= 2):
        raise ValueError("a world needs a positive concentration and at least two objects.")
    if weighting not in ("uniform", "aligned"):
        raise ValueError(f"objects are weighted uniform or aligned, not {weighting!r}.")
    k = concentration + {"uniform": 0, "aligned": 1}[weighting]
    with np.errstate(over="ignore"):
        first = np.exp(gammaln(k + s) - gammaln(k))
        second = np.exp(gammaln(k + 2 * s) - gammaln(k))
    unit = (objects * concentration) ** -s
    if not np.all(np.isfinite(second) & (unit**2 >= np.finfo(float).tiny) & np.isfinite(unit)):
        raise ValueError("the exponent is too large: floats do not hold the moments of p_+^s.")
    level = np.full(s.shape, polygamma(1, k))
    return Echo(unit**2 * (second - first**2), level, unit * first * (digamma(k + s) - digamma(k)))


def predicted(
    exponent: Floats, noise: Floats, weighting: str, kappa: float = 1.0, concentration: float = CONCENTRATION
) -> Covariance:
    """Var log p, Var r and their covariance for one string under a weighting: uniform, aligned or typical.

    typical: that of the means of corpora drawn from p_+, times N, where the selection shrinks Var l by kappa.
    Raises ValueError on another weighting, unless noise >= 0 with a finite square and 0 <= kappa <= 1, and as `echo`.
    """
    if not 0 <= kappa <= 1:
        raise ValueError(f"a selection leaves a share of the variance in [0, 1], not {kappa}.")
    if weighting not in WEIGHTINGS:
        raise ValueError(f"no weighting is called {weighting!r}; known: {', '.join(WEIGHTINGS)}.")
    kind = "uniform" if weighting == "uniform" else "aligned"
    f, level, both = echo(exponent, kind, concentration)
    x = f + _noise_variance(noise)
    parts = Covariance(x, x + level - 2 * both, both - x)
    return selected(parts, kappa) if weighting == "typical" else parts


def noise_threshold(
    exponent: Floats, weighting: str, kappa: float = 1.0, concentration: float = CONCENTRATION
) -> Floats:
    """n* >= 0: log p and r correlate positively iff n < n*; 0 where no noise lets them: the shape of `exponent`.

    n*^2 = 3 (c - Var f - (1 - kappa) c (1 - c / Var l)) with c = Cov(f, l), and kappa = 1 but for typical corpora.
    Raises ValueError as `predicted`.
    """
    silent = predicted(exponent, np.zeros_like(exponent), weighting, kappa, concentration)
    return np.asarray(np.sqrt(3 * np.maximum(0, silent.xr)))


def published_shrinkage(size: int, epsilon: float, concentration: float = CONCENTRATION) -> float:
    """kappa of the typical set |mean l + H| < epsilon of corpora of N strings, Gaussian mean.

    Raises ValueError unless N >= 1, epsilon > 0 and concentration > 0.

    >>> round(published_shrinkage(100_000, 0.001), 3)
    0.023
    """
    if size < 1 or not epsilon > 0:
        raise ValueError(f"N must be at least 1 and epsilon positive, not {size} and {epsilon}.")
    if not concentration > 0:
        raise ValueError(f"a world needs a positive concentration, not {concentration}.")
    atypical = normal_approximation(polygamma(1, concentration + 1), size, epsilon)
    return float(typical_shrinkage(1 - atypical))


def _noise_variance(noise: Floats) -> Floats:
    n = np.asarray(noise, dtype=float)
    with np.errstate(over="ignore"):
        variance = n**2 / 3
    if not np.all((n >= 0) & np.isfinite(variance)):
        raise ValueError("the noise must be a number >= 0 with a finite square.")
    return variance
