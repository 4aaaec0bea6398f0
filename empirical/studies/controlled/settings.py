"""What is drawn for the eight experiments: every policy at every setting of its knobs, for one task."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from empirical.judging.best_of_kl import bound
from empirical.studies.controlled.cells import (
    BLOCKS,
    DPO,
    FUDGE,
    HH,
    LENGTH,
    ON_DPO,
    SUMMARY,
    TOKENS,
    Q,
)
from empirical.studies.controlled.frontiers import LARGEST_KL
from empirical.studies.controlled.sizes import Size

POOL, OPPONENTS = "pool", "opponents"
"""Plain answers of a model: those that best-of-K chooses from, and those that wins are counted against."""
NAMED = {LENGTH: (6,), HH: (32,)}
"""Candidates a block that experiments 1 and 7 name."""


@dataclass(frozen=True)
class Setting:
    """One policy at one setting: see `cells`. The value of lambda is the strength, see `sizes`; None: no such knob."""

    task: str
    method: str
    role: str = "own"
    scorer: str = ""
    knob: str = ""
    value: float | None = None
    M: float | None = None
    weight: float | None = None
    beta: float | None = None

    @property
    def name(self) -> str:
        """Its name in file names and for its randomness."""
        knobs = [f"{key}{value:g}" for key, value in asdict(self).items() if isinstance(value, float)]
        return "-".join(filter(None, [self.task, self.role, self.method.replace(" + ", "+"), self.scorer, *knobs]))

    @property
    def candidates(self) -> int:
        """K, or 1."""
        return int(self.value or 1) if self.knob == "K" else 1

    def columns(self) -> dict[str, Any]:
        """Its columns in `cells`."""
        return {key: float("nan") if value is None else value for key, value in asdict(self).items()}


def settings(task: str, size: Size, policies: Sequence[tuple[str, float]], other: bool) -> Iterator[Setting]:
    """All that is drawn for a task, models of one kind together; best-of-K is taken from the pools afterwards.

    policies: (method, beta) of the trained ones at hand; other: whether there is another base.
    """
    yield from (Setting(task, kind) for kind in (POOL, OPPONENTS))
    yield from _tokens(task, size)
    yield from _blocks(task, size)
    betas = sorted(beta for method, beta in policies if method == DPO)[: size.tuned]
    for method, beta in policies:
        yield Setting(task, method, knob="beta", value=beta)
        if method == DPO and beta in betas and task != SUMMARY:
            yield Setting(task, ON_DPO + POOL, beta=beta)
            if task == HH:
                wanted = more_than_one(size) if beta == middle(betas) else size.budgets
                yield from (
                    Setting(task, ON_DPO + BLOCKS, scorer=Q, knob="K", value=float(K), M=float(size.block), beta=beta)
                    for K in wanted
                )
    if other and task != SUMMARY:
        yield from (Setting(task, kind, role="other") for kind in (POOL, OPPONENTS))
        for K in more_than_one(size):  # noqa: N806
            knobs = {"knob": "K", "value": float(K), "M": float(size.block), "weight": 0.0}
            yield Setting(task, BLOCKS, role="other", scorer=Q, **knobs)


def more_than_one(size: Size) -> list[int]:
    """Every K that chooses."""
    return [K for K in size.K if K > 1]


def count(setting: Setting, size: Size) -> int:
    """Answers to each prompt at a setting."""
    plain = {POOL: size.pool, ON_DPO + POOL: size.pool, OPPONENTS: size.opponents}
    return plain.get(setting.method, size.answers if setting.candidates > 1 else size.single)


def longest(listed: Iterable[Setting], size: Size) -> int:
    """Tokens that are drawn for a task if no answer ends before T_max: what a run costs at most."""
    return size.prompts * size.max_new * sum(count(one, size) * one.candidates for one in listed)


def middle(betas: Sequence[float]) -> float:
    """The beta of which every K is drawn: neither the weakest nor the strongest, if there are three."""
    return float(np.sort(betas)[len(betas) // 2])


def _tokens(task: str, size: Size) -> Iterator[Setting]:
    if task != SUMMARY:
        for scorer in (Q, FUDGE):
            for strength in size.strengths:
                yield Setting(task, TOKENS, scorer=scorer, knob="lambda", value=strength)


def _blocks(task: str, size: Size) -> Iterator[Setting]:
    def made(scorer: str, K: int, M: int, weight: float = 0.0) -> Setting:  # noqa: N803
        return Setting(task, BLOCKS, scorer=scorer, knob="K", value=float(K), M=float(M), weight=weight)

    def within_sight(K: int, M: int) -> bool:  # noqa: N803
        """Whether the bound on its KL, at whole length, is not far beyond what the figures show."""
        return bound(K) * -(-size.max_new // M) <= 1.5 * LARGEST_KL

    # One candidate is plain sampling, whatever the scorer and the block: drawn once, as a check.
    every, others = more_than_one(size), [M for M in size.M if size.block != M]
    yield from (made(Q, K, size.block) for K in sorted({*size.K, *NAMED.get(task, ())}))
    if task == HH:
        yield from (made(Q, K, M) for M in others for K in every if within_sight(K, M))
    if task == LENGTH:
        yield from (made(Q, K, M) for M in others for K in size.budgets if within_sight(K, M))
    if task != SUMMARY:
        yield from (made(FUDGE, K, size.block) for K in every)
    if task == HH:
        yield from (made(FUDGE, K, size.block, weight) for weight in size.weights for K in every)
