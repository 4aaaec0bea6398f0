"""How good a prefix scorer is on texts it has not seen: its loss, and whether it is calibrated.

V is calibrated where E[r | V] = V: the regression of the reward on V then has slope 1. Below 1 the values spread too
far for what they know, above 1 not far enough.
"""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from empirical.intervals import percentiles, resampled
from empirical.prefix_features import Steps
from empirical.prefix_scorers import PrefixScorer
from empirical.prefix_training import values_along

Floats = NDArray[np.float64]
RESAMPLES = 1000


@dataclass(frozen=True)
class Slope:
    """The slope of reward on V among prefixes of first ... last tokens, with its 95 % interval by prompt.

    prefixes: their number; slope: None where V does not vary; low, high: None with fewer than two prompts.
    """

    first: int
    last: int
    prefixes: int
    slope: float | None
    low: float | None
    high: float | None


def measured(scorer: PrefixScorer, steps: Steps, seed: int = 0) -> dict[str, dict[str, object]]:
    """For each reward, of the base's own texts: loss, loss of the constant mean, share explained, slopes by position.

    loss: half the mean square of V - r over prefixes; share: 1 - loss / loss_of_mean, where no scorer reaches 1, since
    a prefix does not decide its text.
    """
    values, rewards = values_along(scorer, steps).double().numpy(), steps.reward.double().numpy()
    place, prompt = steps.place.numpy(), steps.prompt.numpy()
    found: dict[str, dict[str, object]] = {}
    for name, value, reward in zip(scorer.about.rewards, values.T, rewards.T, strict=True):
        loss, constant = np.mean((value - reward) ** 2) / 2, np.var(reward) / 2
        slopes = by_position(value, reward, place, prompt, seed)
        found[name] = {"loss": float(loss), "loss_of_mean": float(constant)}
        found[name] |= {"share": float(1 - loss / constant) if constant > 0 else None}
        found[name] |= {"calibration": [asdict(slope) for slope in slopes]}
    return found


def by_position(
    value: Floats, reward: Floats, place: NDArray[np.int64], prompt: NDArray[np.int64], seed: int = 0
) -> list[Slope]:
    """The slope among prefixes of 1, 2, 3-4, 5-8, ... tokens; all arguments [steps], `place` 0 for the first token."""
    _, cluster = np.unique(prompt, return_inverse=True)
    stretch = np.ceil(np.log2(place + 1)).astype(int)
    rng = np.random.default_rng(seed)
    counts = np.vstack([np.ones(cluster.max() + 1), resampled(rng, int(cluster.max()) + 1, RESAMPLES)])
    found = []
    for number in range(stretch.max() + 1):
        inside = stretch == number
        point, *drawn = slopes(value[inside], reward[inside], cluster[inside], counts)
        first, last = int(place[inside].min()) + 1, int(place[inside].max()) + 1
        some = np.unique(cluster[inside]).size > 1
        low, high = percentiles(drawn) if some else (np.nan, np.nan)
        found.append(Slope(first, last, int(inside.sum()), *map(_number, (point, low, high))))
    return found


def slopes(value: Floats, reward: Floats, cluster: NDArray[np.intp], counts: Floats) -> list[float]:
    """Least-squares slopes of reward on value, one for each row of counts [resamples, clusters]; NaN if undefined."""
    x, y = value - value.mean(), reward - reward.mean()  # against cancellation; no slope depends on it
    sums = [np.bincount(cluster, one, counts.shape[1]) for one in (np.ones(len(x)), x, y, x * x, x * y)]
    n, sx, sy, sxx, sxy = (counts @ one for one in sums)
    spread = n * sxx - sx**2
    live = spread > 1e-12 * np.maximum(n * sxx, 1e-300)  # below, a difference of roundings
    return [float(s) for s in np.where(live, (n * sxy - sx * sy) / np.where(live, spread, 1.0), np.nan)]


def _number(x: float) -> float | None:
    """JSON has no NaN."""
    return None if np.isnan(x) else x
