"""The registered quantities on cells whose answer is known, and the area under the curve against scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from empirical.guidance import Guidance
from empirical.preregistration import GUIDED, sentences
from empirical.studies.controls import null_control
from empirical.studies.guided import nulls
from empirical.studies.guided.cells import MEANS, SETS, by_item, cells_from, counts_of, mean, rules_table
from empirical.studies.guided.nulls import dealt
from empirical.studies.guided.quantities import QUANTITIES, Data, measures
from empirical.studies.guided.relevance import auc
from empirical.studies.guided.sizes import CLASSIFIER, FREE, GREEDY, PLAIN, STATIC

ITEMS = [(kind, f"{kind}-{number}") for kind in ("only", "conflict", "common") for number in range(5)]
SIGMA = Guidance("kl", 1.0)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(1, 3)), min_size=2, max_size=30))
def test_the_area_is_scikit_learns(steps):
    values, labels, weights = (np.array(column, dtype=float) for column in zip(*steps, strict=True))
    up = labels == 1
    found = auc(values[up], values[~up], (weights[up], weights[~up]))
    if up.all() or not up.any():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(labels, values, sample_weight=weights), abs=1e-12)


def cells(**figures):
    """Cells of every rule; figures: measure -> (rule, prior) -> its value, else 0, plus noise that all rules share."""
    rows = []
    rules = [(rule, "intact") for rule in (PLAIN, GREEDY, STATIC, FREE, CLASSIFIER, SIGMA)]
    for rule, prior in [*rules, (PLAIN, "weak"), (FREE, "weak")]:
        for number, (kind, item) in enumerate(ITEMS):
            noise = np.sin(number)
            values = {name: figures.get(name, {}).get((rule.name, prior), 0.0) + noise for name in (*MEANS, *SETS)}
            about = {"prior": prior, "rule": rule.name, "family": rule.kind, "strength": rule.strength, "T": rule.T}
            rows.append({**about, "kind": kind, "item": item, **values})
    return pd.DataFrame(rows)


def data(steps=None, **figures):
    found = cells(**figures)
    steps = (
        pd.DataFrame({"item": ["only-0"], "kind": ["only"], "part": ["frame"], "information": [0.0]})
        if steps is None
        else steps
    )
    return Data(found, steps, counts_of(found, 200, 0))


def value(table, quantity):
    return table[table.quantity == quantity].set_index("item")


def test_differences_are_of_the_same_items():
    """The noise that all rules share does not reach them: intervals of no width."""
    found = measures(
        data(found={(FREE.name, "intact"): 0.25, (CLASSIFIER.name, "intact"): -0.5, (FREE.name, "weak"): 2.0})
    )
    rows = value(found, "found_guided_less_plain")
    assert rows.value.to_dict() == pytest.approx({FREE.name: 0.25, CLASSIFIER.name: -0.5})
    np.testing.assert_allclose(rows[["low", "high"]], rows[["value", "value"]])
    assert value(found, "found_weak_guided_less_plain").value.item() == pytest.approx(2.0)
    assert value(measures(data(nll={(FREE.name, "weak"): 0.75})), "nll_weak_less_intact").value.item() == pytest.approx(
        0.75
    )


def test_attribution_is_of_items_whose_passage_matters():
    found = cells()
    found.loc[found.kind == "common", "found"] = 1e6
    data_ = Data(found, pd.DataFrame(columns=["item", "kind", "part", "information"]), counts_of(found, 10, 0))
    assert abs(mean(by_item(found, "intact", PLAIN.name, "found"), data_.counts)).max() < 2
    assert np.isnan(by_item(found, "intact", PLAIN.name, "found")).sum() == 5
    assert np.isfinite(by_item(found, "intact", PLAIN.name, "nll")).all()


def test_dynamic_less_static_is_read_at_equal_entropy():
    """Static: found = 2 entropy through (0, 0), (1, 2), (2, 4); at entropy 1.5 the dynamic rule's 3.4 is .4 above."""
    entropy = {
        (GREEDY.name, "intact"): 0.0,
        (STATIC.name, "intact"): 1.0,
        (PLAIN.name, "intact"): 2.0,
        (SIGMA.name, "intact"): 1.5,
    }
    share = {key: 2 * x for key, x in entropy.items()} | {(SIGMA.name, "intact"): 3.4}
    found = cells(entropy=entropy, found=share)
    for name in ("entropy", "found"):  # without the noise: the two measures are of other items
        found[name] = [{"entropy": entropy, "found": share}[name].get((rule, prior), 0.0)
                       for rule, prior in zip(found.rule, found.prior, strict=True)]  # fmt: skip
    steps = pd.DataFrame({"item": ["only-0"], "kind": ["only"], "part": ["frame"], "information": [0.0]})
    [(_, values)] = QUANTITIES["found_dynamic_less_static"](Data(found, steps, counts_of(found, 20, 0)))
    np.testing.assert_allclose(values, 0.4)
    beyond = found.assign(entropy=found.entropy.where(found.rule != SIGMA.name, 9.0))
    [(_, values)] = QUANTITIES["found_dynamic_less_static"](Data(beyond, steps, counts_of(found, 20, 0)))
    assert np.isnan(values).all(), "no static answers are as diverse"


