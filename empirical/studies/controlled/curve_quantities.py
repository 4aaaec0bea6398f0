"""Comparisons of two curves, or of two points, that the sentences on experiments 1 to 3, 5, 7 and 8 speak of."""

from collections.abc import Iterator

import numpy as np

from empirical.studies.controlled import frontiers
from empirical.studies.controlled.cells import (
    BEST,
    BLOCKS,
    DPO,
    FUDGE,
    HH,
    IPO,
    LENGTH,
    ON_DPO,
    PPO,
    SUMMARY,
    TOKENS,
    Floats,
    Q,
)
from empirical.studies.controlled.quantities import (
    SCORERS,
    TRAINED,
    Data,
    Quantity,
    Resampled,
    less,
    over,
    point_over_point,
    quantity,
)
from empirical.studies.controlled.views import BUDGETS

BLOCKS_Q, DPO_BLOCKS, DPO_BEST = f"{BLOCKS} by {Q}", f"{ON_DPO}{BLOCKS}", f"{ON_DPO}{BEST}"
DIFFERENCES: dict[str, tuple[str, dict[str, tuple[str, tuple[str, ...]]]]] = {
    "length_best_of_less_ppo": (LENGTH, {"": (BEST, (PPO,))}),
    "length_tokens_less_trained": (
        LENGTH,
        {f"{scorer} less {name}": (f"{TOKENS} by {scorer}", (name,)) for scorer in SCORERS for name in TRAINED},
    ),
    "length_blocks_q_less_fudge": (LENGTH, {"": (BLOCKS_Q, (f"{BLOCKS} by {FUDGE}",))}),
    "hh_blocks_less_best_trained": (HH, {scorer: (f"{BLOCKS} by {scorer}", TRAINED) for scorer in SCORERS}),
    "hh_blocks_less_tokens": (
        HH,
        {scorer: (f"{BLOCKS} by {scorer}", (f"{TOKENS} by {scorer}",)) for scorer in SCORERS},
    ),
    "hh_best_of_less_blocks": (HH, {scorer: (BEST, (f"{BLOCKS} by {scorer}",)) for scorer in SCORERS}),
    "summary_blocks_less_ipo": (SUMMARY, {"": (BLOCKS_Q, (IPO,))}),
    "summary_best_of_less_others": (SUMMARY, {name: (BEST, (name,)) for name in (BLOCKS_Q, IPO)}),
    "hh_dpo_blocks_less_dpo": (HH, {"": (DPO_BLOCKS, (DPO,))}),
}
"""name -> (task, item -> (mine, the best of theirs)): the gain of mine less that of theirs at equal KL."""
RATIOS = {
    "length_blocks_over_best_of": (LENGTH, BLOCKS_Q, BEST, {}),
    "length_other_blocks_over_best_of": (LENGTH, BLOCKS_Q, BEST, {"role": "other"}),
    "hh_other_blocks_over_best_of": (HH, BLOCKS_Q, BEST, {"role": "other"}),
    "hh_dpo_blocks_over_dpo_best_of": (HH, DPO_BLOCKS, DPO_BEST, {"value": 4.0}),
}
"""name -> (task, mine, theirs, where): the gain of mine over that of theirs at equal KL."""
POINTS = {
    "length_six_over_fifty": (LENGTH, (BLOCKS_Q, 6), (BEST, 50)),
    "hh_dpo_eight_over_thirty_two": (HH, (DPO_BLOCKS, 8), (BLOCKS_Q, 32)),
}
"""name -> (task, mine, theirs): curves, and the K of one point of each."""


def _differences(name: str) -> Quantity:
    task, items = DIFFERENCES[name]
    return lambda data, law: ((item, less(data, task, law, *pair)) for item, pair in items.items())


def _ratio(name: str) -> Quantity:
    task, mine, theirs, where = RATIOS[name]
    return lambda data, law: iter([("", over(data, task, law, mine, theirs, **where))])


def _points(name: str, what: str) -> Quantity:
    task, mine, theirs = POINTS[name]
    return lambda data, law: iter([("", point_over_point(data, task, law, what, mine, theirs))])


for _name in DIFFERENCES:
    quantity(_name)(_differences(_name))
for _name in RATIOS:
    quantity(_name)(_ratio(_name))
for _name in POINTS:
    for _what in ("gain", "kl"):
        quantity(f"{_name}_{_what}")(_points(_name, _what))


@quantity("hh_tokens_less_best_trained")
def _(data: Data, law: str) -> Iterator[Resampled]:
    for scorer in SCORERS:
        # The sentence asks for a small difference: a large one is planted.
        yield scorer, less(data, HH, law, f"{TOKENS} by {scorer}", TRAINED, planted=1.0)


@quantity("hh_dpo_blocks_less_blocks")
def _(data: Data, law: str) -> Iterator[Resampled]:
    yield "", less(data, HH, law, DPO_BLOCKS, (BLOCKS_Q,), upper=True)


@quantity("length_blocks_less_dpo_best_of")
def _(data: Data, law: str) -> Iterator[Resampled]:
    for K in BUDGETS:  # noqa: N806
        yield f"K = {K}", advantage(data, law, K)


@quantity("length_advantage_per_doubling_of_budget")
def _(data: Data, law: str) -> Iterator[Resampled]:
    found = np.array([advantage(data, law, K) for K in BUDGETS])
    if data.planted:
        found[:] = found[0]
    yield "", frontiers.slope(found, np.log2(BUDGETS).tolist())


def advantage(data: Data, law: str, K: int) -> Floats:  # noqa: N803
    """Blocks of any size less best-of-K on DPO policies of any strength, at one K."""
    theirs = data.curve(LENGTH, law, DPO_BEST, value=float(K))
    ours = theirs if data.planted else data.curve(LENGTH, law, BLOCKS_Q, value=float(K), M=sizes(data, LENGTH))
    return frontiers.compare(ours, theirs, data.counts[LENGTH]).difference


def sizes(data: Data, task: str) -> list[float]:
    """Every size of the blocks of CD-Q."""
    cells = data.cells
    here = (cells.task == task) & (cells.method == BLOCKS) & (cells.scorer == Q) & (cells.role == "own")
    return sorted(set(cells.M[here]))
