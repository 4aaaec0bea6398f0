"""The page: numbers as a reader wants them, text escaped, missing parts left out."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from figures.report import build, compared, number


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_shown_number_is_the_number_to_three_digits(value):
    shown = float(number(value).replace(",", "").replace("−", "-"))
    assert abs(shown - value) <= max(0.006 * abs(value), 0 if abs(value) < 1000 else 0.5)


def ledger(**changes):
    row = {
        "id": "tan.x", "paper": "tan", "where": "here", "kind": "theorem", "statement": "a < b & c", "verdict": "holds",
        "assumptions": "", "seconds": 0.1,
        "checks": [{"name": "n", "oracle": "o", "instances": 3, "worst": None, "tolerance": 1e-12, "passed": True}],
        "controls": [{"name": "planted", "rejected": True}],
    }  # fmt: skip
    return json.dumps([row | changes])


def test_an_empty_folder_still_gives_a_page(tmp_path):
    assert "not run yet" in build(tmp_path).read_text(encoding="utf-8")


def test_text_is_escaped_and_failures_shout(tmp_path):
    (tmp_path / "ledger.json").write_text(ledger(controls=[{"name": "planted", "rejected": False}]))
    page = build(tmp_path).read_text(encoding="utf-8")
    assert "a &lt; b &amp; c" in page
    assert "NOT REJECTED" in page
    assert "<b>1</b> hold</a>" in page


def test_reported_numbers_come_first():
    table = pd.DataFrame({"quantity": ["a", "b"], "value": [1.0, 2.0], "reported": [None, 0.5]})
    assert [row["quantity"] for row in compared({"tan_fig1": table})] == ["b", "a"]


def test_traces_shade_tokens_by_what_the_evidence_tells(tmp_path):
    """Text as text; the shade grows with the information and is full from 4 nats on."""
    (tmp_path / "tables").mkdir()
    rows = [
        ("only", "a", 1, "evidence", "<x>", 9.0),
        ("only", "a", 0, "frame", "NA", 1.0),
        ("only", "b", 0, "end", "!", 2.0),
    ]
    columns = ["kind", "item", "step", "part", "token", "information"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "tables" / "chang_relevance.csv", index=False)
    page = build(tmp_path).read_text(encoding="utf-8")
    assert '--shade: 0.25" title="1 nats">NA</span>' in page
    assert '--shade: 1.0" title="9 nats"><u>&lt;x&gt;</u></span>' in page
    assert page.index(">NA<") < page.index("&lt;x&gt;")
    assert "!</span>" not in page, "one item of a kind"


@pytest.mark.parametrize(("text", "shown"), [("<b>hello</b>", "&lt;b&gt;hello&lt;/b&gt;"), ("NA", ">NA")])
def test_samples_are_shown_as_text(tmp_path, text, shown):
    (tmp_path / "tables").mkdir()
    row = {"prompt": "p", "scheme": "s", "text": text, "finished": False, "log_prior": -1.0, "reward": 0.0}
    pd.DataFrame([row]).to_csv(tmp_path / "tables" / "tan_samples.csv", index=False)
    page = build(tmp_path).read_text(encoding="utf-8")
    assert f"{shown} …" in page
