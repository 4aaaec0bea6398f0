"""Keeping typical corpora conditions on X + R, a collider: what that alone does to the correlation of X and R."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import norm

from theory.arrays import normalised
from theory.covariance import Covariance, covariance, reversal_threshold, selected, typical_shrinkage
from theory.ledger import Evidence, at_least, at_most, claim, rejects

Floats = NDArray[np.float64]
NODES = 56


@claim(
    "new.collider",
    paper="tan",
    where="section 5.1 and 6.1, on corpora kept for being typical",
    kind="new result",
    statement="Keeping corpora with |mean S - E S| < ε, S = X + R, conditions on a collider. With Gaussian means and "
    "P(kept) given, their Cov(X,R) loses (1-κ) Cov(X,S) Cov(R,S)/Var S, κ the shrinkage of Var S. Of equal variances, "
    "it turns negative iff ρ < ρ* = (1-κ)/(1+κ): ρ* = .75 at P = .5, .23 at .9, .04 at .99. As P → 0 it becomes -1, "
    "for a reward independent of the prior too.",
    verdict="holds",
    assumptions="Gaussian means, as for large N",
)
def collider(rng: np.random.Generator) -> Evidence:
    vx, vr = rng.uniform(0.2, 3, (2, 1000))
    parts, kept = Covariance(vx, vr, rng.uniform(-0.9, 0.9, 1000) * np.sqrt(vx * vr)), rng.uniform(0.05, 0.99, 1000)
    numeric = _truncated(parts, kept)
    closed = selected(parts, typical_shrinkage(kept))
    check = partial(
        at_most, oracle="quadrature over (S, X - R)", tolerance=1e-9
    )  # 56 by 56 nodes over nine deviations: an error below 1e-11
    errors = [np.abs(one - other) for one, other in zip(numeric, closed, strict=True)]
    yield check("the covariance given |S - E S| < ε", residuals=np.concatenate(errors))
    rho, threshold = rng.uniform(-0.95, 0.95, 1000), reversal_threshold(kept)
    equal = _truncated(Covariance(np.ones(1000), np.ones(1000), rho), kept)
    # Signs: ρ = ρ* has probability zero.
    sign = partial(at_least, oracle="quadrature over (S, X - R)", tolerance=0.0)
    yield sign("conditional covariance in the sign of ρ - ρ*", margins=equal.xr * np.sign(rho - threshold))
    shares = [_independent(rng, share) for share in np.repeat([0.1, 0.3, 0.6, 0.9], [1000, 20, 20, 20]).tolist()]
    # Two binomials of 400 draws at a lattice: Berry-Esseen allows 1/sqrt(400), smoothing over the lattice far less.
    yield at_most(
        "correlation of typical corpora, reward independent of the prior, less the Gaussian law's",
        oracle="exact law of two binomial counts",
        residuals=[abs(found - law) for found, law in shares],
        tolerance=0.05,
    )
    strong = [found for found, _ in shares[:1000]]
    # The Gaussian law has about -0.98 for these variances.
    yield at_most(
        "that correlation at P = 0.1", oracle="exact law of two binomial counts", residuals=strong, tolerance=-0.95
    )
    yield rejects("κ = 1: selection changes nothing", check("", residuals=np.abs(numeric.xr - parts.xr)))
    linear = rho - (1 - kept)
    yield rejects("ρ* = 1 - P", sign("", margins=equal.xr * np.sign(linear)))
    yield rejects("a trade-off at every ρ", sign("", margins=-equal.xr))


def _truncated(parts: Covariance, kept: Floats) -> Covariance:
    """Moments of Gaussian (X, R) given |S| < c, P(|S| < c) = kept, by quadrature over S and D = X - R."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    var_s, var_d, cov = parts.x + parts.r + 2 * parts.xr, parts.x + parts.r - 2 * parts.xr, parts.x - parts.r
    half = np.sqrt(var_s) * norm.ppf((1 + kept) / 2)
    sd = np.sqrt(var_d - cov**2 / var_s)[:, None, None]
    s = half[:, None, None] * nodes[:, None]
    d = s * (cov / var_s)[:, None, None] + 9 * sd * nodes
    density = np.exp(-(s**2) / (2 * var_s[:, None, None]) - (9 * nodes) ** 2 / 2) * weights[:, None] * weights
    density /= density.sum(axis=(-2, -1), keepdims=True)
    x, r = (s + d) / 2, (s - d) / 2
    return Covariance(*((density * product).sum(axis=(-2, -1)) for product in (x * x, r * r, x * r)))


def _independent(rng: np.random.Generator, share: float) -> tuple[float, float]:
    """Correlation of two independent binomial means given their sum is near its mean, and the Gaussian law's."""
    size = 400
    (p, a), (other, b) = rng.uniform((0.3, 1), (0.7, 2), (2, 2))
    (i, log_i), (j, log_j) = _binomial(size, p), _binomial(size, other)
    x, r = np.broadcast_arrays(a * i[:, None] / size, b * j / size)
    log_law = log_i[:, None] + log_j
    gaussian = Covariance(np.asarray(a * a * p * (1 - p)), np.asarray(b * b * other * (1 - other)), np.asarray(0.0))
    s = np.abs(x + r - a * p - b * other)
    # Twice the Gaussian law's width holds more than the share, and spares the sorting of what lies farther out.
    near = s < 2 * norm.ppf((1 + share) / 2) * np.sqrt((gaussian.x + gaussian.r) / size)
    order = np.argsort(s[near])
    mass = np.cumsum(np.exp(log_law[near])[order])
    inside = order[: int(np.searchsorted(mass, share)) + 1]
    found = covariance(normalised(log_law[near][inside]), x[near][inside], r[near][inside]).correlation
    return float(found), float(selected(gaussian, typical_shrinkage(share)).correlation)


def _binomial(size: int, p: float) -> tuple[Floats, Floats]:
    """Counts within five deviations of the mean, which leave out 1e-6 of the mass, and their log-probabilities."""
    spread = 5 * np.sqrt(size * p * (1 - p))
    i = np.arange(np.ceil(size * p - spread), size * p + spread)
    ways = gammaln(size + 1) - gammaln(i + 1) - gammaln(size - i + 1)
    return i, np.asarray(ways + i * np.log(p) + (size - i) * np.log1p(-p))
