"""The page on the three runs says of the kept ones what their tables say."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "tradeoff.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
KEPT = {"wide": 2, "long": 1}  # the run's column, from the right


def measured(run, quantity, triple, law="global"):
    table = pd.read_csv(DOCS / "tradeoff" / run / "tables" / "tan_emp_measures.csv")
    return table[(table.quantity == quantity) & (table.triple == triple) & (table.law == law)].iloc[0]


def shown(found, digits=2):
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


@pytest.mark.parametrize("run", KEPT)
@pytest.mark.parametrize(
    ("row", "quantity", "triple", "law", "digits"),
    [
        ("strings, Pearson", "string_pearson", "reward", "global", 2),
        ("strings, Spearman", "string_spearman", "reward", "local", 2),
        ("corpora of 31 schemes, Pearson", "corpus_pearson", "reward", "global", 2),
        ("ancestral corpora alone, Pearson", "ancestral_corpus_pearson", "reward", "local", 2),
        ("secret reward, corpora, Pearson", "corpus_pearson", "secret", "global", 2),
        ("secret reward, strings, Spearman", "string_spearman", "secret", "local", 2),
        ("tau of the secret reward within prompts", "tau", "secret", "local", 3),
    ],
)
def test_the_columns_of_the_kept_runs(run, row, quantity, triple, law, digits):
    """Each by the law that the registered sentence on it speaks of."""
    line = re.search(rf"^\| {re.escape(row)} \|.*$", PAGE, flags=re.MULTILINE)[0]
    said = [cell.strip() for cell in line.strip("|").split("|")]
    assert said[-KEPT[run]] == shown(measured(run, quantity, triple, law), digits)


def test_acceptance():
    line = re.search(r"^\| acceptance of the chain.*$", PAGE, flags=re.MULTILINE)[0]
    for run, digits in (("wide", 2), ("long", 3)):
        table = pd.read_csv(DOCS / "tradeoff" / run / "tables" / "tan_emp_measures.csv").query(
            "quantity == 'acceptance'"
        )
        assert f"{table.value.min():.{digits}f} to {table.value.max():.2f}" in line


def test_lengths():
    for law in ("global", "local"):
        found = measured("long", "between_schemes_pearson_per_token", "secret", law)
        assert f"{shown(found)} under the {law}" in TEXT


def test_ranks_of_strings_given_the_schemes():
    assert f"{shown(measured('wide', 'string_spearman_these_schemes', 'reward', 'local'))} over these 31" in TEXT


def test_a_prediction_that_its_guard_let_through():
    table = pd.read_csv(DOCS / "tradeoff" / "wide" / "tables" / "tan_prediction.csv")
    about = (
        "scheme == 'locally_typical(0.9)@T=1.25' and law == 'local' and tokens == 32 and quantity == 'mean_log_prior'"
    )
    [one] = table.query(about).itertuples()
    assert f"effective size of {one.ess:.0f}" in TEXT
    assert f"predicted at {one.predicted:.0f} nats and sampled at {one.sampled:.0f}" in TEXT


def test_how_many_verdicts_are_decided():
    kept = [json.loads((DOCS / "tradeoff" / run / "ledger.json").read_text(encoding="utf-8")) for run in KEPT]
    wide, long = ({one["id"]: one["verdict"] for one in ledger} for ledger in kept)
    decided = [sum(verdict in ("reproduced", "not-reproduced") for verdict in run.values()) for run in (wide, long)]
    said = re.search(r"Of (\d+) verdicts the runs decide \d+, (\d+) and (\d+);", TEXT)
    assert [int(number) for number in said.groups()] == [len(wide), *decided]
    apart = [name for name in wide if {wide[name], long[name]} == {"reproduced", "not-reproduced"}]
    assert apart == ["tan.emp.prediction.short"]
