"""How often planted draws are refused and honest ones accepted: the table that the report shows."""

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta, binom

from tests.statistical.randomised import SHARE, Draw, Randomised

REPETITIONS = 3000
"""No miss in as many: the power is .999 or more at 95 %, by Clopper and Pearson."""
COLUMNS = (
    "test", "file", "sample", "planted", "repetitions", "rejected", "lower_bound", "honest", "false_alarms", "seconds",
)  # fmt: skip


def repeated(one: Randomised, draw: Draw, seconds: float, seed: int) -> tuple[int, int, list[ArrayLike]]:
    """How many draws were made and refused in `seconds` of work, REPETITIONS at most, three at least; and their hits.

    Hits: what was drawn, where it counts `trials`.
    """
    stop, made, refused, hits = time.process_time() + seconds, 0, 0, list[ArrayLike]()
    rng = np.random.Generator(np.random.Philox(seed))
    while made < REPETITIONS and (made < 3 or time.process_time() < stop):
        drawn = draw(rng)
        refused += not one.accepts(drawn)
        hits += [drawn] if one.trials else []
        made += 1
    return made, refused, hits


def lower_bound(rejected: int, of: int) -> float:
    """The power is at least this, with confidence 95 %: the one-sided limit of Clopper and Pearson.

    >>> round(lower_bound(3000, 3000), 4)
    0.999
    """
    return float(beta.ppf(0.05, rejected, of - rejected + 1)) if rejected else 0.0


def by_trials(one: Randomised, hits: list[ArrayLike]) -> float:
    """The power is at least this, with confidence 95 %, by the trials inside the draws: k draws of n are k n trials.

    Clopper and Pearson's interval holds a figure's probability q of a hit; P(Bin(n, q) is refused) is summed exactly,
    at its least over the interval. Of several figures the one that is refused most often counts, each at its part of
    the 5 %: where one of them is refused, so is the draw. Trials of several probabilities scatter less about q, their
    mean, than trials of one (Hoeffding 1956), so both steps stand for them.
    """
    counts = np.atleast_2d(np.transpose(hits))  # [figures, draws]
    found = []
    for figure, made in enumerate(counts):
        total, of, tail = int(made.sum()), one.trials * len(made), 0.025 / len(counts)
        low = beta.ppf(tail, total, of - total + 1) if total else 0.0
        high = beta.isf(tail, total + 1, of - total) if total < of else 1.0
        refused = []
        for hit in range(one.trials + 1):
            others = counts[:, 0].copy()
            others[figure] = hit
            p = np.ravel(one.judge(others if len(counts) > 1 else hit))
            refused.append(p[figure] * p.size < SHARE)
        # What is accepted are neighbouring counts, so acceptance has one top in q; a fine grid does not miss it.
        q = np.linspace(low, high, 101)[:, None]
        found.append(float((binom.pmf(np.arange(one.trials + 1), one.trials, q) @ np.array(refused)).min()))
    return max(found)


def rows(one: Randomised, seconds: float) -> Iterator[dict[str, object]]:
    """One row for each wrong version."""
    honest, alarms, _ = repeated(one, one.draw, seconds / 2, 1)
    for number, (effect, wrong) in enumerate(one.planted.items()):
        begun = time.process_time()
        made, rejected, hits = repeated(one, wrong, seconds, 2 + number)
        least = by_trials(one, hits) if one.trials else lower_bound(rejected, made)
        yield {
            "test": one.name,
            "file": one.file,
            "sample": one.sample,
            "planted": effect,
            "repetitions": made,
            "rejected": rejected,
            "lower_bound": f"{np.floor(1e5 * least) / 1e5:.5f}",
            "honest": honest,
            "false_alarms": alarms,
            "seconds": f"{(time.process_time() - begun) / made:.3f}",
        }
