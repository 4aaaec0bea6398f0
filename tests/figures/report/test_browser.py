"""The page in a real Chromium. Every question is also asked of a page with a planted fault, which has to fail it."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import theory.claims  # noqa: F401 (fills the ledger)
import toy.claims  # noqa: F401
from figures import FIGURES
from figures.report import VERDICTS, build
from figures.report.numbers import COMPARED
from theory.ledger import REGISTRY

HOSTILE = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
AXE = files("axe_core_python").joinpath("axe.min.js")
SHOWN = "[...document.querySelectorAll('.claim')].filter(one => one.checkVisibility()).map(one => one.id)"
FEW = [
    "tan.prop1",
    "tan.prop3",
    "tan.eq11",
    "cd.eq16",
    "cd.experiments",
    "chang.thm3.2",
    "tan.fig1",
    "cd.table1.weaker",
]


def entry(name: str, verdict: str, checks: int) -> dict:
    known = REGISTRY.get(name)
    words = [getattr(known, one, name) for one in ("where", "kind", "statement")]
    check = {"oracle": "enumeration", "instances": 1000, "worst": 1.2e-14, "tolerance": 1e-12, "passed": True}
    sides = ["printed: it fails", "corrected: it passes", *map("check number {}".format, range(checks - 2))]
    return {
        "id": name, "paper": getattr(known, "paper", name.split(".")[0]), "where": words[0], "kind": words[1],
        "statement": words[2], "verdict": verdict, "assumptions": getattr(known, "assumptions", ""), "seconds": 0.1,
        "checks": [check | {"name": one} for one in sides], "controls": [{"name": "a planted one", "rejected": True}],
    }  # fmt: skip


def results(folder: Path, ledger: list[dict], figures: list[str], rows: int) -> Path:
    """Results as a run leaves them: noise for pictures, random tables, one hostile text."""
    rng = np.random.default_rng(0)
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True)
    (folder / "ledger.json").write_text(json.dumps(ledger))
    (folder / "manifest.json").write_text(json.dumps({"seed": 0, "command": "python paper_repro.py"}))
    picture = np.full((1000, 1380, 3), 255, np.uint8)
    picture[rng.integers(0, 1000, 9000), rng.integers(0, 1380, 9000)] = rng.integers(0, 255, (9000, 3))
    table_text = pd.DataFrame(rng.normal(size=(rows, 8))).to_csv(index=False)
    Image.fromarray(picture).save(folder / "figures" / "any.png")
    for name in figures:
        (folder / "figures" / f"{name}.png").write_bytes((folder / "figures" / "any.png").read_bytes())
        for table in set(FIGURES[name].TABLES) - {"tan_schemes", "tan_covariance", *COMPARED}:
            (folder / "tables" / f"{table}.csv").write_text(table_text)
    numbers = {"quantity": ["string_pearson"], "value": [0.5], "low": [0.4], "high": [0.6], "reported": [0.49]}
    pd.DataFrame(numbers).to_csv(folder / "tables" / "tan_fig1.csv", index=False)
    finding = {"id": "cd.table1.weaker", "quantity": "q", "law": "bound", "item": HOSTILE, "value": 1.0, "low": 0.0}
    finding |= {"high": 2.0, "above": 0.5, "below": None}
    pd.DataFrame([finding]).to_csv(folder / "tables" / "cd_findings.csv", index=False)
    text = {"prompt": "p", "scheme": "s", "text": HOSTILE, "finished": False, "log_prior": -1.0, "reward": 0.0}
    pd.DataFrame([text]).to_csv(folder / "tables" / "tan_samples.csv", index=False)
    step = {"kind": "only", "item": "a", "step": 0, "part": "evidence", "token": HOSTILE, "information": 9.0}
    pd.DataFrame([step]).to_csv(folder / "tables" / "chang_relevance.csv", index=False)
    return build(folder)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """One claim of each verdict, one figure, and every section that can be there."""
    ledger = [entry(name, verdict, 3) for name, verdict in zip(FEW, [*VERDICTS, "holds"], strict=True)]
    return results(tmp_path_factory.mktemp("few") / "default", ledger, ["tan_fig1"], 400)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Every claim that the suite knows, each with ten checks, and every figure."""
    from paper_repro import STUDY

    ledger = [
        entry(name, REGISTRY[name].verdict if name in REGISTRY else "inconclusive", 10) for name in (*REGISTRY, *STUDY)
    ]
    return results(tmp_path_factory.mktemp("full") / "default", ledger, list(FIGURES), 300)


