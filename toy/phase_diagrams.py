"""Simpson's reversal as a function of the world, of the selection, and of the schemes: simulated cell by cell.

Every cell has the correlation that theory gives it and its mean over independent replicates, with a 95 % interval.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from theory.arrays import normalised, shaped
from theory.covariance import Covariance, between_and_within, covariance, pooled, selected, typical_shrinkage
from theory.language_models import log_dirichlet
from theory.typicality import is_typical
from toy.boundaries import CONCENTRATION, OBJECTS, WEIGHTINGS, predicted, published_shrinkage
from toy.corpora import sampled_means
from toy.correlations import pearson
from toy.dirichlet import Floats

EPSILON = 0.001


def over_worlds(
    exponents: Floats,
    noises: Floats,
    worlds: int,
    rng: np.random.Generator,
    corpora: int = 1000,
    size: int = 100_000,
    epsilon: float = EPSILON,
) -> pd.DataFrame:
    """Correlation of log p and r over fresh toy worlds, for objects counted once each, under p_+, and typical corpora.

    Columns: exponent, noise, weighting (uniform, aligned, typical), predicted (infinitely many objects), value, low,
    high. One p_+ and one noise shape serve all cells of a world. Raises ValueError unless worlds >= 2,
    exponent > 0 and noise >= 0, each along one axis.
    """
    _axes(exponents=exponents, noises=noises)
    kappa = published_shrinkage(size, epsilon)
    mesh = np.meshgrid(exponents, noises, indexing="ij")
    laws = [predicted(*mesh, weighting, kappa).correlation for weighting in WEIGHTINGS]
    shape = (len(exponents), len(noises), len(WEIGHTINGS), _at_least_two(worlds))
    found = np.empty(shape)
    for world in range(worlds):
        log_p = log_dirichlet(OBJECTS, rng, CONCENTRATION)
        echoes, unit = np.exp(exponents[:, None] * log_p), rng.uniform(-1, 1, OBJECTS)
        means = sampled_means(log_p, np.vstack([echoes, unit, log_p]), corpora, size, rng)
        keep = is_typical(-means[-1], -float(np.exp(log_p) @ log_p), epsilon)
        for i in range(len(exponents)):
            for j, noise in enumerate(noises):
                x, typical_x = echoes[i] + noise * unit, (means[i] + noise * means[-2])[keep]
                found[i, j, :, world] = (
                    pearson(x, log_p - x),
                    pearson(x, log_p - x, np.exp(log_p)),
                    pearson(typical_x, means[-1][keep] - typical_x),
                )
    keys = {"exponent": exponents, "noise": noises, "weighting": WEIGHTINGS}
    return _cells(keys, np.stack(laws, axis=-1), found)


def equal_variances(log_p: Floats, correlation: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A log prior and a reward with x + r = log p_+ + constant, equal variances and this correlation under p_+: [V].

    x, r = (l ± d) / 2 with d a random direction uncorrelated with l = log p_+ and Var d = Var l (1 - rho) / (1 + rho).
    Raises ValueError unless -1 < correlation <= 1, and unless log_p is finite and leaves both l and d room to vary.
    """
    if not -1 < correlation <= 1:
        raise ValueError(f"a correlation of equal variances must lie in (-1, 1], not {correlation}.")
    if not np.all(np.isfinite(shaped(log_p, (None,), "log_p"))):
        raise ValueError("log_p must be finite: a reward is the half of it.")
    direction = rng.normal(size=log_p.shape)
    parts = covariance(log_p, log_p, direction)
    # 1e-13: what rounding leaves of a constant's spread.
    if len(log_p) < 3 or not 1e-13 * np.abs(log_p).max() < np.sqrt(parts.x) < np.inf:
        raise ValueError("equal variances need at least three objects whose probabilities differ.")
    direction = direction - parts.xr / parts.x * log_p
    direction *= np.sqrt(parts.x * (1 - correlation) / (1 + correlation) / covariance(log_p, log_p, direction).r)
    x, r = normalised((log_p + direction) / 2), (log_p - direction) / 2
    return x, r


