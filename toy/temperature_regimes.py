"""What heat does to log p and to the reward: three regimes, found by a stated search, and how common each is.

For q_T ∝ p_plus^(1/T) and g = 1/T: dE[X]/dg = Var X + C and dE[R]/dg = Var R + C with C = Cov(X, R) under q_T. The sum
Var S of the two is positive, so that heat (g falling) lowers at least one of E[X] and E[R].
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaincinv

from theory.arrays import expectation, normalised
from theory.covariance import temperature_response
from theory.language_models import Floats
from toy.reward_trees import RewardTree, random_worlds, single

REGIMES = ("trade", "reverse", "both fall")
"""As T rises: log p falls and r rises, as printed; log p rises and r falls; both fall."""
TEMPERATURES = (0.4, 0.5, 0.63, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5)
STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
CORRELATIONS = {"opposed": -0.7, "unrelated": 0.0, "agreeing": 0.7}
BLOCK = 50  # worlds drawn at a time; the search looks at them one after the other


class Response(NamedTuple):
    """E[X] and E[R] under q_T, nats, and their slopes in g = 1/T, nats^2, each [...]."""

    x: Floats
    r: Floats
    slope_x: Floats
    slope_r: Floats


def response(world: RewardTree, T: float) -> Response:  # noqa: N803 (the field's symbol)
    """Means and predicted slopes under q_T ∝ p_plus^(1/T), one a world. Raises ValueError unless 0 < T < inf."""
    if not 0 < T < np.inf:
        raise ValueError(f"temperature T must be a positive number, not {T}.")
    log_q = np.asarray(normalised(world.aligned.log_prob / T))
    x, r = (np.asarray(expectation(log_q, side)) for side in (world.x, world.r))
    return Response(x, r, *temperature_response(log_q, world.x, world.r))


def regime(slope_x: Floats, slope_r: Floats) -> NDArray[np.int64]:
    """The index in `REGIMES` of each pair of slopes in g = 1/T.

    "trade" iff -Var X < C < -Var R, "reverse" iff -Var R < C < -Var X, else "both fall".
    Raises ValueError on NaN.

    >>> regime(np.array([1.0, -1.0, 1.0]), np.array([-0.5, 2.0, 0.5])).tolist()
    [0, 1, 2]
    """
    if np.any(np.isnan(slope_x)) or np.any(np.isnan(slope_r)):
        raise ValueError("a slope is NaN: it is in no regime.")
    return np.where(slope_r < 0, 0, np.where(slope_x < 0, 1, 2))


def search(seed: int, wanted: int, most: int = 20_000) -> tuple[RewardTree, int]:
    """The first world of a seeded stream that is in regime `wanted` at every T of TEMPERATURES, and its number.

    Blocks of 50 worlds alternate over all pairs of STRENGTHS and CORRELATIONS. Raises ValueError if none of the first
    `most` worlds does, or where `wanted` is no index in REGIMES.
    """
    if wanted not in range(len(REGIMES)):
        raise ValueError(f"a regime is one of 0..{len(REGIMES) - 1}, not {wanted}.")
    kinds = [(strength, rho) for strength in STRENGTHS for rho in CORRELATIONS.values()]
    for block in range(-(-most // BLOCK)):
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 1, block])))
        strength, rho = kinds[block % len(kinds)]
        worlds = random_worlds(rng, BLOCK, strength=strength, correlation=rho)
        slopes = [response(worlds, T)[2:] for T in TEMPERATURES]
        fits = np.all([regime(*pair) == wanted for pair in slopes], axis=0)[: most - block * BLOCK]
        if fits.any():
            first = int(np.argmax(fits))
            return single(worlds, first), block * BLOCK + first
    raise ValueError(f"no world of the first {most} stays in the regime {REGIMES[wanted]!r} from T = .4 to 2.5.")


def curves(seed: int) -> pd.DataFrame:
    """One row a regime and temperature: the exact point (log_prior, reward), its slopes in g and the world's number."""
    rows = []
    for number, name in enumerate(REGIMES):
        world, found = search(seed, number)
        for T in TEMPERATURES:  # noqa: N806
            at = (float(value) for value in response(world, T))
            rows.append((name, found, T, *at))
    columns = ["regime", "world", "temperature", "log_prior", "reward", "slope_log_prior", "slope_reward"]
    return pd.DataFrame(rows, columns=columns)


def shares(seed: int, worlds: int) -> pd.DataFrame:
    """The share of random worlds in each regime at T = 1, by kind and strength of reward, with exact 95 % limits."""
    rows = []
    for kind, (name, rho) in enumerate(CORRELATIONS.items()):
        for place, strength in enumerate(STRENGTHS):
            rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 2, kind, place])))
            found = regime(*response(random_worlds(rng, worlds, strength=strength, correlation=rho), 1.0)[2:])
            for number, label in enumerate(REGIMES):
                rows.append((name, strength, label, worlds, *share(int(np.sum(found == number)), worlds)))
    return pd.DataFrame(rows, columns=["kind", "strength", "regime", "worlds", "share", "low", "high"])


def share(hits: int, of: int) -> tuple[float, float, float]:
    """A share with its exact (Clopper-Pearson) 95 % limits. Raises ValueError unless 0 <= hits <= of and of >= 1.

    >>> [round(limit, 3) for limit in share(5, 10)]
    [0.5, 0.187, 0.813]
    """
    if not 0 <= hits <= of or of < 1:
        raise ValueError(f"a share needs 0 <= hits <= of and of >= 1, not {hits} of {of}.")
    low = betaincinv(hits, of - hits + 1, 0.025) if hits > 0 else 0.0
    high = betaincinv(hits + 1, of - hits, 0.975) if hits < of else 1.0
    return hits / of, float(low), float(high)