def test_a_full_page_is_small_quiet_and_keeps_to_itself(browser, full):
    browser.go(full)
    assert full.stat().st_size < 5_000_000
    assert browser.complaints() == []
    assert browser.requests() == []
    shown = browser.run(f"[{SHOWN}.length, document.getElementById('count').textContent]")
    assert shown == [len(json.loads((full.parents[1] / "ledger.json").read_text())), f"{shown[0]} of {shown[0]} claims"]
    assert browser.run("document.querySelectorAll('.claim math').length") > 150
    assert "\\frac" not in full.read_text(encoding="utf-8")


def test_a_fault_in_the_console_and_a_request_are_noticed(browser, page, planted):
    browser.go(
        planted(page, "</main>", "<script>throw Error('planted')</script><img src='http://x.test/a.png'></main>")
    )
    assert any("planted" in one for one in browser.complaints())
    browser.go(planted(page, "img-src data:", "img-src http: data:"))
    assert browser.requests() == []
    wrong = page.read_text(encoding="utf-8").replace("img-src data:", "img-src http:")
    (page.parent / "asks").mkdir(exist_ok=True)
    asking = page.parent / "asks" / "index.html"
    asking.write_text(wrong.replace("</main>", "<img src='http://x.test/a.png'></main>"), encoding="utf-8")
    browser.go(asking)
    assert browser.requests() == ["http://x.test/a.png"]


def chosen(browser, query: str) -> list[str]:
    return browser.run(f"{query}; [...{SHOWN}, document.getElementById('count').textContent, location.search]")


SET = "f = document.getElementById('filters'); f.{} = '{}'; f.dispatchEvent(new Event('input'))"
FILTERS = [
    ("paper.value", "tan", 4, "?paper=tan"),
    ("verdict.value", "erratum", 1, "?verdict=erratum"),
    ("room.value", "empirical", 1, "?room=empirical"),
    ("kind.value", "proposition", 2, "?kind=proposition"),
    ("text.value", "equation 16 V_θ", 1, "?text=equation+16+V_%CE%B8"),
    ("text.value", "nowhere", 0, "?text=nowhere"),
]


@pytest.mark.parametrize(("field", "value", "count", "query"), FILTERS)
def test_filters(browser, page, field, value, count, query):
    browser.go(page)
    *_, said, address = found = chosen(browser, SET.format(field, value))
    assert (len(found) - 2, said, address) == (count, f"{count} of {len(FEW)} claims", query)
    browser.go(page, query)
    assert chosen(browser, "0") == found, "what the address keeps comes back"


def test_filters_that_do_nothing_are_noticed(browser, page, planted):
    browser.go(planted(page, "claim.hidden = !fits(claim)", "claim.hidden = false"))
    assert len(chosen(browser, SET.format("paper.value", "tan"))) - 2 == len(FEW)


def test_counts_lead_to_their_claims(browser, page):
    browser.go(page)
    browser.run("document.querySelector('[data-paper=tan][data-verdict=holds]').click()")
    browser.run("new Promise(done => setTimeout(done, 50))")
    assert browser.run(SHOWN) == ["tan.prop1"]


OPENED = "(c => [c.open, Math.abs(c.getBoundingClientRect().top) < innerHeight])(document.getElementById('tan.prop3'))"


def test_a_deep_link_opens_its_claim_and_shows_its_formula(browser, page, planted):
    for query in ("", "?paper=cd"):
        browser.go(page, f"{query}#tan.prop3")
        assert browser.run(OPENED) == [True, True]
        words = browser.run("document.getElementById('tan.prop3').querySelector('.holds math').textContent")
        assert words.startswith("p(eos∣y)≥ε")
    browser.run("location.hash = '#cd.eq16'; new Promise(done => setTimeout(done, 50))")
    assert browser.run("document.getElementById('cd.eq16').open")
    browser.go(planted(page, "claim.open = true", "claim.open"), "#tan.prop3")
    assert browser.run(OPENED)[0] is False