def over_selections(
    correlations: Floats,
    probabilities: Floats,
    worlds: int,
    rng: np.random.Generator,
    corpora: int = 1000,
    size: int = 100_000,
) -> pd.DataFrame:
    """Correlation of typical corpora in worlds of equal variances: by the strings' correlation and P(typical).

    Columns: correlation, probability, predicted (Gaussian means), value, low, high. Raises ValueError unless
    worlds >= 2, 0 < probability < 1 and -1 < correlation <= 1, each along one axis.
    """
    _axes(correlations=correlations, probabilities=probabilities)
    kappa = typical_shrinkage(probabilities)
    found = np.empty((len(correlations), len(probabilities), _at_least_two(worlds)))
    for world in range(worlds):
        log_p = log_dirichlet(OBJECTS, rng, CONCENTRATION)
        direction = 2 * equal_variances(log_p, 0.0, rng)[0] - log_p
        level, across = sampled_means(log_p, np.stack([log_p, direction]), corpora, size, rng)
        surprisal, spread = -float(np.exp(log_p) @ log_p), np.sqrt(float(covariance(log_p, log_p, log_p).x) / size)
        for j, probability in enumerate(probabilities):
            keep = is_typical(-level, surprisal, float(ndtri((1 + probability) / 2) * spread))
            for i, rho in enumerate(correlations):
                d = np.sqrt((1 - rho) / (1 + rho)) * across[keep]
                found[i, j, world] = pearson((level[keep] + d) / 2, (level[keep] - d) / 2)
    one = np.ones((len(correlations), 1))
    law = selected(Covariance(one, one, correlations[:, None]), kappa).correlation
    return _cells({"correlation": correlations, "probability": probabilities}, law, found)


def tilted_schemes(log_p: Floats, x: Floats, r: Floats, spread: float, schemes: int) -> Floats:
    """Laws p e^(theta (x - r)) / Z for evenly spaced theta of this standard deviation: [schemes, V].

    Schemes that prefer prior or reward more or less than p does; their means move against each other.
    Raises ValueError unless spread >= 0 and schemes >= 2, and on other shapes than [V].
    """
    for name, side in (("x", x), ("r", r)):
        shaped(side, shaped(log_p, (None,), "log_p").shape, name)
    if not 0 <= spread < np.inf or schemes < 2:
        raise ValueError(f"schemes must be at least 2 and their spread >= 0, not {schemes} and {spread}.")
    theta = np.linspace(-1, 1, schemes)
    return np.asarray(normalised(log_p + (spread / theta.std() * theta)[:, None] * (x - r)))


def over_schemes(
    spreads: Floats,
    sizes: npt.NDArray[np.int64],
    replicates: int,
    rng: np.random.Generator,
    correlation: float = 0.4,
    objects: int = 200,
    schemes: int = 9,
    corpora: int = 10,
) -> pd.DataFrame:
    """Correlation over corpora of N strings pooled over schemes, one world: by the schemes' spread and N.

    Columns: spread, size, predicted (B + W/N), value, low, high, between, within (covariances B and W).
    Raises ValueError unless replicates >= 2 and N >= 1, and on spreads or sizes along more than one axis.
    """
    _axes(spreads=spreads, sizes=sizes)
    log_p = log_dirichlet(objects, rng, 1.0)
    x, r = equal_variances(log_p, correlation, rng)
    found = np.empty((len(spreads), len(sizes), _at_least_two(replicates)))
    laws = np.empty(found.shape[:2])
    parts = []
    for i, spread in enumerate(spreads):
        each = tilted_schemes(log_p, x, r, float(spread), schemes)
        between, within = between_and_within(each, x, r)
        parts.append((float(spread), float(between.xr), float(within.xr)))
        for j, size in enumerate(sizes):
            laws[i, j] = pooled(between, within, int(size)).correlation
            drawn = [sampled_means(law, np.stack([x, r]), replicates * corpora, int(size), rng) for law in each]
            groups = np.stack(drawn, axis=1).reshape(2, schemes, replicates, corpora)
            found[i, j] = [pearson(*groups[:, :, k].reshape(2, -1)) for k in range(replicates)]
    table = _cells({"spread": spreads, "size": sizes}, laws, found)
    return table.merge(pd.DataFrame(parts, columns=["spread", "between", "within"]), on="spread")


def _cells(keys: dict[str, Any], laws: Floats, found: Floats) -> pd.DataFrame:
    """One row a cell: the law's value, and the mean of the replicates (last axis) with 1.96 standard errors."""
    rows: pd.DataFrame = pd.MultiIndex.from_product(list(keys.values()), names=list(keys)).to_frame(index=False)
    value, error = found.mean(axis=-1), found.std(axis=-1, ddof=1) / np.sqrt(found.shape[-1])
    columns = {"predicted": laws, "value": value, "low": value - 1.96 * error, "high": value + 1.96 * error}
    return pd.concat([rows, pd.DataFrame({name: column.ravel() for name, column in columns.items()})], axis=1)


def _axes(**sides: npt.NDArray[Any]) -> None:
    for name, side in sides.items():
        shaped(side, (None,), name)


def _at_least_two(replicates: int) -> int:
    if replicates < 2:
        raise ValueError(f"an interval needs at least two replicates, not {replicates}.")
    return replicates
