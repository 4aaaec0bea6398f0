"""Simpson's reversal in the toy world of Tan et al., taken apart: which weights, which selection, which schemes."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from toy.boundaries import WEIGHTINGS, noise_threshold, published_shrinkage
from toy.dirichlet import EXPONENT, Triple, dirichlet_triple, replayed_triple, unrelated
from toy.improbability import bands, regions
from toy.phase_diagrams import over_schemes, over_selections, over_worlds
from toy.resamplings import drawn, over_replications

SIZE, EPSILON = 100_000, 0.001
EXPONENTS = EXPONENT * np.geomspace(0.25, 32, 15)
NOISES = np.geomspace(0.01, 4, 17)
CORRELATIONS = np.linspace(-0.6, 0.9, 16)
PROBABILITIES = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.96, 0.99])
SPREADS = np.geomspace(0.05, 1, 10)
SIZES = np.unique(np.geomspace(1, 3000, 12).astype(np.int64))


def run(seed: int, small: bool = False) -> dict[str, pd.DataFrame]:
    """The tables, drawn from `seed`; `small` has fewer replications, worlds and cells. Log-probabilities in nats.

    - toy_reversal_seeds (world, law, quantity, value, low, high, replications): `resamplings.over_replications` on the
      published world, on fresh worlds, and on worlds whose reward is unrelated to the prior.
    - toy_reversal_worlds, toy_reversal_selections, toy_reversal_schemes: the cells of `phase_diagrams`.
    - toy_reversal_boundaries (exponent, weighting, noise): the exact boundaries of the first diagram.
    - toy_reversal_regions, toy_reversal_bands: `improbability`, on the published world.
    - toy_reversal_cloud (mean_log_prior, mean_reward, typical): corpora drawn from it.
    """
    replications, corpora, worlds, cells, skip = (3, 300, 2, 8, 4) if small else (200, 1_000, 20, 41, 1)
    published = replayed_triple()
    found = drawn(published, corpora, SIZE, EPSILON, _stream(seed, 0))
    schemes = over_schemes(SPREADS[::skip], SIZES[::skip], worlds, _stream(seed, 3))
    return {
        "toy_reversal_seeds": over_replications(_worlds(published, seed, replications), corpora, SIZE, EPSILON),
        "toy_reversal_worlds": over_worlds(
            EXPONENTS[::skip], NOISES[::skip], worlds, _stream(seed, 1), corpora, SIZE, EPSILON
        ),
        "toy_reversal_selections": over_selections(
            CORRELATIONS[::skip], PROBABILITIES[::skip], worlds, _stream(seed, 2), 2 * corpora
        ),
        "toy_reversal_schemes": schemes,
        "toy_reversal_boundaries": boundaries(),
        "toy_reversal_regions": regions(published, SIZE, cells),
        "toy_reversal_bands": bands(published, found, SIZE, EPSILON),
        "toy_reversal_cloud": pd.DataFrame(
            {"mean_log_prior": found.x, "mean_reward": found.r, "typical": found.typical}
        ),
    }


def boundaries() -> pd.DataFrame:
    """The exact noise at which each correlation changes sign, along the exponents: exponent, weighting, noise."""
    fine = np.geomspace(EXPONENTS[0], EXPONENTS[-1], 200)
    kappa = published_shrinkage(SIZE, EPSILON)
    lines = {weighting: noise_threshold(fine, weighting, kappa) for weighting in WEIGHTINGS}
    return pd.DataFrame({"exponent": fine, **lines}).melt("exponent", var_name="weighting", value_name="noise")


def _worlds(published: Triple, seed: int, replications: int) -> dict[str, Iterator[tuple[Triple, np.random.Generator]]]:
    makers: dict[str, Callable[[np.random.Generator], Triple]] = {
        "published world": lambda rng: published,
        "fresh worlds": dirichlet_triple,
        "unrelated rewards": lambda rng: unrelated(dirichlet_triple(rng), rng),
    }

    def each(
        number: int, make: Callable[[np.random.Generator], Triple]
    ) -> Iterator[tuple[Triple, np.random.Generator]]:
        for replication in range(replications):
            rng = _stream(seed, 4, number, replication)
            yield make(rng), rng

    return {kind: each(number, make) for number, (kind, make) in enumerate(makers.items())}


def _stream(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
