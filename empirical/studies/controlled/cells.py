"""The study's rows: what a policy did at one setting on one prompt, as means over its answers.

COLUMNS. task: length, hh or summary. role: own (the base that the scorers were trained on) or other; base: its name.
method, scorer, and the setting: knob (lambda, K or beta) at `value`, and M, weight (of the length's scorer), beta (of
the DPO policy underneath), NaN where a method has none. prompt_id, answers. In nats an answer: kl_bound and
kl_estimate, equal where the KL is exact (see `controlled.toml`), and kl_sum, the KLs of a policy and of what selects
from it added up as the paper does. Means over the answers: reward (the task's), win (against answers of the base, by
the judge, half credit for ties), tokens.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from empirical.intervals import resampled
from empirical.studies.controlled.frontiers import Curve, Floats

TASKS = ("length", "hh", "summary")
LENGTH, HH, SUMMARY = TASKS
METRIC = {LENGTH: "reward", HH: "win", SUMMARY: "win"}
"""What the paper draws against KL."""
BASE, TOKENS, BLOCKS, BEST, PPO, DPO, IPO = "base", "tokenwise", "blockwise", "best-of-K", "PPO", "DPO", "IPO"
ON_DPO = "DPO + "
SELECTING = (BLOCKS, BEST, ON_DPO + BLOCKS, ON_DPO + BEST)
"""Methods that select among candidates: their KL is bounded, or estimated; all others' is exact, step by step."""
Q, FUDGE = "CD-Q", "CD-FUDGE"
SETTING = ("task", "role", "base", "method", "scorer", "knob", "value", "M", "weight", "beta")
MEASURED = ("kl_bound", "kl_estimate", "kl_sum", "reward", "win", "tokens")
COLUMNS = (*SETTING, "prompt_id", "answers", *MEASURED)
LAWS = {"bound": "kl_bound", "estimate": "kl_estimate"}


def cells_of(setting: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows of one policy at one setting, from what was measured on each prompt."""
    blank = {"role": "own", "scorer": "", "knob": "", "value": np.nan, "M": np.nan, "weight": np.nan, "beta": np.nan}
    return pd.DataFrame([{**blank, "kl_sum": np.nan, **setting, **row} for row in rows])[list(COLUMNS)]


def chosen(cells: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    """The rows whose columns have the wanted values, or one of the wanted values; the study's own base unless asked."""
    keep = np.ones(len(cells), dtype=bool)
    for column, value in {"role": "own", **wanted}.items():
        values = value if isinstance(value, list | tuple) else [value]
        keep &= cells[column].isin(values).to_numpy()
    return cells[keep]


def prompts_of(cells: pd.DataFrame, task: str) -> list[str]:
    """The prompts of a task, in a fixed order."""
    return sorted(cells.prompt_id[cells.task == task].unique())


def by_prompt(rows: pd.DataFrame, column: str, prompts: list[str]) -> Floats:
    """A column as [settings, prompts], settings by their knob; raises ValueError unless each has every prompt once.

    No rows give [0, prompts].
    """
    keys = ["value", "M", "weight", "beta"]
    if rows.empty:
        return np.empty((0, len(prompts)))
    names = rows.prompt_id.to_numpy(str)
    order = np.lexsort([names, *(rows[key].to_numpy(float) for key in reversed(keys))])  # NaN comes last
    if len(rows) % len(prompts) or (names[order].reshape(-1, len(prompts)) != np.array(prompts)).any():
        raise ValueError("every setting of a curve needs every prompt once; the rows at hand are incomplete.")
    return rows[column].to_numpy(float)[order].reshape(-1, len(prompts))


def curve(cells: pd.DataFrame, metric: str, law: str, **wanted: Any) -> Curve:
    """The curve of the chosen rows: KL as the law counts it, gain = metric less the base's on the same prompt."""
    rows, prompts = chosen(cells, **wanted), prompts_of(cells, wanted["task"])
    here = {"task": wanted["task"], "role": wanted.get("role", "own"), "method": BASE}
    return Curve(
        by_prompt(rows, LAWS[law], prompts),
        by_prompt(rows, metric, prompts) - by_prompt(chosen(cells, **here), metric, prompts),
    )


def resamples(cells: pd.DataFrame, task: str, times: int, seed: int) -> Floats:
    """How often each prompt of a task is drawn in each resample: [times, P], the same for all of its curves."""
    rng, count = np.random.default_rng([seed, TASKS.index(task)]), len(prompts_of(cells, task))
    return resampled(rng, count, times) if count else np.empty((times, 0))