def test_relevance_is_weighted_by_the_items_drawn():
    steps = pd.DataFrame(
        [("only-0", "only", "evidence", 3.0), ("only-0", "only", "frame", 1.0), ("only-1", "only", "evidence", 0.5),
         ("only-1", "only", "end", 9.0), ("common-0", "common", "frame", 99.0)],
        columns=["item", "kind", "part", "information"],
    )  # fmt: skip
    table = measures(data(steps))
    assert value(table, "relevance_auc").value.item() == 0.5
    [(_, values)] = QUANTITIES["relevance_auc"](data(steps))
    assert set(np.round(values[np.isfinite(values)], 6)) > {0.5, 1.0}


def test_cells_are_means_over_an_items_answers():
    rows = pd.DataFrame(
        {
            "prior": "intact", "rule": "free(1)", "family": "free", "strength": 1.0, "T": 1.0, "kind": "only",
            "item": ["a", "a", "b"], "text": ["one two three", "one two four", "five"], "found": [True, False, True],
            **{name: [1.0, 3.0, 5.0] for name in MEANS if name not in ("found", "evidence")}, "evidence": np.nan,
        }
    )  # fmt: skip
    found = cells_from(rows).set_index("item")
    assert found.nll.to_dict() == {"a": 2.0, "b": 5.0}
    assert found.found.to_dict() == {"a": 0.5, "b": 1.0}
    assert found.distinct["a"] == 3 / 4
    assert np.isnan(found.distinct["b"])
    assert found.evidence.isna().all()
    table = rules_table(found.reset_index(), counts_of(found.reset_index(), 50, 0))
    assert table.nll.item() == 3.5
    assert (table.nll_low <= table.nll).all()
    assert table.evidence.isna().all()


def apart(side):
    """Data where every rule and every step of the evidence differ by `side` or more."""
    moved = {(FREE.name, "intact"): side, (CLASSIFIER.name, "intact"): side, (FREE.name, "weak"): side}
    moved |= {(STATIC.name, "intact"): 2 * side, (GREEDY.name, "intact"): 3 * side, (SIGMA.name, "intact"): side}
    figures = dict.fromkeys(("found", "evidence", "nll", "distinct"), moved)
    steps = pd.DataFrame(
        [(item, kind, part, side * (part == "evidence")) for kind, item in ITEMS for part in ("evidence", "frame")],
        columns=["item", "kind", "part", "information"],
    )
    return data(steps, **figures)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_no_control_fails_whichever_side_the_effects_have(side):
    """Also where guidance does the opposite of what is said: the verdict is then against it, and no control fails."""
    found = apart(side)
    real, null = measures(found), dealt(found, 0)
    verdicts = {one.id: one.verdict(real, len(ITEMS)) for one in sentences(GUIDED)}
    assert verdicts["chang.emp.anchor"] == ("reproduced" if side > 0 else "not-reproduced")
    assert verdicts["chang.emp.relevance"] == ("reproduced" if side > 0 else "not-reproduced")
    assert all(null_control(one, null, len(ITEMS)).rejected for one in sentences(GUIDED))


def test_names_are_dealt_within_items_and_with_all_that_belongs_to_them():
    found = apart(1.0)
    null = nulls._dealt(found.cells, ["rule", "family"], np.random.default_rng(0))
    assert (null.rule != found.cells.rule).mean() > 0.5
    assert null.drop(columns=["rule", "family"]).equals(found.cells.drop(columns=["rule", "family"]))
    for column in ("item", "family"):
        assert set(zip(null.rule, null[column], strict=True)) == set(
            zip(found.cells.rule, found.cells[column], strict=True)
        )


def test_a_rule_that_calls_null_data_reproduced_is_caught(monkeypatch):
    """Intervals that are too narrow, and names that were not dealt out."""
    found = apart(1.0)
    anchor = next(one for one in sentences(GUIDED) if one.id == "chang.emp.anchor")
    monkeypatch.setattr(nulls, "_dealt", lambda table, columns, rng: table)
    assert not null_control(anchor, dealt(found, 0), len(ITEMS)).rejected
