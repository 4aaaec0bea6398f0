"""Randomised tests: what is drawn, what judges it, and what a wrong version would draw.

All of the suite's together raise a false alarm with probability at most BUDGET over the choice of their seeds: each of
at most MOST has an equal SHARE, and splits it equally among the p-values that it looks at (the union bound). P-values
are those of `p_values`, right at every sample size. How often the wrong versions are refused is measured by
`python -m tests.statistical --store`.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

BUDGET = 1e-6
MOST = 100
SHARE = BUDGET / MOST
"""The size of every test."""
SEED = 2311
ROOT = Path(__file__).parents[2]
REGISTRY: dict[tuple[str, str], "Randomised"] = {}

Draw = Callable[[np.random.Generator], Any]


@dataclass(frozen=True, eq=False)
class Randomised:
    """One randomised test: declared at the top of a test file, and held by one of its test functions.

    module: `__name__`; judge: what was drawn -> p-values; planted: what is wrong -> the draw of that wrong version;
    sample: how much one draw holds, and which p-value judges it; trials: where each figure that is drawn counts hits
    among so many independent trials of one probability, how many.
    """

    module: str
    name: str
    draw: Draw
    judge: Callable[[Any], Any]
    planted: Mapping[str, Draw]
    sample: str
    trials: int = 0

    def __post_init__(self) -> None:
        key = (self.module, self.name)
        if key in REGISTRY or not self.planted:
            raise ValueError(f"{key} is declared twice, or nothing is planted")
        REGISTRY[key] = self

    @property
    def file(self) -> str:
        """The test file that declares it."""
        return f"{self.module.replace('.', '/')}.py"

    def accepts(self, drawn: Any) -> bool:
        """No p-value is below its part of the share."""
        p = np.ravel(self.judge(drawn))
        if not (p.size and np.all((p >= 0) & (p <= 1))):
            raise ValueError(f"{self.name}: {p} are no p-values")
        return bool(p.min() * p.size >= SHARE)

    def hold(self) -> None:
        """Raise AssertionError unless an honest draw is accepted and every planted one refused, from a fixed seed."""
        assert self.accepts(self.draw(np.random.default_rng(SEED))), f"{self.name}: refused"
        for effect, wrong in self.planted.items():
            assert not self.accepts(wrong(np.random.default_rng(SEED))), f"{self.name}: accepted although {effect}"


def files() -> list[Path]:
    """The test files that declare randomised tests."""
    line = "\nfrom tests.statistical.randomised import Randomised"
    return [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if line in path.read_text(encoding="utf-8")]


def declared() -> list[Randomised]:
    """All randomised tests of the suite."""
    for path in files():
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return [REGISTRY[key] for key in sorted(REGISTRY) if key[0].startswith("tests.")]
