"""The entries of the zoo: a known bug of this field as a patch to our code, and the tests that must notice it.

A file of `patches/` has headers, an empty line, and a unified diff against the repository's root:

    Pitfall: 36
    Bug: what is wrong, in one line
    History: where it was seen, in one line
    Noticed-by: tests/theory/test_best_of.py::test_name
    Noticed-by: ...
"""

import re
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

PATCHES = Path(__file__).parent / "patches"
LEAST = 2
"""How many independent tests have to notice a bug."""


@dataclass(frozen=True)
class Entry:
    """One planted bug. pitfalls: the numbers it stands for; tests: pytest ids of functions; diff: what plants it."""

    name: str
    pitfalls: tuple[int, ...]
    bug: str
    history: str
    tests: tuple[str, ...]
    diff: str

    @property
    def touches(self) -> list[str]:
        """The files that the patch changes."""
        return re.findall(r"^\+\+\+ b/(\S+)", self.diff, re.MULTILINE)


def read(path: Path) -> Entry:
    """The entry of a patch file. Raises ValueError where a header or the diff is missing or a test is named twice."""
    message = Parser().parsestr(path.read_text(encoding="utf-8"))
    tests, diff = tuple(message.get_all("Noticed-by", [])), str(message.get_payload())
    if not all((message["Pitfall"], message["Bug"], message["History"], diff.strip())):
        raise ValueError(f"{path.name}: a patch needs the headers Pitfall, Bug and History, and a diff.")
    if len(set(tests)) < max(LEAST, len(tests)):
        raise ValueError(f"{path.name}: a patch needs {LEAST} or more different tests that notice it.")
    numbers = tuple(int(number) for number in message["Pitfall"].split(","))
    return Entry(path.stem, numbers, message["Bug"], message["History"], tests, diff)


def entries(folder: Path = PATCHES) -> list[Entry]:
    """All entries, in the order of their names."""
    return [read(path) for path in sorted(folder.glob("*.patch"))]
