"""The documents' fenced blocks: found, and played from the top of a page to its end in an empty folder.

Python runs in one namespace a page; a `text` block right behind it is what it prints. A Python block whose first line
is `# name.py` is that file instead. Of `sh` every line is run, in this process: `python -c`, `python paper_repro.py`,
`python -m MODULE`. What is not run is named, with the reason, in `docs_not_run.toml`.
"""

import contextlib
import io
import re
import runpy
import shlex
import sys
import tomllib
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

import empirical.models
from figures import FIGURES, style
from theory.ledger import REGISTRY

ROOT = Path(__file__).parents[1]
MADE = {"docs/errata.md", "docs/tradeoff/long/README.md", "docs/tradeoff/wide/README.md"}
"""Written by commands."""
NOT_RUN = tomllib.loads((ROOT / "tests" / "docs_not_run.toml").read_text(encoding="utf-8"))["not_run"]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, its text, and whether it stands right behind the block before it."""

    page: str
    language: str
    text: str
    follows: bool

    @property
    def file(self) -> str:
        """The name of the file that a Python block is; empty if it is to be run."""
        named = re.match(r"# (\w+\.py)\n", self.text)
        return named[1] if named and self.language == "python" else ""

    @property
    def commands(self) -> list[str]:
        """The lines of a `sh` block, those that end in a backslash joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [" ".join(line.split()) for line in lines if line.strip() and not line.lstrip().startswith("#")]

    def excuse(self, command: str = "") -> str:
        """Why this block, or this one of its commands, is not run; empty if it is."""
        said = command or self.text
        whys = [one["why"] for one in NOT_RUN if one["page"] == self.page and said.startswith(one["starts"])]
        return whys[0] if whys else ""


def pages() -> list[str]:
    """The pages that people write, relative to the root."""
    found = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
    return [*(page for page in found if page not in MADE), "CONTRIBUTING.md"]


def text(page: str) -> str:
    """A page as it stands."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, from top to bottom."""
    whole, found, end = text(page), [], -1
    for match in FENCE.finditer(whole):
        behind = end >= 0 and not whole[end : match.start()].strip()
        found.append(Block(page, match[1], match[2], behind))
        end = match.end()
    return found


def play(page: str, folder: Path, triple) -> str:
    """Run a page's blocks in `folder`, the default models being tiny ones; return all that its Python printed."""
    names, printed, said = {"__name__": "document"}, [], ""
    with pytest.MonkeyPatch.context() as patch, _as_before(folder):
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        patch.setattr(empirical.models, "default_prior", lambda *device: triple.prior)
        for number, block in enumerate(blocks(page)):
            if block.language == "sh":
                for command in block.commands:
                    if not block.excuse(command):
                        run(shlex.split(command, comments=True))
            elif block.language == "python" and not block.excuse():
                if block.file:
                    (folder / block.file).write_text(block.text, encoding="utf-8")
                    continue
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    exec(compile(block.text, f"{page}, block {number}", "exec"), names)
                said = out.getvalue()
                printed.append(said)
            elif block.language == "text" and block.follows and blocks(page)[number - 1].language == "python":
                assert said == block.text, f"{page}, block {number} does not show what is printed"
    return "".join(printed)


def run(words: list[str]) -> None:
    """Run a command of Python in this process; raises AssertionError unless it ends with exit code 0."""
    assert words[0] == "python", f"{words[0]} is run by nothing here; name it in docs_not_run.toml"
    if words[1] == "-c":
        exec(words[2], {"__name__": "document"})
        return
    module, arguments = (words[2], words[3:]) if words[1] == "-m" else ("", words[2:])
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*found in sys.modules", category=RuntimeWarning)
        patch.setattr(sys, "argv", [module or words[1], *arguments])
        code: object = 0
        try:
            if module:
                runpy.run_module(module, run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        except SystemExit as ended:
            code = ended.code
    assert not code, f"{' '.join(words)} ended with {code}"


@contextlib.contextmanager
def _as_before(folder: Path):
    """A page may add claims, figures, marks and modules of its own; none of them stays."""
    kept = [(one, dict(one)) for one in (REGISTRY, FIGURES, style.MARKS)]
    try:
        yield
    finally:
        for one, was in kept:
            one.clear()
            one.update(was)
        for name, module in list(sys.modules.items()):
            if Path(getattr(module, "__file__", None) or "/").is_relative_to(folder):
                del sys.modules[name]
