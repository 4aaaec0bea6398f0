"""One run of the command line in a process of its own: `python -m tests.determinism.once OUT ROWS ARGUMENTS...`

ROWS: texts a step of every engine, 0 for as many as the preset has. No pictures are drawn: they are made of the tables.
OUT/kernels.json says what the process ran on.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import paper_repro
from empirical.presets import Settings
from empirical.studies.controlled import sizes as controlled
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


if __name__ == "__main__":
    _, out, rows, *arguments = sys.argv
    Path(out).mkdir(parents=True, exist_ok=True)
    Path(out, "kernels.json").write_text(json.dumps(kernels()), encoding="utf-8")
    if int(rows):
        of_rows(int(rows))
    paper_repro.redraw = lambda *_: []
    sys.argv = ["paper_repro.py", *arguments, "--out", out]
    paper_repro.main()
