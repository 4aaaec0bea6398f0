"""One row of the page's ledger: a ledger entry and what belongs to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

import theory.claims  # noqa: F401 (fills the ledger)
import toy.claims  # noqa: F401
from figures.report.formulas import rendered
from figures.report.numbers import beside, measured, within
from theory.ledger import REGISTRY

ROOMS = {"theory": "mathematics", "toy": "exact worlds", "empirical": "real models"}
FIGURES = {
    "chang.thm3.1-literal": ("anti_attribution",),
    "chang.toy.anti-attribution": ("anti_attribution",),
    "chang.toy.attribution-literal": ("anti_attribution",),
    "chang.toy": ("evidence",),
    "chang.emp.relevance": ("chang_relevance",),
    "chang.emp": ("chang_tradeoffs",),
    "cd.toy": ("controlled_findings", "controlled"),
    "cd.toy.scorer-learning": (),
    "cd.toy.policy-learning": (),
    "cd.exp1": ("cd_fig3",),
    "cd.exp1.fudge": ("cd_fig13", "cd_fig3"),
    "cd.exp2": ("cd_fig4",),
    "cd.exp3": ("cd_fig5",),
    "cd.exp4": ("cd_fig6",),
    "cd.exp5": ("cd_fig7", "cd_fig8"),
    "cd.exp5.length": ("cd_fig7",),
    "cd.exp5.hh": ("cd_fig8",),
    "cd.exp6": ("cd_fig9",),
    "cd.exp7": ("cd_fig10",),
    "cd.exp8": ("cd_fig11", "cd_fig12"),
    "cd.exp8.dpo": ("cd_fig12",),
    "cd.table1": ("cd_table1",),
    "tan.fig1": ("tan_fig1",),
    "tan.toy.claim": ("tan_fig1",),
    "tan.fig2": ("tan_fig2",),
    "tan.sec6-7": ("tan_fig2", "tan_fig3", "tan_decomposition"),
    "tan.emp": ("tan_fig2", "tan_decomposition"),
    "tan.emp.dpo": ("tan_fig3",),
    "tan.emp.secret": ("tan_fig3", "tan_adapters"),
    "tan.emp.prediction": ("tan_prediction",),
    "tan.eq1-2": ("tan_adapters",),
    "tan.toy.temperature-regimes": ("adaptor_control",),
    "tan.toy.moves": ("adaptor_control",),
    "tan.toy.slope": ("adaptor_control",),
    "tan.temp-control": ("adaptor_control",),
    "tan.slope": ("adaptor_control",),
    "tan.toy.local-global": ("normalisation",),
    "tan.local_nontight": ("normalisation",),
    "tan.always_tight": ("normalisation",),
    "tan.eq11": ("concentration",),
    "tan.thm2": ("concentration",),
    "tan.tighter": ("concentration",),
    "new.concentration": ("concentration",),
    "new.tail-estimates": ("concentration",),
    "tan.toy.phase-diagram": ("reversal",),
    "tan.toy.unrelated-reward": ("reversal",),
    "new.collider": ("reversal",),
    "new.pooling-law": ("reversal",),
    "tan.sec5.3": ("reversal",),
    "tan.prop1-reading": ("reversal",),
    "tan.toy.tilts": ("tilts",),
    "tan.toy.causal-bootstrap": ("tilts",),
}
"""Prefix of claims -> the figures that show them; the longest prefix decides."""


@dataclass(frozen=True)
class Row:
    """A ledger entry with its room, formulas, figures, measured numbers, command and smallest counter-example."""

    entry: Mapping[str, Any]
    room: str
    formula: Mapping[str, list[list[str]]]
    figures: tuple[str, ...]
    beside: list[dict[str, Any]]
    measured: list[dict[str, Any]]
    command: str
    smallest: str

    def side(self, name: str) -> list[Mapping[str, Any]]:
        """The checks of one side of an erratum, printed or corrected."""
        return [check for check in self.entry["checks"] if check["name"].startswith(name)]


def row(entry: Mapping[str, Any], tables: Mapping[str, pd.DataFrame], drawn: set[str], run: str) -> Row:
    """What the page shows of one entry; run: the command line up to the claim's id."""
    id_ = entry["id"]
    return Row(
        entry,
        room(id_),
        rendered(id_),
        tuple(name for name in figures_of(id_) if name in drawn),
        beside(id_, tables),
        measured(id_, tables),
        f"{run} {id_}",
        smallest(entry),
    )


def room(claim: str) -> str:
    """theory, toy or empirical: where a claim's evidence stands.

    >>> room("tan.prop1"), room("tan.fig1"), room("tan.fig2")
    ('theory', 'toy', 'empirical')
    """
    return REGISTRY[claim].room if claim in REGISTRY else "empirical"


def figures_of(claim: str) -> tuple[str, ...]:
    """The figures that show a claim; the longest prefix of its id decides.

    >>> figures_of("cd.exp5.hh"), figures_of("cd.experiments")
    (('cd_fig8',), ())
    """
    return FIGURES[max(fits, key=len)] if (fits := [key for key in FIGURES if within(claim, key)]) else ()


def smallest(entry: Mapping[str, Any]) -> str:
    """The smallest counter-example as far as the entry's words give one.

    >>> smallest({"statement": "Printed: x. Smallest case: p = (.5,.5), 2 of .4. Corrected: y.", "assumptions": ""})
    'p = (.5,.5), 2 of .4'
    """
    for text in (entry["statement"], entry["assumptions"]):
        if found := re.search(r"[Ss]mallest (?:case|counter-example): (.+?)(?=\.?$|\. [A-Z])", text):
            return found[1]
    return ""
