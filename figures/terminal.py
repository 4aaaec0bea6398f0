"""What the command line shows: verdicts, the list of targets, one claim with its evidence, a machine's fitness."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from theory.ledger import PAPERS, Check, Entry

COLUMNS = {"id": "target", "where": "where", "verdict": "verdict", "cost": "cost", "statement": "statement"}


def verdicts(entries: Iterable[Entry]) -> Table:
    """One line a claim: its verdict, how many checks passed, how many controls were rejected, seconds.

    The longest line just fits 80 columns, which is what rich takes for a file.
    """
    names = [Column("claim", no_wrap=True), Column("verdict", no_wrap=True)]
    numbers = [Column(name, justify="right", no_wrap=True) for name in ("checks", "controls", "s")]
    table = Table(*names, *numbers, box=SIMPLE_HEAD, show_edge=False, padding=0)
    for entry in sorted(entries, key=lambda entry: entry.id):
        passed = f"{sum(check.passed for check in entry.checks)}/{len(entry.checks)}"
        rejected = f"{sum(control.rejected for control in entry.controls)}/{len(entry.controls)}"
        table.add_row(entry.id, entry.verdict, passed, rejected, f"{entry.seconds:.0f}")
    return table


def listing(targets: Iterable[Any], headings: Mapping[str, str]) -> Group:
    """A table a section; targets have the fields of COLUMNS and `section`, a key of `headings` or empty."""
    tables: dict[str, Table] = {}
    for target in targets:
        if target.section not in tables:
            first, *rest = COLUMNS.values()
            title = Text(headings.get(target.section, "Names of many targets"), style="bold")
            tables[target.section] = Table(Column(first, no_wrap=True), *rest, title=title, title_justify="left")
        tables[target.section].add_row(*(Text(getattr(target, column)) for column in COLUMNS))
    return Group(*tables.values())


def tabbed(targets: Iterable[Any]) -> str:
    """The same for a program: a line of column names, then a line a target, columns parted by tabs."""
    rows = ["\t".join(COLUMNS.values())]
    return "\n".join([*rows, *("\t".join(getattr(target, column) for column in COLUMNS) for target in targets)])


def unknown(entry: Entry, command: str) -> Group:
    """A claim that was not run here: what it says, the rule that will decide it, and the command that runs it."""
    return Group(*_about(entry, "not run here yet"), Text(f"`{command}` runs it, with the study it belongs to."))


def _about(entry: Entry, verdict: str) -> list[RenderableType]:
    paper = PAPERS.get(entry.paper, entry.paper)
    parts: list[RenderableType] = [
        Text.assemble((entry.id, "bold"), f"   {paper}, {entry.where}   ", (verdict, "bold")),
        Text(f"\n{entry.statement}\n"),
    ]
    if entry.assumptions:
        parts.append(Text.assemble(("Assumptions, scale or rule: ", "bold"), f"{entry.assumptions}\n"))
    return parts


def explanation(entry: Entry, source: str) -> Group:
    """A claim in full: statement, place, verdict, assumptions, each check with its worst instance, each control.

    source: where the evidence comes from, in words.
    """
    parts = _about(entry, entry.verdict)
    parts.append(Text(f"Evidence {source}, {entry.seconds:.1f} s:"))
    checks = Table("check", "oracle", "instances", "worst", "bound", "")
    for check in entry.checks:
        outcome = "passed" if check.passed else "FAILED"
        figures = (f"{check.instances:,}", f"{check.worst:.3g}", bound(check), outcome)
        checks.add_row(Text(check.name), Text(check.oracle), *figures)
    controls = Table("control: a planted wrong version", "")
    for control in entry.controls:
        controls.add_row(Text(control.name), "rejected" if control.rejected else "NOT REJECTED")
    parts += [table for table in (checks, controls) if table.rows]
    parts += [Text(f"contradicted: {fault}", style="red") for fault in entry.faults()]
    return Group(*parts)


def bound(check: Check) -> str:
    """What the check asks of its worst instance.

    >>> bound(Check("", "", 1, 0.5, 1.0, True)), bound(Check("", "", 1, 2.0, 1.0, True))
    ('≤ 1', '≥ 1')
    """
    if math.isnan(check.worst):
        return f"{check.tolerance:.3g}"
    return f"{'≤' if (check.worst <= check.tolerance) == check.passed else '≥'} {check.tolerance:.3g}"


def fitness(probes: Iterable[Any]) -> Table:
    """What was looked at, what was found, and what to do; probes have the fields what, found, ok and advice."""
    names = ("what", "found", "", "what to do")
    table = Table(*(Column(name, overflow="fold") for name in names))  # a command is never cut short
    for probe in probes:
        state = "ok" if probe.ok and not probe.advice else "look" if probe.ok else "WRONG"
        table.add_row(Text(probe.what), Text(probe.found), state, Text(probe.advice))
    return table
