"""The eight experiments of Mudgal et al. (later version) in an exact world: which of their findings hold there.

Every rule was in code before the experiments were first run whole (`toy.findings`), though not before rows of the
exact scorer had been seen; its margin is >= 0 where the finding holds. Each row has a planted table on which the rule
must come out the other way (`toy.outcomes`).
"""

from functools import cache

import numpy as np
import pandas as pd

from theory.ledger import Check, Evidence, at_least, at_most, claim, rejects
from toy.comparisons import Points
from toy.controlled import run
from toy.findings import FINDINGS, Finding
from toy.outcomes import OUTCOMES, Outcome

SEED = 0
CUT = 1e-9
"""Rounding of a margin; those that decide a verdict here are a million times as large."""


@cache
def tables() -> dict[str, pd.DataFrame]:
    """The tables of the default run, made once for all rows."""
    return run(SEED)


def _decided(finding: Finding, outcome: Outcome, points: Points, name: str) -> Check:
    margin = finding.margin(points, tables()["toy_controlled_scorers"])
    oracle = "exact measures of every rule"
    if outcome.verdict == "reproduced":
        return at_least(name, oracle=oracle, margins=[margin], tolerance=0.0)
    return at_most(name, oracle=oracle, residuals=[margin], tolerance=-CUT)


def _register(finding: Finding, outcome: Outcome) -> None:
    @claim(
        f"cd.toy.{finding.id}",
        paper="cd",
        where=f"later version, section 5, experiment {finding.experiment}"
        if finding.experiment.isdigit()
        else "later version, section 7",
        kind="experiment",
        statement=finding.statement,
        verdict=outcome.verdict,
        assumptions=f"An exact letter model of English phrases instead of PaLM 2. {outcome.note}".strip(),
    )
    def evidence(_: np.random.Generator) -> Evidence:
        points = tables()["toy_controlled_points"]
        sense = "slack of" if outcome.verdict == "reproduced" else "slack (negative: it fails) of"
        yield _decided(finding, outcome, points, f"{sense}: {finding.rule}")
        yield rejects(
            "a table planted to come out the other way", _decided(finding, outcome, outcome.plant(points), "")
        )


for _finding in FINDINGS.values():
    _register(_finding, OUTCOMES[_finding.id])


@claim(
    "cd.toy.frontier",
    paper="cd",
    where="section 2 and the remark that sequence-level RL is less restrictive",
    kind="optimum",
    statement="In the exact world p e^(λr)/Z is the frontier of E r against KL, λ E r − KL = log E_p e^(λr), and no "
    "rule, learned or exact, tokenwise, blockwise or trained, lies above it.",
    verdict="holds",
)
def frontier(_: np.random.Generator) -> Evidence:
    """The certificate of every exact curve, and every point of every rule against it."""
    optimum, points = tables()["toy_controlled_frontier"], tables()["toy_controlled_points"]
    # KL and lambda E r are some 10 nats, sums over 32 steps: a few dozen roundings of 1e-15 each.
    name, oracle = "duality gap, nats", "log E_p e^(λr) by backward induction"
    gap = optimum["primal"] - optimum["dual"]
    yield at_most(name, oracle=oracle, residuals=np.abs(gap), tolerance=1e-12)
    tilted = optimum["lam"] * optimum["reward_mean"] - 1.001 * optimum["kl"] - optimum["dual"]
    yield rejects("a KL a thousandth larger", at_most(name, oracle=oracle, residuals=np.abs(tilted), tolerance=1e-12))
    # R* comes from a root in lambda whose error enters at second order.
    name, oracle = "distance from the frontier of the law of r", "tilted law of r"
    off = np.abs(optimum["reward_mean"] - optimum["optimum"])
    yield at_most(name, oracle=oracle, residuals=off, tolerance=1e-10)
    above = points["reward_mean"] - points["optimum"]
    yield at_most("no rule lies above", oracle="duality", residuals=above, tolerance=1e-10)
    token = points[points["method"] == "tokenwise"]
    off = np.abs(token["reward_mean"] - token["optimum"])
    yield rejects("tokenwise V* taken for the optimum", at_most(name, oracle=oracle, residuals=off, tolerance=1e-10))


@claim(
    "cd.toy.block_bound",
    paper="cd",
    where="first version, Equation 8 and below; later version, section 4.4",
    kind="bound",
    statement="KL of blockwise best-of-K. Printed first: at most f_K ⌈E_p|y|/M⌉, f_K = log K − (K−1)/K. Corrected, as "
    "the later version has it: at most f_K E_π⌈|y|/M⌉.",
    verdict="erratum",
    assumptions="Exact scorers or learned ones, blocks drawn from the base or from a DPO policy.",
)
def block_bound(_: np.random.Generator) -> Evidence:
    """Both forms at every point of the world."""
    rows = tables()["toy_controlled_points"].dropna(subset=["bound"])
    first = (rows["kl_blocks"] - rows["bound_first"]).max()
    # A whole nat: control makes answers three times as long as the base's, so that pi and p differ at once.
    yield at_least("printed: largest excess over it, nats", oracle="exact KL", margins=[first], tolerance=1.0)
    name = "corrected: excess over it, nats"
    yield at_most(name, oracle="exact KL", residuals=rows["kl_blocks"] - rows["bound"], tolerance=1e-12)
    wrong = rows["kl_blocks"] - rows["bound_first"]
    yield rejects("the length under p", at_most(name, oracle="exact KL", residuals=wrong, tolerance=1e-12))
