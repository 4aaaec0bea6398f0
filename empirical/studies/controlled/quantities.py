"""The quantities that the registered sentences speak of: from what they are measured, and how two curves compare."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from empirical.studies.controlled import frontiers
from empirical.studies.controlled.cells import (
    BLOCKS,
    DPO,
    FUDGE,
    IPO,
    LAWS,
    METRIC,
    ON_DPO,
    PPO,
    Curve,
    Floats,
    Q,
    curve,
)
from empirical.studies.controlled.views import tuned

Wanted: TypeAlias = dict[str, Any]
Resampled: TypeAlias = tuple[str, Floats]
"""An item, and its value: [B + 1], that of all prompts first."""
SCORERS, TRAINED = (Q, FUDGE), (PPO, DPO, IPO)


@dataclass(frozen=True, eq=False)
class Data:
    """All that is measured.

    cells: see `empirical.studies.controlled.cells`, and counts of each task's resampled prompts [B, P]; block: the
    default block size; predictions and pairs: the tables of `scorer_checks`, None where none were made. planted: in
    place of what a sentence favours stands something that must not pass for it. known: the curves read so far.
    """

    cells: pd.DataFrame
    counts: dict[str, Floats]
    block: int
    predictions: pd.DataFrame | None = None
    pairs: pd.DataFrame | None = None
    seed: int = 0
    planted: bool = False
    known: dict[Any, Curve] = field(default_factory=dict)

    @property
    def times(self) -> int:
        """Resamples."""
        return len(next(iter(self.counts.values())))

    def shares(self, task: str) -> Floats:
        """Every prompt's weight, all of them once and then resampled: [B + 1, P]."""
        every = np.vstack([np.ones(self.counts[task].shape[1]), self.counts[task]])
        return np.asarray(every / every.sum(axis=1, keepdims=True))

    def rows(self, name: str, task: str, **more: Any) -> Wanted:
        """What the rows of a curve, by its name, have in their columns."""
        method, _, scorer = name.partition(" by ")
        wanted: Wanted = {"method": method} | ({"scorer": scorer} if scorer else {})
        if method == BLOCKS:
            wanted |= {"weight": 0.0, "M": self.block}
        if method == ON_DPO + BLOCKS and "value" not in more:
            wanted |= {"beta": tuned(self.cells, task)}
        return wanted | more

    def curve(self, task: str, law: str, name: str, **more: Any) -> Curve:
        """The curve of that name, in the metric that the paper draws."""
        key = task, law, name, str(more)
        if key not in self.known:
            self.known[key] = curve(self.cells, METRIC[task], law, task=task, **self.rows(name, task, **more))
        return self.known[key]


Quantity: TypeAlias = Callable[[Data, str], Iterator[Resampled]]
"""(data, law) -> the items, each resampled; laws: see `controlled.toml`."""
QUANTITIES: dict[str, tuple[tuple[str, ...], Quantity]] = {}
"""name -> the laws under which it is measured, and how."""


def quantity(name: str, *laws: str) -> Callable[[Quantity], Quantity]:
    """Register the decorated function under a name; by default under both ways of counting KL."""

    def register(measure: Quantity) -> Quantity:
        if name in QUANTITIES:
            raise ValueError(f"quantity {name} is registered twice.")
        QUANTITIES[name] = (laws or tuple(LAWS), measure)
        return measure

    return register


def less(
    data: Data,
    task: str,
    law: str,
    mine: str,
    theirs: Sequence[str],
    upper: bool = False,
    planted: float = 0.0,
    **at: Any,
) -> Floats:
    """Mean gain of mine less that of the best of theirs, at equal KL. Planted: the first of theirs, raised by that."""
    others = [data.curve(task, law, name, **at) for name in theirs]
    ours = Curve(others[0].kl, others[0].gain + planted) if data.planted else data.curve(task, law, mine, **at)
    found = frontiers.compare(ours, others, data.counts[task])
    return (found.upper if upper else found).difference


def over(data: Data, task: str, law: str, mine: str, theirs: str, **at: Any) -> Floats:
    """Mean gain of mine over that of theirs, at equal KL. Planted: half the gain of theirs."""
    other = data.curve(task, law, theirs, **at)
    ours = Curve(other.kl, other.gain / 2) if data.planted else data.curve(task, law, mine, **at)
    return frontiers.compare(ours, other, data.counts[task]).ratio


def point_over_point(data: Data, task: str, law: str, what: str, mine: Resampled, theirs: Resampled) -> Floats:
    """`what` (gain or kl) of one point over that of another, each a curve's name and its K. Planted: half of theirs."""
    share = data.shares(task)
    # At one K alone, blocks on DPO would be a curve over beta; the point is that of the policy of figure 10.
    one, other = (
        getattr(data.curve(task, law, name, **(data.rows(name, task) | {"value": float(K)})), what)
        for name, K in (mine, theirs)
    )
    if min(len(one), len(other)) == 0:
        return np.full(len(share), np.nan)
    bottom = share @ other[0]
    top = bottom / 2 if data.planted else share @ one[0]
    return np.divide(top, bottom, out=np.full_like(top, np.nan), where=bottom > 0)
