"""Reward against KL: two curves compared at equal KL, with intervals that resample prompts.

A curve is a method swept over its knob. What it gains over the base is read between its points as a line in
gain / sqrt(KL), which is nearly flat: near the base every gain grows as sqrt(KL). Beyond its ends that ratio is kept,
but the KLs at which two curves are compared lie where both have points, as all prompts together place them; resampled
curves are read at the same KLs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_KL, LARGEST_KL = 0.25, 10.0
"""Nats. Below, a gain drowns in its noise; above, Mudgal et al. call a policy overfitted and do not look."""
PLACES = 9


@dataclass(frozen=True, eq=False)
class Curve:
    """Per-prompt means of a curve's points: kl in nats and gain over the base, [J, P]. Raises ValueError on others."""

    kl: Floats
    gain: Floats

    def __post_init__(self) -> None:
        if self.kl.ndim != 2 or self.kl.shape != self.gain.shape:
            raise ValueError(f"kl and gain must be [points, prompts], not {self.kl.shape} and {self.gain.shape}.")

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the largest KL of its points; NaN where it has none off the base."""
        means = self.kl.mean(axis=1)
        off = means[means > 0]
        return (float(off.min()), float(off.max())) if off.size else (np.nan, np.nan)

    def at(self, places: Floats, counts: Floats) -> Floats:
        """The gain at each KL [G] of each resample, counts [B, P] of its prompts: [B, G]."""
        share, off = counts / counts.sum(axis=1, keepdims=True), self.kl.mean(axis=1) > 0
        if not len(places) or not off.any():
            return np.full((len(counts), len(places)), np.nan)
        kl, gain = share @ self.kl[off].T, share @ self.gain[off].T
        # An estimated KL may be negative in a resample, which then has no value near that point.
        slope = np.divide(gain, np.sqrt(np.maximum(kl, 0)), out=np.full_like(gain, np.nan), where=kl > 0)
        return interpolated(places, kl, slope) * np.sqrt(places)


@dataclass(frozen=True, eq=False)
class Compared:
    """Two curves at equal KL: places [G], each curve's gain there [B + 1, G], the first row of all prompts once."""

    places: Floats
    mine: Floats
    theirs: Floats

    @property
    def difference(self) -> Floats:
        """The mean over the places of mine - theirs, [B + 1]; NaN where the curves share no KL."""
        return _mean(self.mine - self.theirs)

    @property
    def ratio(self) -> Floats:
        """The mean gain of mine over that of theirs, [B + 1]; NaN where theirs gains nothing."""
        mine, theirs = _mean(self.mine), _mean(self.theirs)
        return np.divide(mine, theirs, out=np.full_like(mine, np.nan), where=theirs > 0)

    @property
    def upper(self) -> "Compared":
        """The upper half of the places, the middle one among them."""
        half = slice(len(self.places) // 2, None)
        return Compared(self.places[half], self.mine[:, half], self.theirs[:, half])


def shared_places(curves: Sequence[Curve]) -> Floats:
    """KLs spread evenly over the range that every curve covers between LEAST_KL and LARGEST_KL; [0] if there is none.

    >>> a, b = (Curve(np.array(kl)[:, None], np.ones((len(kl), 1))) for kl in ([0.0, 1.0, 3.0], [2.0, 20.0]))
    >>> shared_places([a, b])[[0, -1]].tolist()
    [2.0, 3.0]
    """
    reaches = np.array([curve.reach for curve in curves])
    low, high = np.maximum(LEAST_KL, reaches[:, 0].max()), np.minimum(LARGEST_KL, reaches[:, 1].min())  # NaN stays
    return np.linspace(low, high, PLACES) if low <= high else np.empty(0)


def compare(mine: Curve, theirs: Curve | Sequence[Curve], counts: Floats) -> Compared:
    """Two curves at the KLs that both cover; of several others, the best one at each KL. counts: [B, P]."""
    others = [theirs] if isinstance(theirs, Curve) else list(theirs)
    places, all_once = shared_places([mine, *others]), np.ones((1, counts.shape[1]))
    every = np.vstack([all_once, counts])
    best = np.max([other.at(places, every) for other in others], axis=0)
    return Compared(places, mine.at(places, every), best)


def trend(curves: Sequence[Curve], x: Sequence[float], counts: Floats) -> Floats:
    """Least-squares slope on x, one a curve, of the mean gain at the KLs that all share: [B + 1]."""
    places, all_once = shared_places(curves), np.ones((1, counts.shape[1]))
    gains = np.array([_mean(curve.at(places, np.vstack([all_once, counts]))) for curve in curves])
    return slope(gains, x)


def slope(y: Floats, x: Sequence[float]) -> Floats:
    """Least-squares slope of y [n, ...] on x [n].

    >>> float(slope(np.array([1.0, 3.0, 5.0]), [0.0, 1.0, 2.0]))
    2.0
    """
    centred = np.asarray(x) - np.mean(x)
    return np.tensordot(centred, y, axes=1) / (centred @ centred)


def interpolated(places: Floats, x: Floats, y: Floats) -> Floats:
    """Rows of x and y [B, J], in any order, read at each place [G] by lines, and constant beyond the ends: [B, G].

    >>> interpolated(np.array([0.0, 1.5, 9.0]), np.array([[2.0, 1.0]]), np.array([[20.0, 10.0]])).tolist()
    [[10.0, 15.0, 20.0]]
    """
    order = np.argsort(x, axis=1, kind="stable")
    x, y = np.take_along_axis(x, order, axis=1), np.take_along_axis(y, order, axis=1)
    after = (x[:, :, None] <= places).sum(axis=1)
    left, right = np.maximum(after - 1, 0), np.minimum(after, x.shape[1] - 1)
    (x0, x1), (y0, y1) = ([np.take_along_axis(z, side, axis=1) for side in (left, right)] for z in (x, y))
    share = np.divide(places - x0, x1 - x0, out=np.zeros_like(x0), where=x1 > x0)
    return np.where(left == right, y0, (1 - share) * y0 + share * y1)


def _mean(values: Floats) -> Floats:
    return values.mean(axis=-1) if values.shape[-1] else np.full(values.shape[:-1], np.nan)