RAN = "[document.title === 'run', document.querySelectorAll('[onerror]').length]"


def test_a_table_that_holds_a_script_runs_nothing(browser, page, planted):
    browser.go(page)
    assert browser.run(RAN) == [False, 0]
    assert browser.run("document.body.textContent.split('onerror').length") > 3, "its text is there"
    raw = HOSTILE.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;").replace("'", "&#39;")
    browser.go(planted(page, raw, HOSTILE))
    assert browser.run(RAN)[0] is True, "without escaping and without the rule about scripts it runs"
    unescaped = page.read_text(encoding="utf-8").replace(raw, HOSTILE)
    (page.parent / "raw").mkdir(exist_ok=True)
    (page.parent / "raw" / "index.html").write_text(unescaped, encoding="utf-8")
    browser.go(page.parent / "raw" / "index.html")
    assert browser.run(RAN)[0] is False, "without escaping the rule about scripts still holds"


def test_a_figure_is_enlarged_by_keyboard_and_escape_closes_it(browser, page):
    browser.go(page, prefers_color_scheme="light")
    browser.run("document.querySelector('.enlarge').focus()")
    browser.press("Enter", 13)
    assert browser.run("[zoom.open, zoom.querySelector('img').src.slice(0, 14), zoomed.textContent]") == [
        True, "data:image/png", "tan_fig1",
    ]  # fmt: skip
    browser.press("Escape", 27)
    assert browser.run("[zoom.open, document.activeElement.className]") == [False, "enlarge"]


def test_a_packed_table_is_saved_as_plain_csv(browser, page):
    browser.go(page)
    saved = """(async () => {
      const saved = new Promise(done => { URL.createObjectURL = blob => (done(blob.text()), "blob:x"); });
      document.querySelector("[data-packed]").click();
      return (await saved).slice(0, 15);
    })()"""
    assert browser.run(saved) == "0,1,2,3,4,5,6,7"


def test_the_command_is_copied_and_said(browser, page):
    browser.go(page, "#tan.prop3")
    writes = "{writeText: text => (window.told = text, Promise.resolve())}"
    stub = f"Object.defineProperty(navigator, 'clipboard', {{value: {writes}}})"
    browser.run(f"{stub}; document.querySelector('#tan\\\\.prop3 .copy').click()")
    assert browser.run("told") == "python paper_repro.py run tan.prop3"
    assert browser.run("copied.textContent") == "Copied: python paper_repro.py run tan.prop3"


def violations(browser, *rules: str) -> list[str]:
    """What axe finds wrong with everything opened: rule and place; rules: only these."""
    browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    browser.run(AXE.read_text(encoding="utf-8") + "; 0")
    options = {"resultTypes": ["violations"], "preload": False} | ({"runOnly": list(rules)} if rules else {})
    found = "v => v.violations.flatMap(one => one.nodes.map(node => `${one.id}: ${node.target}`))"
    return browser.run(f"axe.run({json.dumps(options)}).then({found})")


def test_axe_finds_nothing(browser, page):
    browser.go(page, prefers_color_scheme="light")
    assert violations(browser) == []


def test_axe_finds_nothing_in_the_dark(browser, page):
    """What else axe asks does not depend on colours."""
    browser.go(page, prefers_color_scheme="dark")
    assert violations(browser, "color-contrast") == []


def test_axe_finds_what_is_planted(browser, page, planted):
    browser.go(planted(page, "--soft: #5f5f66", "--soft: #b0b0b0"), prefers_color_scheme="light")
    assert violations(browser, "color-contrast")


def test_on_paper_everything_is_open(browser, page, planted):
    seen = "[...document.querySelectorAll('.claim .command')].every(one => one.checkVisibility())"
    browser.go(page)
    assert browser.run(seen) is False
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run(seen) is True
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run(seen) is False


def test_without_scripts_it_is_a_plain_list(browser, page):
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.go(page)
        assert browser.run("[document.getElementById('filters').hidden, document.documentElement.className]") == [
            True,
            "",
        ]
        assert len(browser.run(SHOWN)) == len(FEW)
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)
