"""How often planted draws are refused and honest ones accepted: the table that the report shows."""

import csv
import io
import time
from collections.abc import Iterator

import numpy as np
from scipy.stats import beta

from tests.statistical.randomised import Draw, Randomised

REPETITIONS = 3000
"""No miss in as many: the power is .999 or more at 95 %, by Clopper and Pearson."""
COLUMNS = (
    "test", "file", "sample", "planted", "repetitions", "rejected", "lower_bound", "honest", "false_alarms", "seconds",
)  # fmt: skip


def repeated(one: Randomised, draw: Draw, seconds: float, seed: int) -> tuple[int, int]:
    """How many draws were made and refused in `seconds` of work: REPETITIONS at most, three at least."""
    stop, made, refused = time.process_time() + seconds, 0, 0
    rng = np.random.Generator(np.random.Philox(seed))
    while made < REPETITIONS and (made < 3 or time.process_time() < stop):
        refused += not one.accepts(draw(rng))
        made += 1
    return made, refused


def lower_bound(rejected: int, of: int) -> float:
    """The power is at least this, with confidence 95 %: the one-sided limit of Clopper and Pearson.

    >>> round(lower_bound(3000, 3000), 4)
    0.999
    """
    return float(beta.ppf(0.05, rejected, of - rejected + 1)) if rejected else 0.0


def rows(one: Randomised, seconds: float) -> Iterator[dict[str, object]]:
    """One row for each wrong version."""
    honest, alarms = repeated(one, one.draw, seconds / 2, 1)
    for number, (effect, wrong) in enumerate(one.planted.items()):
        begun = time.process_time()
        made, rejected = repeated(one, wrong, seconds, 2 + number)
        yield {
            "test": one.name,
            "file": one.module.replace(".", "/") + ".py",
            "sample": one.sample,
            "planted": effect,
            "repetitions": made,
            "rejected": rejected,
            "lower_bound": f"{np.floor(1e5 * lower_bound(rejected, made)) / 1e5:.5f}",
            "honest": honest,
            "false_alarms": alarms,
            "seconds": f"{(time.process_time() - begun) / made:.3f}",
        }


def table(found: list[dict[str, object]]) -> str:
    """The rows as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()
