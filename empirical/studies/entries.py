"""The ledger's entries of registered sentences and of their summaries, whatever the study."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from empirical.preregistration import Sentence, Summary
from theory.ledger import Check, Control, Entry, Verdict, at_most

RANDOM = "the models of this preset are random: it runs the code and shows nothing about language"


@dataclass(frozen=True)
class Writer:
    """What the entries of one study share: its paper, what was run in words, and whether its models are real."""

    paper: str
    scale: str
    real: bool

    def entry(
        self,
        what: Sentence | Summary,
        verdict: Verdict,
        here: str,
        checks: Iterable[Check],
        controls: Iterable[Control],
        seconds: float = 0.0,
    ) -> Entry:
        """One entry; here: what was measured, in words. Random models decide nothing."""
        known = f" Known when the rule was written: {what.known}." if isinstance(what, Sentence) and what.known else ""
        rule = what.rule if self.real else RANDOM
        return Entry(
            id=what.id,
            paper=self.paper,
            where=what.where,
            kind="experiment",
            statement=f"{what.statement} Here: {here}." if here else what.statement,
            verdict=verdict if self.real else "not-testable-here",
            assumptions=f"{rule.rstrip('.')}.{known} {self.scale}.",
            checks=tuple(checks),
            controls=tuple(controls),
            seconds=seconds,
        )

    def summary(self, summary: Summary, made: Sequence[Entry]) -> Entry:
        """A verdict on verdicts: it stands on entries without fault, and one of them turned round must turn it."""
        parts = [name for pair in summary.pairs for name in (*pair[0], pair[1])] or list(summary.all)
        used = {entry.id: entry for entry in made if entry.id in parts}
        sound = at_most(
            "faults in the evidence of the sentences summed up",
            oracle="their own checks and controls",
            residuals=[float(len(entry.faults())) for entry in used.values()],
            tolerance=0.0,
        )
        turned: dict[str, Verdict] = dict.fromkeys(parts, "reproduced")
        turned[parts[-1]] = "not-reproduced"
        slipped = summary.verdict(turned) == "reproduced"
        control = Control("all sentences but one reproduced are called reproduced", not slipped)
        verdict = summary.verdict({name: entry.verdict for name, entry in used.items()})
        here = ", ".join(f"{name} {used[name].verdict}" for name in dict.fromkeys(parts))
        return self.entry(summary, verdict, here if self.real else "", [sound], [control])
