"""From settings to rows: what is missing is drawn, scored and written, one file a setting."""

import hashlib
import json
from pathlib import Path

import pandas as pd
from rich.progress import track

from empirical.models import LanguageModel
from empirical.sealed import rows_kept
from empirical.studies.controlled.answering import Spread, answer, rows_of
from empirical.studies.controlled.cells import DPO, ON_DPO
from empirical.studies.controlled.parts import Parts, Source, Task
from empirical.studies.controlled.settings import POOL, Setting, count, settings
from empirical.studies.controlled.sizes import Size

Rows = dict[Setting, pd.DataFrame]


class Models:
    """Which model a setting draws from; the last one that was loaded is kept."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self._key, self._model = parts, "", parts.base

    def of(self, setting: Setting) -> LanguageModel:
        """The base, the other base, or a trained policy."""
        source = source_of(self.parts, setting)
        if source is None:
            return self.parts.base
        if self._key != source.sha256:
            self._key, self._model = source.sha256, source.load()
        return self._model


def source_of(parts: Parts, setting: Setting) -> Source | None:
    """The model that a setting draws from where it is not the base."""
    if setting.role == "other":
        return parts.other
    method = DPO if setting.method.startswith(ON_DPO) else setting.method
    return parts.policies.get((setting.task, method, _beta(setting)))


def _beta(setting: Setting) -> float:
    return float(setting.columns()["value" if setting.knob == "beta" else "beta"])


def collect(parts: Parts, size: Size, folder: Path) -> tuple[Rows, Spread]:
    """The rows of every setting of every task; those that `folder` holds, of the same models and counts, are read."""
    folder.mkdir(parents=True, exist_ok=True)
    models = Models(parts)
    found, spread = Rows(), Spread()
    for task in parts.tasks:
        for setting in track(_listed(parts, task, size), f"{task.name}: settings", transient=True):
            path = folder / f"controlled-{setting.name}-{fingerprint(parts, task, setting, size)}.parquet"

            def rows(task: Task = task, setting: Setting = setting) -> pd.DataFrame:
                model = models.of(setting)
                return rows_of(parts, task, setting, model, answer(parts, task, setting, size, model, spread))

            found[setting] = rows_kept(path, rows)
            if setting == Setting(task.name, POOL):
                spread.learn(task.name, found[setting], size.max_new)
    return found, spread


def _listed(parts: Parts, task: Task, size: Size) -> list[Setting]:
    """The settings of a task for which there is a scorer."""
    every = settings(task.name, size, parts.of_task(task.name), parts.other is not None)
    return [one for one in every if not one.scorer or (task.name, one.scorer) in parts.scorers]


def fingerprint(parts: Parts, task: Task, setting: Setting, size: Size) -> str:
    """What a setting's rows depend on besides its name: its own models and heads, prompts, counts and the seed."""
    source = source_of(parts, setting)
    described = [
        parts.base.sha256,
        source.sha256 if source else "",
        list(task.prompts), task.reward.describe(), task.judge.describe() if task.judge else "",
        [count(setting, size), size.pool, size.max_new, size.seed],  # the pool sets lambda's and the weights' units
    ]  # fmt: skip
    stamp = hashlib.blake2b(json.dumps(described).encode(), digest_size=6)
    if setting.scorer:
        for name, tensor in sorted(parts.scorers[task.name, setting.scorer].state_dict().items()):
            stamp.update(name.encode() + tensor.cpu().numpy().tobytes())
    return stamp.hexdigest()
