"""Every table of the study from its rows: the long table of points, one a figure, the measures and the findings."""

import numpy as np
import pandas as pd

from empirical.intervals import percentiles
from empirical.studies.controlled.cells import FUDGE, TASKS, Q, prompts_of, resamples
from empirical.studies.controlled.measures import findings, measures
from empirical.studies.controlled.other_quantities import REWARD, ranked_rightly
from empirical.studies.controlled.quantities import Data
from empirical.studies.controlled.views import frontier, views

REPORTED = {
    (REWARD, "train"): 0.804,
    (REWARD, "test"): 0.709,
    (FUDGE, "train"): 0.632,
    (FUDGE, "test"): 0.629,
    (Q, "train"): 0.624,
    (Q, "test"): 0.631,
}
"""The paper's Table 1, for comparison only."""


def measured_from(
    cells: pd.DataFrame,
    block: int,
    predictions: pd.DataFrame | None = None,
    pairs: pd.DataFrame | None = None,
    times: int = 1000,
    seed: int = 0,
) -> Data:
    """What the quantities are measured from, with the resamples of every task's prompts."""
    counts = {task: resamples(cells, task, times, seed) for task in TASKS}
    return Data(cells, counts, block, predictions, pairs, seed)


def tables(data: Data) -> dict[str, pd.DataFrame]:
    """cd_frontier, its rows by figure as cd_fig3 to cd_fig12, cd_fig13, cd_table1, cd_measures and cd_findings.

    A figure for which nothing was drawn has no table.
    """
    points = frontier(data.cells, data.block, data.times, data.seed)
    shown = {name: points[points.figure == name] for name in views(data.cells, data.block)}
    made = {"cd_frontier": points} | {name: rows for name, rows in shown.items() if (rows.method != "base").any()}
    if data.predictions is not None:
        made["cd_fig13"] = data.predictions
    if data.pairs is not None:
        made["cd_table1"] = accuracy_table(data)
    measured = measures(data)
    return made | {"cd_measures": measured, "cd_findings": findings(measured, fewest_prompts(data.cells))}


def fewest_prompts(cells: pd.DataFrame) -> int:
    """Prompts of the task that has fewest, of those that were drawn."""
    return min(len(prompts_of(cells, task)) for task in cells.task.unique())


def accuracy_table(data: Data) -> pd.DataFrame:
    """The table cd_table1: method, split, accuracy with its interval over conversations, pairs, reported."""
    assert data.pairs is not None
    rows = []
    for (method, split), reported in REPORTED.items():
        values = ranked_rightly(data, method, split)
        low, high = percentiles(values[1:])
        some = data.pairs[(data.pairs.method == method) & (data.pairs.split == split)]
        figures = {"accuracy": values[0], "low": low, "high": high, "pairs": len(some), "reported": reported}
        rows.append({"method": method, "split": split} | figures)
    return pd.DataFrame([row for row in rows if np.isfinite(row["accuracy"])])
