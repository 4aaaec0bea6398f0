"""Null data of the guidance study: no rule differs from another, nor a step from its neighbours; all else stays."""

from dataclasses import replace

import numpy as np
import pandas as pd

from empirical.studies.controls import DEALT, DEALT_RESAMPLES
from empirical.studies.guided.cells import RULE
from empirical.studies.guided.quantities import Data, measures


def dealt(data: Data, seed: int) -> list[pd.DataFrame]:
    """Measures of null data: the rules' names dealt out at random within each item, and the parts within its steps."""
    rng = np.random.default_rng([seed, 4])
    few = replace(data, counts=data.counts[: DEALT_RESAMPLES + 1])
    return [
        measures(replace(few, cells=_dealt(data.cells, list(RULE), rng), steps=_dealt(data.steps, ["part"], rng)))
        for _ in range(DEALT)
    ]


def _dealt(table: pd.DataFrame, columns: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """The table with the rows of `columns`, together, in another order within each item."""
    from_row = np.arange(len(table))
    for rows in table.reset_index(drop=True).groupby("item").indices.values():
        from_row[rows] = rng.permutation(rows)
    return table.assign(**{name: table[name].to_numpy()[from_row] for name in columns})
