"""From rows to cells: one an item under a rule, the means over its answers; and what the figures draw of them."""

import numpy as np
import pandas as pd

from empirical.evidence_task.measures import distinct, self_bleu
from empirical.evidence_task.words import words
from empirical.intervals import percentiles, resampled
from empirical.scored import Floats

MEANS = ("nll", "entropy", "information", "temperature", "kl", "tokens", "found", "common", "supported", "evidence")
SETS = ("distinct", "self_bleu")
RULE = ("prior", "rule", "family", "strength", "T")
MATTERS = ("only", "conflict")
"""The kinds of item whose answer only the passage gives."""


def cells_from(rows: pd.DataFrame) -> pd.DataFrame:
    """prior, rule, family, strength, T, kind, item, MEANS over the item's answers, SETS of them all."""
    found = []
    for key, some in rows.groupby([*RULE, "kind", "item"], sort=False):
        means = {name: float(np.nanmean(some[name])) if some[name].notna().any() else np.nan for name in MEANS}
        sets = {"distinct": distinct([words(text) for text in some.text], 2), "self_bleu": self_bleu(list(some.text))}
        found.append(dict(zip([*RULE, "kind", "item"], key, strict=True)) | means | sets)
    return pd.DataFrame(found)


def counts_of(cells: pd.DataFrame, times: int, seed: int) -> Floats:
    """How often each item, in sorted order, is drawn: all of them once, then resampled [times + 1, items]."""
    items = cells.item.nunique()
    return np.vstack([np.ones(items), resampled(np.random.default_rng(seed), items, times)])


def by_item(cells: pd.DataFrame, prior: str, rule: str, measure: str) -> Floats:
    """A measure of a rule on every item, [items], NaN where an item has none; attribution only where it matters."""
    some = cells[(cells.prior == prior) & (cells.rule == rule)].set_index("item")
    values = some[measure].reindex(sorted(cells.item.unique())).to_numpy(float)
    if measure in ("found", "evidence", "supported"):
        matters = some.kind.reindex(sorted(cells.item.unique())).isin(MATTERS).to_numpy()
        values = np.where(matters, values, np.nan)
    return values


def mean(values: Floats, counts: Floats) -> Floats:
    """The mean over the items that have a value, of every resample: [items], [B, items] -> [B]; NaN where none has."""
    told = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(counts[:, told] @ values[told] / counts[:, told].sum(axis=1))


def rules_table(cells: pd.DataFrame, counts: Floats) -> pd.DataFrame:
    """The table chang_rules: one row a prior and rule, each measure with low and high (95 %, over items)."""
    rows = []
    for key, _ in cells.groupby(list(RULE), sort=False):
        row = dict(zip(RULE, key, strict=True))
        for name in (*MEANS, *SETS):
            value, *draws = mean(by_item(cells, str(row["prior"]), str(row["rule"]), name), counts)
            low, high = percentiles(draws)
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)
