"""The site of the documents: built strictly, complete, and without anything that comes from the network."""

import re
import resource
import runpy
import subprocess
import sys

import pytest

from tests.documents import ROOT

SECONDS = 40.0
LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|<link\b[^>]*\bhref=[\"']?((?:https?:)?//[^\"'\s>]+)"
)


def foreign(html):
    """What a page would load from another machine; links that a reader may follow are none of it."""
    return ["".join(found) for found in LOADED.findall(html)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    quiet = {"NO_MKDOCS_2_WARNING": "1", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder / "site")]
    built = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < SECONDS
    return folder / "site"


def test_no_page_loads_anything_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        assert foreign(page.read_text(encoding="utf-8")) == [], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_what_is_loaded_from_elsewhere_is_noticed():
    planted = '<script src="https://cdn.example/x.js"></script><link rel="stylesheet" href=//fonts.example/css>'
    assert foreign(planted) == ["https://cdn.example/x.js", "//fonts.example/css"]
    assert foreign('<a href="https://arxiv.org/abs/2406.10203">paper</a><script src="assets/x.js"></script>') == []


def test_search_finds_what_is_on_the_pages(site):
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert "concavity_threshold" in index
    assert (site / "theme" / "worker.js").is_file()
    assert 'src="theme/worker.js"' in (site / "index.html").read_text(encoding="utf-8")
    assert 'src="../theme/worker.js"' in (site / "explain" / "simpson.html").read_text(encoding="utf-8")


def test_the_formulas_of_docstrings_stay_as_they_are(site):
    page = (site / "reference" / "theory.html").read_text(encoding="utf-8")
    assert "pi ~ p^(1 + lambda) (p^-)^(-lambda)" in page
    assert "KL(pi || p)" in page
    assert re.search(r"lambda_c = 4 m M / \(M - m\)\^2", page)


def test_markdown_of_a_docstring():
    markdown = runpy.run_path(str(ROOT / "docs" / "theme" / "docstrings.py"))["markdown"]
    assert markdown("V*(s) and *x* with a_b < c, but `d_e`.") == r"V\*(s) and \*x\* with a\_b &lt; c, but `d_e`."
    assert markdown("One.\n\n>>> 1 + 1\n2") == "One.\n\n```pycon\n>>> 1 + 1\n2\n```"
    assert markdown("Law:\n\n    a * b") == "Law:\n\n```text\na * b\n```"


def test_every_public_module_is_in_the_reference():
    pages = [page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md")]
    listed = set(re.findall(r"^::: (\S+)", "\n".join(pages), flags=re.MULTILINE))
    for room in ("theory", "toy", "figures"):
        there = {f"{room}.{path.stem}" for path in (ROOT / room).glob("*.py") if path.stem != "__init__"}
        assert there - listed - {"figures.frontiers"} == set()
    assert {"figures", "figures.report"} <= listed
    assert {"empirical.engines.jobs", "empirical.checks.model", "empirical.rewards"} <= listed
