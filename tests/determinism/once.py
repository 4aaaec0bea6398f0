"""One run of the command line in a process of its own: `python -m tests.determinism.once OUT ROWS ARGUMENTS...`

ROWS: texts a step of every engine, 0 for as many as the preset has. No pictures are drawn: they are made of the tables.
OUT/kernels.json says what the process ran on. The weights of the tiny models are those in OUT's neighbour `models`, put
there by the first run: other kernels would draw other weights, 1e-7 apart, and then nothing could be compared.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

import paper_repro
from empirical import triples
from empirical.presets import Settings
from empirical.studies.controlled import run as controlled_run
from empirical.studies.controlled import sizes as controlled
from empirical.studies.guided import run as guided_run
from empirical.studies.guided import sizes as guided
from tests.determinism.kernels import kernels

KINDS = (Settings, controlled.Size, guided.Size)


def of_rows(rows: int) -> None:
    """Give every size that is there, and every later one, so many rows."""
    for kind in KINDS:
        kind.__init__ = _with_rows(kind.__init__, rows)
    for one in [*vars(controlled).values(), *vars(guided).values()]:
        if isinstance(one, KINDS):
            object.__setattr__(one, "rows", rows)


def _with_rows(init: Callable[..., None], rows: int) -> Callable[..., None]:
    def changed(self: object, *args: object, **kwargs: object) -> None:
        init(self, *args, **kwargs)
        object.__setattr__(self, "rows", rows)  # the sizes are frozen

    return changed


def of_first(kept: Path) -> None:
    """Give all tiny models the weights in `kept`, or keep theirs there."""
    for study in (triples, controlled_run, guided_run):
        study.tiny_triple = with_weights(study.tiny_triple, kept)


def with_weights(made: Callable[..., tuple[Any, ...]], kept: Path) -> Callable[..., tuple[Any, ...]]:
    def tiny_triple(*args: Any) -> tuple[Any, ...]:
        prior, aligned, head = made(*args)
        for model in (prior, aligned):
            file, weights = kept / f"{model.name}.safetensors", model.network.state_dict()
            if file.is_file():
                model.network.load_state_dict(load_file(file))
            else:
                kept.mkdir(parents=True, exist_ok=True)
                save_file({name: weight.cpu() for name, weight in weights.items()}, file)
        return prior, aligned, head

    return tiny_triple


if __name__ == "__main__":
    _, out, rows, *arguments = sys.argv
    Path(out).mkdir(parents=True, exist_ok=True)
    of_first(Path(out).parent / "models")
    Path(out, "kernels.json").write_text(json.dumps(kernels()), encoding="utf-8")
    if int(rows):
        of_rows(int(rows))
    paper_repro.redraw = lambda *_: []
    sys.argv = ["paper_repro.py", *arguments, "--out", out]
    paper_repro.main()
