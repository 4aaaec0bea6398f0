"""Five samplers of one globally normalised law, held against its enumeration by one test of known size and power."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import local
from theory.claims.tan.sampled_worlds import (
    ADAPTOR,
    SIZE,
    WORLDS,
    Sampler,
    World,
    agrees,
    random_sampled_world,
    second_kind,
)
from theory.claims.tan.worlds import ADAPTORS
from theory.language_models import Adapted, adapted, random_tree
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.metropolis import run
from theory.samplers import draw, pool_weights, rejection, sequential_monte_carlo

Floats = NDArray[np.float64]
DRAWS, MOVES, PARTICLES, SMC_RUNS = 20_000, 15, 8, 5_000


@claim(
    "new.five-samplers",
    paper="tan",
    where="equations 5 to 8 and Algorithm 1, beside the other samplers of the law",
    kind="algorithm",
    statement="Enumeration, rejection of p_loc with probability w = Π Z_t (accepted with probability Z), importance "
    "weights w, independence Metropolis-Hastings and sequential Monte Carlo all target p_glob = p_loc w / Z; the "
    "second, third and fifth estimate Z p_glob(y) without bias at any sample size.",
    verdict="holds-with-assumption",
    assumptions=f"rejection needs Z_t ≤ 1, as under truncation and T ≤ 1. The sampled checks are Hotelling's T² "
    f"against the exact means, of size {SIZE:g} over all worlds together, with its power against p_loc checked too",
)
def five_samplers(rng: np.random.Generator) -> Evidence:
    bounded = [adaptor for adaptor in ADAPTORS if not adaptor.name.startswith("temperature(1.5)")]
    runs = [adapted(random_tree(2, 2, rng, batch=(200,)), adaptor) for adaptor in bounded]
    excess = np.concatenate([one.log_kept.max(axis=-1) for one in runs])
    # Log Z_t that is 0 in exact arithmetic errs by an ulp or two, three times over.
    yield at_most("log w ≤ 0", oracle="enumeration of all strings", residuals=excess, tolerance=1e-12)
    accepted = np.concatenate([_acceptance_error(one) for one in runs])
    # Sums of seven products of probabilities.
    yield at_most("Σ p_loc w 1[y] = Z p_glob", oracle="enumeration of all strings", residuals=accepted, tolerance=1e-13)
    worlds = [random_sampled_world(rng) for _ in range(WORLDS)]
    for name, sampler in SAMPLERS.items():
        yield agrees(name, sampler, worlds, rng)
    missed = float(np.prod([second_kind(world, DRAWS) for world in worlds]))
    power = f"non-central chi-square, for that test of size {SIZE:g}"
    yield at_least("power against p_loc", oracle=power, margins=[1 - missed], tolerance=1 - SIZE)
    for name, sampler in PLANTED.items():
        yield rejects(name, agrees(name, sampler, worlds, rng))


def _acceptance_error(one: Adapted) -> Floats:
    share = np.exp(one.local.log_prob + one.log_kept) - np.exp(one.log_z)[..., None] * np.exp(one.log_global)
    return np.asarray(np.abs(share).max(axis=-1))


def _draws(log_p: Floats, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int64]:
    return draw(log_p, rng.random(shape))


def _enumerated(world: World, rng: np.random.Generator) -> tuple[Floats, Floats]:
    return world.counts(_draws(world.run.log_global, (DRAWS,), rng)), world.expected(world.law)


def _rejected(world: World, rng: np.random.Generator, log_w: Floats | None = None) -> tuple[Floats, Floats]:
    strings = _draws(world.run.local.log_prob, (DRAWS,), rng)
    accepted = rejection((world.log_w if log_w is None else log_w)[strings], rng.random(DRAWS))
    return world.counts(strings, accepted.astype(float)), world.z * world.expected(world.law)


def _weighted(world: World, rng: np.random.Generator, log_w: Floats | None = None) -> tuple[Floats, Floats]:
    """Pools of 8 draws: their self-normalised weights times their estimate of Z."""
    strings = _draws(world.run.local.log_prob, (SMC_RUNS, PARTICLES), rng)
    log_share, log_z = pool_weights((world.log_w if log_w is None else log_w)[strings])
    counts = world.counts(strings, np.exp(log_share + log_z[:, None])).sum(axis=-2)
    return counts, world.z * world.expected(world.law)


def _chained(world: World, rng: np.random.Generator, log_w: Floats | None = None) -> tuple[Floats, Floats]:
    """The last state of independent chains that start at the target and must stay there."""
    strings = _draws(world.run.local.log_prob, (DRAWS, MOVES + 1), rng)
    strings[:, 0] = _draws(world.run.log_global, (DRAWS,), rng)
    chain = run((world.log_w if log_w is None else log_w)[strings], rng.random((DRAWS, MOVES)))
    last = np.take_along_axis(strings, chain.states[:, -1:], axis=-1)[:, 0]
    return world.counts(last), world.expected(world.law)


def _grown(world: World, rng: np.random.Generator, resampled: bool = True) -> tuple[Floats, Floats]:
    log_q, log_kept = local(ADAPTOR, world.prior.log_steps)
    kept, known = (log_kept, 0.0) if resampled else (np.zeros_like(log_kept), float(world.run.log_z))
    strings, log_z = sequential_monte_carlo(log_q, kept, PARTICLES, SMC_RUNS, rng)
    counts = world.counts(strings, np.exp(log_z + known)[:, None] / PARTICLES).sum(axis=-2)
    return counts, world.z * world.expected(world.law)


def _wrongly_weighted(sampler: Callable[[World, np.random.Generator, Floats], tuple[Floats, Floats]]) -> Sampler:
    """The sampler with the target of the prior at T = 1, p / p_loc, where the adaptor cut nothing."""

    def planted(world: World, rng: np.random.Generator) -> tuple[Floats, Floats]:
        live = world.law > 0
        log_w = np.where(live, np.where(live, world.prior.log_prob, 0) - np.where(live, world.run.local.log_prob, 0), 0)
        return sampler(world, rng, log_w)

    return planted


def _always_accepting(sampler: Callable[[World, np.random.Generator, Floats], tuple[Floats, Floats]]) -> Sampler:
    return lambda world, rng: sampler(world, rng, np.zeros_like(world.log_w))


SAMPLERS: dict[str, Sampler] = {
    "enumeration": _enumerated,
    "rejection": _rejected,
    "importance sampling": _weighted,
    "independence Metropolis-Hastings": _chained,
    "sequential Monte Carlo": _grown,
}
PLANTED: dict[str, Sampler] = {
    "rejection that always accepts": _always_accepting(_rejected),
    "Metropolis-Hastings that always accepts": _always_accepting(_chained),
    "importance weights at T = 1": _wrongly_weighted(_weighted),
    "Metropolis-Hastings with the target at T = 1": _wrongly_weighted(_chained),
    "particles not resampled by Z_t": lambda world, rng: _grown(world, rng, resampled=False),
}
