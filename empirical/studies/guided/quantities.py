"""The quantities that the registered sentences of `guided.toml` speak of, each with every resample of the items."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from empirical.measured import rows
from empirical.scored import Floats
from empirical.studies.controlled.frontiers import interpolated
from empirical.studies.guided.cells import MATTERS, by_item, mean
from empirical.studies.guided.relevance import auc
from empirical.studies.guided.sizes import CLASSIFIER, FREE, GREEDY, PLAIN, STATIC

Items = Iterator[tuple[str, Floats]]


@dataclass(frozen=True, eq=False)
class Data:
    """Cells and relevance with counts of the items [B + 1, items], the first row all once."""

    cells: pd.DataFrame
    steps: pd.DataFrame
    counts: Floats

    def less(self, measure: str, one: str, other: str, prior: str = "intact", against: str = "intact") -> Floats:
        """The mean over items of a measure of one rule less that of another."""
        gap = by_item(self.cells, prior, one, measure) - by_item(self.cells, against, other, measure)
        return mean(gap, self.counts)


def _guided(measure: str) -> Callable[[Data], Items]:
    def measured(data: Data) -> Items:
        for rule in (FREE, CLASSIFIER):
            yield rule.name, data.less(measure, rule.name, PLAIN.name)

    return measured


def _less(
    measure: str, one: str, other: str, prior: str = "intact", against: str = "intact"
) -> Callable[[Data], Items]:
    return lambda data: iter([("", data.less(measure, one, other, prior, against))])


def _dynamic_less_static(measure: str) -> Callable[[Data], Items]:
    """The static curve is read by lines in the mean entropy, at that of each sigma within its reach."""

    def measured(data: Data) -> Items:
        cells = data.cells[data.cells.prior == "intact"]
        names = {family: sorted(set(cells.rule[cells.family == family])) for family in ("none", "kl")}

        def read(rule: str, what: str) -> Floats:
            return mean(by_item(cells, "intact", rule, what), data.counts)

        x, y = (np.stack([read(rule, what) for rule in names["none"]], axis=1) for what in ("entropy", measure))
        inside = [rule for rule in names["kl"] if x[0].min() <= read(rule, "entropy")[0] <= x[0].max()]
        gaps = []
        for rule in inside:
            place, value = read(rule, "entropy"), read(rule, measure)
            static = np.array([interpolated(place[b : b + 1], x[b : b + 1], y[b : b + 1])[0, 0] for b in range(len(x))])
            gaps.append(value - static)
        yield "", np.mean(gaps, axis=0) if gaps else np.full(len(data.counts), np.nan)

    return measured


def _relevance(data: Data) -> Items:
    """Weighted by how often each item is drawn."""
    steps = data.steps[data.steps.kind.isin(MATTERS) & data.steps.part.isin(["evidence", "frame"])]
    order = {item: place for place, item in enumerate(sorted(data.cells.item.unique()))}
    place = steps.item.map(order).to_numpy()
    up = (steps.part == "evidence").to_numpy()
    values = steps.information.to_numpy()
    found = [auc(values[up], values[~up], (row[place[up]], row[place[~up]])) for row in data.counts]
    yield "", np.array(found)


QUANTITIES: dict[str, Callable[[Data], Items]] = {
    "found_guided_less_plain": _guided("found"),
    "evidence_guided_less_plain": _guided("evidence"),
    "nll_guided_less_plain": _guided("nll"),
    "distinct_cool_less_plain": _less("distinct", STATIC.name, PLAIN.name),
    "nll_cool_less_plain": _less("nll", STATIC.name, PLAIN.name),
    "found_cool_less_plain": _less("found", STATIC.name, PLAIN.name),
    "nll_greedy_less_cool": _less("nll", GREEDY.name, STATIC.name),
    "distinct_greedy_less_cool": _less("distinct", GREEDY.name, STATIC.name),
    "relevance_auc": _relevance,
    "found_dynamic_less_static": _dynamic_less_static("found"),
    "nll_dynamic_less_static": _dynamic_less_static("nll"),
    "found_weak_guided_less_plain": _less("found", FREE.name, PLAIN.name, "weak", "weak"),
    "nll_weak_less_intact": _less("nll", FREE.name, FREE.name, "weak", "intact"),
}


def measures(data: Data) -> pd.DataFrame:
    """The table chang_measures: quantity, law (none), item, value, low, high (95 %), wide_low, wide_high."""
    return pd.DataFrame(row for name, measured in QUANTITIES.items() for row in rows(name, "none", measured(data)))
