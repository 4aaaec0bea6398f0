"""The page on own models: its table of options, its presets, and how short the study in Python is."""

import re

import typer.main

import paper_repro
from empirical.presets import PRESETS
from tests.documents import blocks, text

PAGE = text("docs/own_models.md")


def test_the_study_takes_no_more_than_fifteen_lines():
    code = next(block.text for block in blocks("docs/own_models.md") if "studies.run" in block.text)
    assert len([line for line in code.splitlines() if line.strip()]) <= 15


def test_every_option_of_tradeoff_is_listed_and_no_other():
    known = typer.main.get_command(paper_repro.app).commands["tradeoff"].params
    options = {name for option in known for name in option.opts if name.startswith("--")}
    table = PAGE[PAGE.index("| option |") : PAGE.index("Rewards:")]
    assert set(re.findall(r"^\| `(--[\w-]+)` \|", table, flags=re.MULTILINE)) == options - {"--help"}


def test_the_presets_counts():
    for name, size in PRESETS.items():
        counts = (size.prompts, size.samples, size.max_new)
        numbers = re.search(rf"`{name}` \(([^)]*)\)", PAGE)[1]
        assert tuple(map(int, re.findall(r"\d+", numbers))) == counts
