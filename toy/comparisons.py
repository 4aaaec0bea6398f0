"""Two rules compared at equal KL: the ratio of what they gain over the base.

Nine KLs are spread evenly over the range that both curves cover between a quarter of a nat and ten. A gain is read
between a curve's points as a line in gain / sqrt(KL), which is nearly flat: near the base every gain grows as sqrt(KL).
"""

from typing import TypeAlias

import numpy as np
import pandas as pd

from theory.layers import Floats

Points: TypeAlias = pd.DataFrame
"""The table toy_controlled_points."""
Chosen: TypeAlias = dict[str, str | float]
"""column -> value, of the rows of one rule; its reward and base among them."""
PAR = 0.05
LEAST_KL, LARGEST_KL, PLACES = 0.25, 10.0, 9


def curve(points: Points, chosen: Chosen) -> Points:
    """The rows of one rule, by KL."""
    keep = np.ones(len(points), dtype=bool)
    for column, value in chosen.items():
        keep &= (points[column] == value).to_numpy()
    return points[keep].sort_values("kl")


def at_base(points: Points, chosen: Chosen, metric: str) -> float:
    """What a metric is worth where nothing is controlled."""
    base = {"reward": chosen["reward"], "base": chosen["base"], "method": "base"}
    return float(curve(points, base)[metric].iloc[0])


def gains(points: Points, chosen: Chosen, metric: str) -> Floats:
    """metric less its worth at the base, one a row of `curve`."""
    return curve(points, chosen)[metric].to_numpy() - at_base(points, chosen, metric)


def relative(points: Points, mine: Chosen, theirs: Chosen, metric: str) -> Floats:
    """Gain of mine / gain of theirs at equal KL: [9], ascending KL; NaN where the curves share no range of KL."""
    spent = [curve(points, chosen)["kl"].to_numpy() for chosen in (mine, theirs)]
    if min(len(kl) for kl in spent) == 0:
        return np.full(PLACES, np.nan)
    low = max(LEAST_KL, *(kl.min() for kl in spent))
    high = min(LARGEST_KL, *(kl.max() for kl in spent))
    if low > high:
        return np.full(PLACES, np.nan)
    places = np.linspace(low, high, PLACES)
    a, b = (
        np.interp(places, kl, gains(points, chosen, metric) / np.sqrt(kl))
        for kl, chosen in zip(spent, (mine, theirs), strict=True)
    )
    return np.asarray(a / b)


def better(points: Points, mine: Chosen, theirs: Chosen, metric: str, by: float = 0.0) -> float:
    """The slack of "the ratio is nowhere below 1 + by"."""
    return float(np.min(relative(points, mine, theirs, metric)) - 1 - by)


def on_par(points: Points, mine: Chosen, theirs: Chosen, metric: str) -> float:
    """The slack of "the ratio is everywhere within five per cent of 1"."""
    return float(PAR - np.max(np.abs(relative(points, mine, theirs, metric) - 1)))


def blocks(reward: str, scorer: str = "CD-Q", M: int = 8, base: str = "bigram", **more: str | float) -> Chosen:  # noqa: N803
    """Blockwise best-of-K."""
    return {"reward": reward, "base": base, "method": "blockwise", "scorer": scorer, "M": M, **more}


def tokens(reward: str, scorer: str, base: str = "bigram") -> Chosen:
    """Tokenwise control."""
    return {"reward": reward, "base": base, "method": "tokenwise", "scorer": scorer}


def plain(reward: str, method: str, base: str = "bigram", **more: str | float) -> Chosen:
    """A rule without a scorer."""
    return {"reward": reward, "base": base, "method": method, **more}
