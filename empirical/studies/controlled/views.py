"""Which curves each figure shows, and the long table of all their points: `cd_frontier`, with intervals by prompt."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from empirical.intervals import percentiles
from empirical.studies.controlled.cells import (
    BASE,
    BEST,
    BLOCKS,
    DPO,
    FUDGE,
    HH,
    IPO,
    LENGTH,
    ON_DPO,
    PPO,
    SELECTING,
    SETTING,
    SUMMARY,
    TOKENS,
    Floats,
    Q,
    chosen,
    prompts_of,
    resamples,
)

Wanted = dict[str, Any]
BUDGETS = (4, 8, 16)
"""K of experiment 8."""
KINDS = {"bound": "kl_bound", "estimate": "kl_estimate", "exact": "kl_bound"}


@dataclass(frozen=True)
class View:
    """A figure of the paper: its experiment, its task, and the curves in it (columns of `cells` and their values)."""

    experiment: str
    task: str
    curves: tuple[Wanted, ...]


def tuned(cells: pd.DataFrame, task: str) -> float:
    """beta of the DPO policy that blocks were drawn from at most settings; NaN if from none."""
    rows = chosen(cells, task=task, method=ON_DPO + BLOCKS)
    settings = rows.groupby("beta").value.nunique()
    return float(settings.idxmax()) if len(settings) else float("nan")


def views(cells: pd.DataFrame, block: int) -> dict[str, View]:
    """The ten figures of curves, with blocks of `block` tokens unless a figure is about their size."""
    trained = ({"method": PPO}, {"method": DPO}, {"method": IPO})
    learned = [{"method": TOKENS, "scorer": scorer} for scorer in (Q, FUDGE)]
    learned += [{"method": BLOCKS, "scorer": scorer, "M": block, "weight": 0.0} for scorer in (Q, FUDGE)]
    blocks, best = learned[2], {"method": BEST}
    other = tuple({**one, "role": "other"} for one in (blocks, best))
    on_dpo = {"method": ON_DPO + BLOCKS, "scorer": Q, "beta": tuned(cells, HH)}
    at_budget = tuple({"method": BLOCKS, "scorer": Q, "weight": 0.0, "value": float(K)} for K in BUDGETS)
    on_dpo_at_budget = tuple({"method": ON_DPO + BEST, "value": float(K)} for K in BUDGETS)
    four = tuple({"method": ON_DPO + rule, "value": 4.0} for rule in (BLOCKS, BEST))
    return {
        "cd_fig3": View("1", LENGTH, (*learned, best, *trained)),
        "cd_fig4": View("2", HH, (*learned, best, *trained)),
        "cd_fig5": View("3", SUMMARY, (blocks, best, {"method": IPO})),
        "cd_fig6": View("4", HH, ({"method": BLOCKS, "scorer": FUDGE, "M": block},)),
        "cd_fig7": View("5", LENGTH, other),
        "cd_fig8": View("5", HH, other),
        "cd_fig9": View("6", HH, ({"method": BLOCKS, "scorer": Q, "weight": 0.0},)),
        "cd_fig10": View("7", HH, (blocks, {"method": DPO}, on_dpo)),
        "cd_fig11": View("8", LENGTH, (*at_budget, *on_dpo_at_budget)),
        "cd_fig12": View("8", HH, four),
    }


def frontier(cells: pd.DataFrame, block: int, times: int, seed: int) -> pd.DataFrame:
    """The table cd_frontier: one row a point of a figure and a way of counting its KL.

    figure, experiment; what `cells` says of a setting; kl_kind: exact, bound or estimate; kl (nats), reward, win_rate
    and tokens, each with low and high (95 %, over prompts); prompts, answers (of all prompts). The base has a row in
    each figure.
    """
    drawn = {task: resamples(cells, task, times, seed) for task in set(cells.task)}
    rows = []
    for figure, view in views(cells, block).items():
        roles = {one.get("role", "own") for one in view.curves}
        for wanted in ({"method": BASE, "role": min(roles)}, *view.curves):
            some = chosen(cells, task=view.task, **wanted)
            points = _points(some, prompts_of(cells, view.task), drawn.get(view.task, np.empty((0, 0))))
            rows += [{"figure": figure, "experiment": view.experiment, **point} for point in points]
    return pd.DataFrame(rows)


def _points(rows: pd.DataFrame, prompts: list[str], counts: Floats) -> Iterator[dict[str, Any]]:
    for _, point in rows.groupby(list(SETTING), dropna=False, sort=True):
        if sorted(point.prompt_id) != prompts:
            raise ValueError("every point of a figure needs every prompt once; the rows at hand are incomplete.")
        point = point.sort_values("prompt_id")
        setting = point.iloc[0][list(SETTING)].to_dict()
        gauged = {
            name: _interval(point[column].to_numpy(float), counts)
            for name, column in (("reward", "reward"), ("win_rate", "win"), ("tokens", "tokens"))
        }
        kinds = ("bound", "estimate") if setting["method"] in SELECTING else ("exact",)
        for kind in kinds:
            kl = _interval(point[KINDS[kind]].to_numpy(float), counts)
            figures = {f"{name}{end}": x for name, three in {"kl": kl, **gauged}.items() for end, x in three.items()}
            sizes = {"prompts": len(prompts), "answers": int(point.answers.sum())}
            yield {**setting, "kl_kind": kind, **_renamed(figures), **sizes}


def _interval(values: Floats, counts: Floats) -> dict[str, float]:
    low, high = percentiles(counts @ values / counts.sum(axis=1))
    return {"": float(values.mean()), "_low": low, "_high": high}


def _renamed(figures: dict[str, float]) -> dict[str, float]:
    """win_rate_low is called win_low."""
    return {name.replace("win_rate_", "win_"): value for name, value in figures.items()}
