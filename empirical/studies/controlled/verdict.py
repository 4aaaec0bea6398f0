"""The ledger's entries of the eight experiments and Table 1: every sentence by its registered rule, with evidence."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from empirical.preregistration import CONTROLLED, sentences, summaries
from empirical.studies.controlled.cells import BASE, BEST, BLOCKS, by_prompt, chosen, prompts_of
from empirical.studies.controlled.measures import measures, under
from empirical.studies.controlled.quantities import Data
from empirical.studies.controlled.tables import fewest_prompts
from empirical.studies.entries import Writer
from empirical.studies.verdict import shown
from theory.ledger import Check, Control, Entry, at_most, rejects

FAR = 5.0  # standard errors over prompts: Student with 11 degrees of freedom, three tasks: one run in 800 by chance


def entries(data: Data, measured: pd.DataFrame, scale: str, real: bool) -> list[Entry]:
    """One entry a registered sentence and one an experiment that has several.

    measured: `measures(data)`; scale: what was run, in words; real: False where models are random.
    """
    start, prompts, writer = time.perf_counter(), fewest_prompts(data.cells), Writer("cd", scale, real)
    checks, controls = evidence(data)
    planted = measures(replace(data, planted=True))
    made = []
    for sentence in sentences(CONTROLLED):
        found, slipped = sentence.verdict(measured, prompts), sentence.verdict(planted, prompts)
        control = Control("what must not pass for the favoured curve is called reproduced", slipped != "reproduced")
        other = under(sentence, "estimate")
        also = "" if other == sentence else f". By estimated KLs: {other.verdict(measured, prompts)}"
        here = "; ".join(shown(condition, measured) for condition in sentence.conditions) + also
        made.append(writer.entry(sentence, found, here, checks, [*controls, control], time.perf_counter() - start))
        start = time.perf_counter()
    return [*made, *(writer.summary(one, made) for one in summaries(CONTROLLED))]


def evidence(data: Data) -> tuple[list[Check], list[Control]]:
    """Plain sampling must gain nothing, best-of-K must not lose reward as K grows, and estimated KLs keep to bounds."""
    checks, controls = [], []
    idle, best = _gains(data, BLOCKS, first=True), _gains(data, BEST, first=False)
    if len(idle):
        checks.append(_gains_nothing(idle))
        controls.append(rejects("best-of-K of the largest K taken for plain sampling", _gains_nothing(best)))
    checks.append(
        at_most(
            "the expected reward of best-of-K never falls as K grows",
            oracle="order statistics of one pool",
            residuals=_falls(data),
            tolerance=1e-4,  # rows ship with six decimals
        )
    )
    controls.append(
        rejects(
            "K in the opposite order",
            at_most("", oracle="", residuals=[-fall for fall in _falls(data)], tolerance=1e-4),
        )
    )
    rows = data.cells[data.cells.method.isin((BEST, BLOCKS))]
    over = (rows.kl_estimate - rows.kl_bound).dropna()
    above = "KL by ranks is at most the bound"
    checks.append(at_most(above, oracle="Beirami et al.", residuals=over, tolerance=1e-4))  # six decimals, as above
    return checks, controls


def _gains(data: Data, method: str, first: bool) -> list[float]:
    """(mean gain in reward over prompts) / standard error, of K = 1 or of the largest K, wherever there is one."""
    found = []
    for (task, role), rows in data.cells[data.cells.method == method].groupby(["task", "role"]):
        prompts = prompts_of(data.cells, str(task))
        base = by_prompt(chosen(data.cells, task=task, role=role, method=BASE), "reward", prompts)
        picked = rows[rows.value == (1 if first else rows.value.max())]
        gain = by_prompt(picked[picked.weight.fillna(0) == 0].drop_duplicates("prompt_id"), "reward", prompts) - base
        if len(gain) and len(prompts) > 1:
            found.append(float(gain[0].mean() / (gain[0].std(ddof=1) / np.sqrt(len(prompts)) + 1e-12)))
    return found


def _gains_nothing(scores: Sequence[float]) -> Check:
    return at_most(
        "with one candidate blocks gain nothing, in standard errors over prompts",
        oracle="plain sampling",
        residuals=np.abs(scores),
        tolerance=FAR,
    )


def _falls(data: Data) -> list[float]:
    """How much the mean reward of best-of-K falls from one K to the next."""
    falls = []
    for _, rows in data.cells[data.cells.method == BEST].groupby(["task", "role"]):
        falls += (-np.diff(rows.groupby("value").reward.mean().sort_index())).tolist()
    return falls
