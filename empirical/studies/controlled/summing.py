"""From rows to cells: means over a prompt's answers, KLs by bound and estimate, best-of-K from the pools."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from empirical.judging.best_of_kl import bound, by_ranks, winning_odds
from empirical.judging.block_kl import block_bound, drift
from empirical.judging.win_rates import pair_wins
from empirical.progress import counted
from empirical.prompts import prompt_id
from empirical.scored import Floats
from empirical.studies.controlled.answering import Spread
from empirical.studies.controlled.cells import BASE, BEST, BLOCKS, DPO, ON_DPO, TOKENS, cells_of
from empirical.studies.controlled.collecting import Rows
from empirical.studies.controlled.parts import Parts, Task
from empirical.studies.controlled.settings import OPPONENTS, POOL, Setting
from empirical.studies.controlled.sizes import Size

Cell = dict[str, Any]


def cells_from(rows: Rows, parts: Parts, size: Size, spread: Spread) -> pd.DataFrame:
    """The table of cells, see `empirical.studies.controlled.cells`."""
    tasks = {task.name: task for task in parts.tasks}
    frames = []
    for setting, drawn in counted(rows.items(), "settings summed up"):
        if setting.method == OPPONENTS:
            continue
        task, against = tasks[setting.task], rows[Setting(setting.task, OPPONENTS, setting.role)]
        about = {"base": parts.other.name if setting.role == "other" and parts.other else parts.base.name}
        for columns, cells in _cells(setting, drawn, against, rows, task, size, spread):
            frames.append(cells_of(columns | about, cells))
    return pd.concat(frames, ignore_index=True)


def _cells(
    setting: Setting, drawn: pd.DataFrame, against: pd.DataFrame, rows: Rows, task: Task, size: Size, spread: Spread
) -> Iterator[tuple[Cell, list[Cell]]]:
    """The columns and the cells of a setting, or of every K of a pool."""
    columns = setting.columns()
    if setting.method == POOL:
        plain = {"kl_bound": 0.0, "kl_estimate": 0.0}
        yield columns | {"method": BASE}, [_means(one, its, task) | plain for one, its in _paired(drawn, against)]
    if setting.method in (POOL, ON_DPO + POOL):
        tuned = setting.method != POOL
        for K in sorted({*size.K_answers, *(size.budgets if tuned else ())}):  # noqa: N806
            if not tuned or K in size.budgets:
                method = ON_DPO + BEST if tuned else BEST
                cells = [_best(one, its, task, K, tuned) for one, its in _paired(drawn, against)]
                yield columns | {"method": method, "knob": "K", "value": float(K)}, _summed(cells, setting, rows)
        return
    if setting.method == TOKENS:
        columns["value"] = spread.strength(task.name, setting.value or 0.0)
    cells = [_means(one, its, task) | _kl(one, setting) for one, its in _paired(drawn, against)]
    yield columns, _summed(cells, setting, rows)


def _paired(drawn: pd.DataFrame, against: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Each prompt's answers, and those of the base that they meet."""
    theirs = dict(list(against.groupby("prompt")))
    yield from ((one, theirs[number]) for number, one in drawn.groupby("prompt", sort=True))


def _means(one: pd.DataFrame, against: pd.DataFrame, task: Task, odds: Floats | None = None) -> Cell:
    """Means over a prompt's answers, each weighed by `odds` if they are given."""
    share = np.full(len(one), 1 / len(one)) if odds is None else odds
    wins = [pair_wins(np.array([score]), against.judged.to_numpy()) for score in one.judged]
    return {
        "prompt_id": prompt_id(task.prompts[int(one.prompt.iloc[0])]),
        "answers": len(one),
        "reward": float(share @ one.reward),
        "win": float(share @ wins) if task.judge is not None else np.nan,
        "tokens": float(share @ one.token_ids.map(len)),
    }


def _best(one: pd.DataFrame, against: pd.DataFrame, task: Task, K: int, tuned: bool) -> Cell:  # noqa: N803
    """Best-of-K of a prompt's pool: every answer by how often it is the best of K drawn without replacement."""
    reward = one.reward.to_numpy()
    odds = winning_odds(reward, K)
    moved = drift(one.log_model.to_numpy(), one.log_prior.to_numpy(), odds) if tuned else 0.0
    kls = {"kl_bound": bound(K) + moved, "kl_estimate": by_ranks(reward, K) + moved}
    return _means(one, against, task, odds) | kls | {"selection": bound(K)}


def _kl(one: pd.DataFrame, setting: Setting) -> Cell:
    """A setting's KL to the base: exact steps, or blocks' bound and estimate and, on a policy d, E log d / p."""
    if setting.method.removeprefix(ON_DPO) != BLOCKS:
        kl = float(one.kl.mean())
        return {"kl_bound": kl, "kl_estimate": kl}
    assert setting.M is not None, "blocks have a size"
    spent = block_bound(one.token_ids.map(len), int(setting.M), setting.candidates)
    tuned = setting.method.startswith(ON_DPO)
    moved = drift(one.log_model.to_numpy(), one.log_prior.to_numpy()) if tuned else 0.0
    return {"kl_bound": spent + moved, "kl_estimate": float(one.kl_blocks.mean()) + moved, "selection": spent}


def _summed(cells: list[Cell], setting: Setting, rows: Rows) -> list[Cell]:
    """On a DPO policy, what the paper adds up: the bound of the selection and the policy's own KL to the base."""
    if setting.method.startswith(ON_DPO):
        own = rows[Setting(setting.task, DPO, knob="beta", value=setting.beta)].groupby("prompt").kl.mean()
        cells = [cell | {"kl_sum": cell["selection"] + kl} for cell, kl in zip(cells, own.sort_index(), strict=True)]
    return [{key: value for key, value in cell.items() if key != "selection"} for cell in cells]
