"""What the documents show runs, and what they name exists."""

import ast
import contextlib
import io
import re
import shlex
import sys
from functools import cache
from itertools import takewhile

import pytest

import paper_repro
from tests import documents
from tests.documents import MADE, NOT_RUN, blocks, pages, play, run, text

PAGES = pages()
SHOWN = {"python", "sh", "text", "toml", "bibtex"}
"""What a fence may hold; of these Python and commands are run."""
INLINE = re.compile(r"`(python (?:-m [\w.]+|paper_repro\.py)(?: [^`]*)?)`")


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_it_runs(page, triple, tmp_path, capsys):
    said = play(page, tmp_path, triple)
    for look in AFTERWARDS.get(page, ()):
        look(said, tmp_path)


def scorer_is_saved(said, folder):
    for name in ("scorer.safetensors", "config.json", "card.json"):
        assert (folder / "mine" / "scorer" / name).is_file()
        assert f"`{name}`" in text("docs/control.md")
    line = said.partition("exact along each answer:")[2].splitlines()[0]
    assert all(kl >= 0 for kl in map(float, re.findall(r"-?\d\.\d+", line)))


def rules_differ(said, folder):
    lines = said.splitlines()
    assert [line.split(" KL")[0] for line in lines] == ["ancestral", "free(1)", "kl(1)", "greedy"]
    assert lines[0].endswith("spent: 0.00 nats")


def report_is_there(said, folder):
    assert (folder / "own" / "tradeoff-smoke" / "report" / "index.html").is_file()
    assert "`own/tradeoff-smoke/report/index.html`" in text("docs/own_models.md")


AFTERWARDS = {
    "docs/control.md": [scorer_is_saved],
    "docs/guidance.md": [rules_differ],
    "docs/own_models.md": [report_is_there],
}


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "does not show what is printed"),
        ("```sh\nrm -r results\n```\n", "rm is run by nothing here"),
        ("```sh\npython paper_repro.py run tan.prop6\n```\n", "ended with 2"),
        ("```python\nassert False, 'a fault'\n```\n", "a fault"),
    ],
)
def test_a_page_that_does_not_run_is_noticed(page, fault, triple, tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "text", lambda name: page)
    with pytest.raises(AssertionError, match=fault):
        play("docs/planted.md", tmp_path, triple)


def test_what_a_page_adds_does_not_stay(triple, tmp_path):
    play("docs/extend/claim.md", tmp_path, triple)
    assert "new.heat" not in paper_repro.REGISTRY
    assert "my_claims" not in sys.modules


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_says_what_it_is(page):
    assert {block.language for block in blocks(page)} <= SHOWN
    assert text(page).count("```") == 2 * len(blocks(page))
    assert not re.search(r"^(    |\t)(python|pip|\$) ", text(page), flags=re.MULTILINE), "a command that is not run"


@pytest.mark.parametrize("page", PAGES)
def test_a_file_that_is_shown_is_used(page):
    found = blocks(page)
    for number, block in enumerate(found):
        if block.file:
            later = "".join(one.text for one in found[number + 1 :])
            assert re.search(rf"\b{block.file.removesuffix('.py')}\b", later)


def test_what_is_not_run_is_there_and_has_a_reason():
    for one in NOT_RUN:
        found = blocks(one["page"])
        shown = [block.text for block in found] + [command for block in found for command in block.commands]
        assert any(said.startswith(one["starts"]) for said in shown), one
        assert one["why"].endswith(".")
        assert set(one) == {"page", "starts", "why"}


@pytest.mark.parametrize("page", PAGES)
def test_python_that_is_not_run_is_python_all_the_same(page):
    for block in blocks(page):
        if block.language == "python":
            ast.parse(block.text)


def commands(page):
    """Every command of this package that a page shows or names."""
    shown = [command for block in blocks(page) if block.language == "sh" for command in block.commands]
    named = [" ".join(command.split()) for command in INLINE.findall(text(page))]
    return [one for one in [*shown, *named] if re.match(r"python (-m (empirical|tests)\b|paper_repro)", one)]


@cache
def help_of(*words):
    """What a command says of its options."""
    with contextlib.redirect_stdout(io.StringIO()) as said, pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        run(["python", *words, "--help"])
    return said.getvalue()


def unknown(command, said):
    """The options of a command line that its help does not list."""
    return [word for word in re.findall(r"--[\w-]+", command) if not re.search(rf"{word}(?![\w-])", said)]


@pytest.mark.parametrize("page", [page for page in [*PAGES, *sorted(MADE)] if commands(page)])
def test_commands_have_the_options_and_targets_they_name(page):
    for command in commands(page):
        words = shlex.split(re.sub(r"[][]|\.\.\.", "", command), comments=True)[1:]
        start = 2 if words[0] == "-m" else 1
        sub = [word for word in words[1:2] if start == 1 and not word.startswith("-")]
        assert unknown(command, help_of(*words[:start], *sub)) == [], command
        if sub == ["run"]:
            targets = list(takewhile(lambda word: not word.startswith("-"), words[2:]))
            assert targets in (["figures"], ["TARGET"]) or paper_repro.selected(targets)


def test_a_wrong_option_is_noticed():
    assert unknown("python paper_repro.py run x --presets y", help_of("paper_repro.py", "run")) == ["--presets"]
