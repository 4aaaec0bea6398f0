"""The page on the two runs says of the long one what its kept tables say."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "tradeoff.md").read_text(encoding="utf-8")
MEASURES = pd.read_csv(DOCS / "tradeoff" / "tables" / "tan_emp_measures.csv")


def measured(quantity, triple, law="global"):
    rows = MEASURES[(MEASURES.quantity == quantity) & (MEASURES.triple == triple) & (MEASURES.law == law)]
    return rows.iloc[0]


@pytest.mark.parametrize(
    ("row", "quantity", "triple", "law", "digits"),
    [
        ("strings, Pearson", "string_pearson", "reward", "global", 2),
        ("corpora of 31 schemes, Pearson", "corpus_pearson", "reward", "global", 2),
        ("secret reward, corpora, Pearson", "corpus_pearson", "secret", "global", 2),
        ("secret reward, strings, Spearman", "string_spearman", "secret", "local", 2),
        ("tau of the secret reward within prompts", "tau", "secret", "local", 3),
    ],
)
def test_the_column_of_long_answers(row, quantity, triple, law, digits):
    """Each by the law that the registered sentence on it speaks of."""
    found = measured(quantity, triple, law)
    said = re.search(rf"^\| {re.escape(row)} \|.*\| ([^|]*) \|$", PAGE, flags=re.MULTILINE)[1]
    assert said == f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def test_lengths():
    text = " ".join(PAGE.split())
    for law in ("global", "local"):
        found = measured("between_schemes_pearson_per_token", "secret", law)
        assert f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}] under the {law}" in text


def test_how_many_verdicts_there_are():
    ledger = json.loads((DOCS / "tradeoff" / "ledger.json").read_text(encoding="utf-8"))
    assert f"Of the {len(ledger)} verdicts" in PAGE
