"""The ledger's entries of the guidance study: every sentence by its registered rule, with evidence."""

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from empirical.evidence_task.item import Item, with_evidence
from empirical.models import LanguageModel
from empirical.preregistration import GUIDED, sentences, summaries
from empirical.scored import Floats
from empirical.scoring import score
from empirical.studies.controls import null_control
from empirical.studies.entries import Writer
from empirical.studies.guided.nulls import dealt
from empirical.studies.guided.quantities import Data
from empirical.studies.guided.sizes import FREE, PLAIN
from empirical.studies.verdict import shown
from theory.ledger import Check, Control, Entry, at_most, rejects

ROUNDING = 1e-4  # nats a token: float32 passes with and without a cache


def entries(
    data: Data, measured: pd.DataFrame, rows: pd.DataFrame, prior: LanguageModel, items: Sequence[Item], scale: str,
    real: bool, seed: int,
) -> list[Entry]:  # fmt: skip
    """One entry a sentence and one a summary; scale: what was run, in words; real: False where models are random."""
    start, writer = time.perf_counter(), Writer("chang", scale, real)
    checks, controls = evidence(rows, prior, items)
    nulls, made = dealt(data, seed), []
    for sentence in sentences(GUIDED):
        verdict = sentence.verdict(measured, len(items))
        control = null_control(sentence, nulls, len(items), "the rules' names, and the steps' parts,")
        here = "; ".join(shown(condition, measured) for condition in sentence.conditions)
        made.append(writer.entry(sentence, verdict, here, checks, [*controls, control], time.perf_counter() - start))
        start = time.perf_counter()
    return [*made, *(writer.summary(one, made) for one in summaries(GUIDED))]


def evidence(rows: pd.DataFrame, prior: LanguageModel, items: Sequence[Item]) -> tuple[list[Check], list[Control]]:
    """What the engine recorded of guided answers, against passes over the whole texts; plain answers spend no KL."""
    some = rows[(rows.prior == "intact") & (rows.rule == FREE.name)]
    told = some.log_model.to_numpy() / some.tokens.to_numpy()
    again = _rescored(some, prior, items)
    name = "log P_G of guided answers, a token"
    plain = rows[(rows.prior == "intact") & (rows.rule == PLAIN.name)]
    idle = "without guidance no KL is spent"
    return (
        [
            at_most(name, oracle="a pass over the whole text", residuals=np.abs(told - again), tolerance=ROUNDING),
            # Float64 sums over the vocabulary.
            at_most(idle, oracle="the law itself", residuals=plain.kl, tolerance=1e-9),
        ],
        [
            rejects(
                "answers of other rows",
                at_most(name, oracle="", residuals=np.abs(np.roll(told, 1) - again), tolerance=ROUNDING),
            ),
            rejects("guided answers taken for plain ones", at_most(idle, oracle="", residuals=some.kl, tolerance=1e-9)),
        ],
    )


def _rescored(rows: pd.DataFrame, prior: LanguageModel, items: Sequence[Item]) -> Floats:
    """log P_G(y) / |y| of the rows, by another pass."""
    found = pd.Series(0.0, index=rows.index)
    for item in items:
        some = rows[rows.item == item.id]
        answers = [list(map(int, ids)) for ids in some.token_ids]
        log_p = score(prior, prior.prompt_ids(with_evidence(item)), answers).log_prob.double().cpu().numpy()
        found[some.index] = log_p / some.tokens
    return found.to_numpy()
