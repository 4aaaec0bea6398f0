"""Random laws follow Dirichlet's, in their marginals and their variance."""

from functools import partial

import numpy as np
from scipy import stats

from tests.statistical.p_values import bernstein, distribution
from tests.statistical.randomised import Randomised
from theory.language_models import log_dirichlet

CONCENTRATIONS = (0.1, 0.3, 1.0, 5.0)


def first_shares(rng: np.random.Generator, count: int) -> np.ndarray:
    """p_a of as many Dirichlet draws at each concentration."""
    return np.stack([np.exp(log_dirichlet(3, rng, c, (count,)))[:, 0] for c in CONCENTRATIONS])


def more_concentrated(rng: np.random.Generator, count: int, factor: float) -> np.ndarray:
    """Planted: the same by a Beta law, at concentrations that are multiplied."""
    return np.stack([rng.beta(factor * c, 2 * factor * c, count) for c in CONCENTRATIONS])


def normalised_uniforms(rng: np.random.Generator) -> np.ndarray:
    uniform = rng.random((len(CONCENTRATIONS), 10_000, 3))
    return (uniform / uniform.sum(-1, keepdims=True))[..., 0]


def beta_marginals(found: np.ndarray) -> list[float]:
    return [distribution(p, stats.beta(c, 2 * c).cdf) for p, c in zip(found, CONCENTRATIONS, strict=True)]


MARGINALS = Randomised(
    __name__,
    "Dirichlet draws have beta marginals",
    draw=partial(first_shares, count=10_000),
    judge=beta_marginals,
    planted={"normalised uniforms": normalised_uniforms, "1.3 c": partial(more_concentrated, count=10_000, factor=1.3)},
    sample="10,000 draws at 4 concentrations, DKW",
)


VARIANCE = Randomised(
    __name__,
    "Dirichlet draws have their variance",
    draw=partial(first_shares, count=40_000),
    # Var p_a = (n - 1) / (n^2 (n c + 1)).
    judge=lambda found: bernstein((found - 1 / 3) ** 2, 0, 4 / 9, 2 / (9 * (3 * np.array(CONCENTRATIONS) + 1))),
    planted={"1.2 c": partial(more_concentrated, count=40_000, factor=1.2)},
    sample="40,000 draws at 4 concentrations, empirical Bernstein",
)


def test_dirichlet_has_beta_marginals() -> None:
    MARGINALS.hold()


def test_dirichlet_has_its_variance() -> None:
    VARIANCE.hold()


def test_dirichlet_never_underflows() -> None:
    assert np.all(np.isfinite(log_dirichlet(5, np.random.default_rng(0), 1e-3, (1000,))))
