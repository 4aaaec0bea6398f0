"""What the command line shows is what the ledger holds."""

from dataclasses import replace
from io import StringIO

from rich.console import Console

from empirical.doctor import Probe
from empirical.targets import IDS, Target
from figures import terminal
from theory.ledger import Check, Control, Entry

ENTRY = Entry(
    "tan.x", "tan", "theorem 9", "identity", "r = [log] p", "holds", "p > 0",
    (Check("equal", "sum", 1200, 1e-13, 1e-12, True), Check("apart", "sum", 3, 0.5, 0.1, True)),
    (Control("planted", True), Control("kept", False)), 1.25,
)  # fmt: skip


def shown(part):
    console = Console(width=160, record=True, file=StringIO())
    console.print(part)
    return console.export_text()


def test_an_explanation_holds_the_whole_entry():
    text = shown(terminal.explanation(ENTRY, "checked now"))
    for part in ("tan.x", "2406.10203, theorem 9", "holds", "r = [log] p", "p > 0", "checked now, 1.2 s"):
        assert part in text
    [equal] = [line for line in text.splitlines() if "equal" in line]
    assert [cell.strip() for cell in equal.split("│")[1:-1]] == ["equal", "sum", "1,200", "1e-13", "≤ 1e-12", "passed"]
    assert "≥ 0.1" in text
    assert "NOT REJECTED" in text
    assert "contradicted: control not rejected: kept" in text


def test_verdicts_count_what_passed():
    line = next(line for line in shown(terminal.verdicts([ENTRY])).splitlines() if "tan.x" in line)
    assert line.split() == ["tan.x", "holds", "2/2", "1/2", "1"]


def test_every_claim_fits_a_line_of_80_columns():
    """What rich takes for a file: nothing is cut there."""
    wide = [replace(ENTRY, id=name, verdict="holds-with-assumption", seconds=1000.0) for name in IDS]
    into = StringIO()
    Console(file=into, width=80).print(terminal.verdicts(wide))
    lines = into.getvalue().splitlines()
    assert len(lines) == len(IDS) + 2
    assert "…" not in into.getvalue()


def test_the_list_has_a_table_a_section_and_a_line_a_target():
    targets = [Target("all", "", "", "", "", "every one"), Target("a.b", "s", "eq. 1", "holds", "2 s", "x [y] = 1")]
    text = shown(terminal.listing(targets, {"s": "A paper"}))
    assert text.index("Names of many targets") < text.index("all") < text.index("A paper") < text.index("a.b")
    assert "x [y] = 1" in text
    lines = [line.split("\t") for line in terminal.tabbed(targets).splitlines()]
    assert lines == [
        list(terminal.COLUMNS.values()),
        ["all", "", "", "", "every one"],
        ["a.b", "eq. 1", "holds", "2 s", "x [y] = 1"],
    ]


def test_fitness_tells_hints_from_faults():
    text = shown(
        terminal.fitness([Probe("a", "1", True), Probe("b", "2", True, "try"), Probe("c", "3", False, "mend")])
    )
    states = [line.split("│")[3].strip() for line in text.splitlines() if line.startswith("│")]
    assert states == ["ok", "look", "WRONG"]
