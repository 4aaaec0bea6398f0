"""What can be run: every target by its id, what it says, where it stands in the list, and what it costs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import theory.claims  # noqa: F401 (fills the ledger)
import toy.claims  # noqa: F401
from empirical import preregistration as rules
from empirical.errors import InputError
from empirical.preregistration import Sentence, Summary
from theory.ledger import PAPERS, REGISTRY, Entry
from toy.experiments import EXPERIMENTS

TRADEOFF: dict[str, Sentence | Summary] = {
    one.id: one for one in (*rules.sentences(), *rules.summaries(), *rules.predictions())
}
GUIDED = {one.id: one for one in (*rules.sentences(rules.GUIDED), *rules.summaries(rules.GUIDED))}
CONTROLLED = {one.id: one for one in (*rules.sentences(rules.CONTROLLED), *rules.summaries(rules.CONTROLLED))}
STUDY = TRADEOFF | GUIDED | CONTROLLED
GROUPS = {
    "theory": "every claim that theory decides",
    "toy": "exact worlds",
    "empirical": "real models",
    **PAPERS,
    "new": "results that the papers do not state",
}
IDS = [*REGISTRY, *EXPERIMENTS, *STUDY]
SECTIONS = {**PAPERS, "new": "New results", "worlds": "Exact worlds", "studies": "Real models"}

# Until a ledger holds a claim's own seconds. Measured in a default run on two cores: of 160 claims 144 took less than
# 3 s and one took more than a minute (82 s); the six worlds take a minute or less each, each study of real models 5 to
# 15 min, however few of its sentences are asked for. `python -m empirical.plan` prices larger runs.
CLAIM, WORLD, STUDY_COST = "seconds", "a minute", "minutes"


@dataclass(frozen=True)
class Target:
    """A line of the list. `section`: a key of SECTIONS, or empty for a name of many targets."""

    id: str
    section: str
    where: str
    verdict: str
    cost: str
    statement: str


def listed(ledger: Mapping[str, Entry]) -> list[Target]:
    """Every target: names of many first, then claims by paper, new results, worlds, sentences on real models.

    ledger: what was run, by id; it knows verdicts of experiments, and seconds.
    """
    many = {**GROUPS, "figures": "redraw from tables"}
    rows = [Target(name, "", "", "", "", what) for name, what in many.items()]
    for section in (*PAPERS, "new"):
        for claim in sorted(REGISTRY.values(), key=lambda claim: claim.id):
            if claim.id.partition(".")[0] == section:
                cost = f"{ledger[claim.id].seconds:.1f} s" if claim.id in ledger else CLAIM
                verdict = ledger[claim.id].verdict if claim.id in ledger else claim.verdict
                rows.append(Target(claim.id, section, claim.where, verdict, cost, claim.statement))
    for name in EXPERIMENTS:
        rows.append(Target(name, "worlds", "", "", WORLD, "tables and figures of an exact world"))
    for name, one in STUDY.items():  # an entry's seconds are those of its checks, not of the study behind it
        verdict = ledger[name].verdict if name in ledger else "by its rule"
        rows.append(Target(name, "studies", one.where, verdict, STUDY_COST, one.statement))
    return rows


def selected(targets: Sequence[str]) -> list[str]:
    """The ids that the targets name; raises InputError on an unknown one.

    >>> selected(["tan.prop1", "tan.prop1"])
    ['tan.prop1']
    """
    rooms = {name: claim.room for name, claim in REGISTRY.items()} | dict.fromkeys(EXPERIMENTS, "toy")
    rooms |= dict.fromkeys(STUDY, "empirical")
    chosen: dict[str, None] = {}
    for target in targets:
        found = [name for name in IDS if target in (name, rooms[name]) or name.startswith(f"{target}.")]
        if not found:
            raise InputError(f"There is no target {target!r}; {near(target, (*IDS, *GROUPS))}.")
        chosen |= dict.fromkeys(found)
    return list(chosen)


def near(name: str, among: Iterable[str]) -> str:
    """Which names are nearest to a misspelt one, as the end of a sentence.

    >>> near("tan.porp1", ["tan.prop1", "tan.prop2", "cd.eq12"])
    'the nearest are tan.prop1, tan.prop2, and `python paper_repro.py list` shows all'
    """
    found = get_close_matches(name, list(among), n=3, cutoff=0.5)
    shows = "`python paper_repro.py list` shows all"
    return f"the nearest are {', '.join(found)}, and {shows}" if found else shows
