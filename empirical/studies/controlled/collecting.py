"""From settings to rows: what is missing is drawn, scored and written, one file a setting."""

import hashlib
import json
from pathlib import Path

import pandas as pd
from rich.progress import track

from empirical.models import LanguageModel
from empirical.studies.controlled.answering import Spread, answer, rows_of
from empirical.studies.controlled.cells import DPO, ON_DPO
from empirical.studies.controlled.parts import Parts, Task
from empirical.studies.controlled.settings import POOL, Setting, settings
from empirical.studies.controlled.sizes import Size
from theory.files import replacing

Rows = dict[Setting, pd.DataFrame]


class Models:
    """Which model a setting draws from; the last one that was loaded is kept."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self._key, self._model = parts, "", parts.base

    def of(self, setting: Setting) -> LanguageModel:
        """The base, the other base, or a trained policy."""
        if setting.role == "other":
            source = self.parts.other
        else:
            method = DPO if setting.method.startswith(ON_DPO) else setting.method
            source = self.parts.policies.get((setting.task, method, _beta(setting)))
        if source is None:
            return self.parts.base
        if self._key != source.sha256:
            self._key, self._model = source.sha256, source.load()
        return self._model


def _beta(setting: Setting) -> float:
    return float(setting.columns()["value" if setting.knob == "beta" else "beta"])


def collect(parts: Parts, size: Size, folder: Path) -> tuple[Rows, Spread]:
    """The rows of every setting of every task; those that `folder` holds, of the same models and counts, are read."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp, models = fingerprint(parts, size), Models(parts)
    found, spread = Rows(), Spread()
    for task in parts.tasks:
        for setting in track(_listed(parts, task, size), f"{task.name}: settings", transient=True):
            path = folder / f"controlled-{setting.name}-{stamp}.parquet"
            if not path.is_file():
                model = models.of(setting)
                rows = rows_of(parts, task, setting, model, answer(parts, task, setting, size, model, spread))
                with replacing(path) as temporary:
                    rows.to_parquet(temporary, index=False)
            found[setting] = pd.read_parquet(path)
            if setting == Setting(task.name, POOL):
                spread.learn(task.name, found[setting], size.max_new)
    return found, spread


def _listed(parts: Parts, task: Task, size: Size) -> list[Setting]:
    """The settings of a task for which there is a scorer."""
    every = settings(task.name, size, parts.of_task(task.name), parts.other is not None)
    return [one for one in every if not one.scorer or (task.name, one.scorer) in parts.scorers]


def fingerprint(parts: Parts, size: Size) -> str:
    """What the rows depend on besides their setting: models, heads, prompts, counts and the seed."""
    described = [
        parts.base.sha256,
        [(*key, one.sha256) for key, one in sorted(parts.policies.items())],
        parts.other.sha256 if parts.other else "",
        [[one.name, list(one.prompts), one.reward.describe(), one.judge.describe() if one.judge else ""]
         for one in parts.tasks],
        [size.answers, size.pool, size.opponents, size.max_new, size.seed],
    ]  # fmt: skip
    stamp = hashlib.blake2b(json.dumps(described).encode(), digest_size=6)
    for key in sorted(parts.scorers):
        for name, tensor in sorted(parts.scorers[key].state_dict().items()):
            stamp.update(f"{key} {name}".encode() + tensor.cpu().numpy().tobytes())
    return stamp.hexdigest()
