"""The eight experiments at the size of a test: exactness, keyed draws, and rules that can come out either way."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from tests.toy.promised import keeps_its_promise
from theory.layers import sequence_kl
from toy import controlled, controlled_world, findings, transfer_findings
from toy.comparisons import at_base, blocks, curve, plain
from toy.controlled_world import BLOCK, SMALL, ingredients
from toy.findings import FINDINGS, Finding, finding
from toy.outcomes import LESS, OUTCOMES, copied, scaled, without_tuned_weights

METHODS = {"base", "tokenwise", "PPO", "DPO", "IPO", "best-of-K", "blockwise", "blockwise less length",
           "DPO + blockwise", "DPO + best-of-K"}  # fmt: skip


@pytest.fixture(scope="module")
def tables():
    return controlled.run(3, small=True)


def test_every_rule_is_there_and_none_lies_above_the_frontier(tables):
    assert keeps_its_promise("toy_controlled", tables)
    points = tables["toy_controlled_points"]
    assert set(points["method"]) == METHODS
    assert np.isfinite(points[["kl", "reward_mean", "optimum", "win", "judged", "tokens"]].to_numpy()).all()
    assert (points["reward_mean"] <= points["optimum"] + 1e-10).all()
    assert points["win"].between(0, 1).all()
    assert (points["kl"] >= -1e-12).all()


def test_every_point_says_how_it_was_made(tables):
    points = tables["toy_controlled_points"]
    of = {str(method): rows for method, rows in points.groupby("method")}
    sizes = {"blockwise": {*SMALL.M, BLOCK}, "blockwise less length": {BLOCK}, "DPO + blockwise": {BLOCK},
             "DPO + best-of-K": {SMALL.horizon}}  # fmt: skip
    assert {method: set(of[method]["M"]) for method in sizes} == sizes
    assert {method: set(of[method]["K"]) for method in sizes} == {method: set(SMALL.K) for method in sizes}
    assert set(of["best-of-K"]["K"]) == set(SMALL.K_answers)
    every = {"V*", "CD-FUDGE", "CD-Q"}
    learned = {"tokenwise": every, "blockwise": every, "blockwise less length": {"CD-FUDGE"},
               "DPO + blockwise": {"CD-Q"}, "DPO + best-of-K": {"CD-Q"}}  # fmt: skip
    assert {method: set(of[method]["scorer"]) for method in learned} == learned
    assert set(points.loc[points["kl_policy"].notna(), "method"]) == {"DPO + blockwise", "DPO + best-of-K"}
    weighed = {"tokenwise", "PPO", "DPO", "IPO", "blockwise less length", "DPO + blockwise", "DPO + best-of-K"}
    assert set(points.loc[points["strength"].notna(), "method"]) == weighed
    assert set(of["blockwise less length"]["reward"]) == {"helpful"}
    assert set(of["IPO"]["reward"]) == {"length", "helpful", "pairs"}
    assert {base: set(rows["method"]) for base, rows in points.groupby("base")} == {
        "bigram": METHODS,
        "trigram": {"base", "tokenwise", "blockwise", "best-of-K"},
    }


def test_the_frontier_has_no_gap(tables):
    rows = tables["toy_controlled_frontier"]
    np.testing.assert_allclose(rows["primal"], rows["dual"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(rows["reward_mean"], rows["optimum"], rtol=0, atol=1e-10)


def test_the_kl_of_blocks_is_below_the_later_versions_bound(tables):
    rows = tables["toy_controlled_points"].dropna(subset=["bound"])
    assert (rows["kl_blocks"] <= rows["bound"] + 1e-12).all()
    on_base = ~rows["method"].str.startswith("DPO")
    np.testing.assert_array_equal(rows["kl"][on_base], rows["kl_blocks"][on_base])
    assert (rows["kl"] - rows["kl_blocks"])[~on_base].abs().min() > 1e-6


def test_the_tuned_weight_keeps_the_length(tables):
    points = tables["toy_controlled_points"]
    usual = at_base(points, LESS, "tokens")
    kept = curve(points, LESS)[curve(points, LESS)["strength"] > 0]
    # The length jumps where blocks change ranks, by up to .07 tokens here, and rounding chooses the side of a jump.
    np.testing.assert_allclose(kept["tokens"], usual, atol=0.1)
    left = without_tuned_weights(points)
    assert (left.loc[left["method"] == "blockwise less length", "strength"] == 0).all()
    assert len(points) - len(left) == len(kept)


def test_same_seed_same_tables_other_seed_other_learning(tables):
    again, other = controlled.run(3, small=True), controlled.run(4, small=True)
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name])
    same, fresh = tables["toy_controlled_points"], other["toy_controlled_points"]
    fixed = same["method"].isin(["best-of-K"]) & (same["reward"] != "helpful")  # that reward is fitted to draws
    pd.testing.assert_frame_equal(same[fixed], fresh[fixed])
    assert not np.allclose(curve(same, plain("length", "PPO"))["kl"], curve(fresh, plain("length", "PPO"))["kl"])


def test_a_scorer_is_read_by_the_last_letter_on_another_base():
    made = ingredients(0, SMALL)
    values, q = made.values("length", "CD-Q", "trigram"), made.action_values("length", "CD-Q", "trigram")
    assert values.shape == (SMALL.horizon + 1, 82)
    np.testing.assert_array_equal(values[:, 1:28], values[:, 28:55])
    np.testing.assert_array_equal(q[:, 28:55], made.scorers["length", "CD-Q"][:, 1:])
    exact = made.values("length", "V*", "trigram")
    assert np.abs(exact[:, 1:28] - exact[:, 28:55]).max() > 1e-3  # while the base's own values know more
    strength, policy = made.tuned("length")
    spent = sequence_kl(made.worlds["length", "bigram"].layers, policy)
    assert strength in SMALL.strengths("length")["DPO"]
    assert spent > 0


def test_each_thing_learned_has_its_own_stream(monkeypatch):
    asked, keyed = Counter(), controlled_world.keyed

    def noted(*key):
        asked[key] += 1
        return keyed(*key)

    monkeypatch.setattr(controlled_world, "keyed", noted)
    ingredients(5, SMALL)
    answers = {(5, 1, reward): 2 for reward in range(3)}  # both scorers learn from the same
    methods = [(reward, method) for reward in (0, 1) for method in range(3)] + [(2, 2)]  # the pairs train IPO alone
    assert asked == {(5, 0, 0): 1, (5, 0, 1): 1, **answers, **{(5, 2, *made, 0): 1 for made in methods}}


def test_scorers_of_one_size_learn_from_the_same_answers(monkeypatch):
    asked, keyed = Counter(), controlled.keyed

    def noted(*key):
        asked[key] += 1
        return keyed(*key)

    made = ingredients(5, SMALL)
    monkeypatch.setattr(controlled, "keyed", noted)
    list(controlled._samples(made, 5))
    assert asked == {(5, 3, reward, count): 2 for reward in range(3) for count in SMALL.sample_sizes}
    assert max(map(len, made.texts)) == SMALL.horizon - 1  # the last place is the end's


def test_a_tie_is_half_right():
    assert controlled_world.share_right(np.array([3.0, 0.0, -1.0, 0.5])) == 2.5 / 4
    made = ingredients(5, SMALL)
    assert all(0.5 < share < 1 for share in made.accuracy)


def test_findings_are_decided_by_their_margins(tables):
    found = tables["toy_controlled_findings"]
    assert set(found["id"]) == set(FINDINGS) == set(OUTCOMES)
    assert set(found["experiment"]) == {*"12345678", "conclusion"}
    assert (found["holds"] == (found["margin"] >= 0)).all()


def test_planted_tables_move_the_margins(tables):
    points, scorers = tables["toy_controlled_points"], tables["toy_controlled_scorers"]
    halved = scaled(points, blocks("length"), by=0.5)
    np.testing.assert_allclose(
        curve(halved, blocks("length"))["tokens"] - at_base(points, blocks("length"), "tokens"),
        (curve(points, blocks("length"))["tokens"] - at_base(points, blocks("length"), "tokens")) / 2,
    )
    alike = copied(points, (blocks("length"), plain("length", "best-of-K")))
    assert alike.index.is_unique  # `scaled` finds rows by it
    assert FINDINGS["length.blocks"].margin(alike, scorers) == pytest.approx(0.05)
    assert FINDINGS["length.six_for_fifty"].margin(halved, scorers) < 0


def test_the_least_gain_at_equal_budget_decides():
    rows = [{"reward": "length", "base": "bigram", "method": "base", "reward_mean": 2.0}]
    for K, factor in ((4, 1.1), (8, 1.2), (16, 1.4)):  # noqa: N806
        for kl in (0.5, 2.0, 8.0):
            ours = {**blocks("length", M=4, K=K), "kl": kl, "reward_mean": 2 + factor * np.sqrt(kl)}
            theirs = {**plain("length", "DPO + best-of-K", K=K), "kl": kl, "reward_mean": 2 + np.sqrt(kl)}
            rows += [ours, theirs]
    points = pd.DataFrame(rows)
    assert FINDINGS["budget"].margin(points, points) == pytest.approx(0.1)
    assert FINDINGS["budget.gap"].margin(points, points) == pytest.approx(0.1)


def test_a_finding_is_told_as_it_was_registered(monkeypatch):
    monkeypatch.setattr(findings, "FINDINGS", {})
    for id, margin in (("a", 0.0), ("b", -0.1), ("c", np.nan)):
        findings.finding(id, "9", f"{id}, as found", "by rule")(lambda points, scorers, margin=margin: margin)
    told = findings.findings(pd.DataFrame(), pd.DataFrame())
    assert list(told.columns) == ["id", "experiment", "statement", "rule", "margin", "holds"]
    assert told.iloc[0].tolist() == ["a", "9", "a, as found", "by rule", 0.0, True]
    assert told["holds"].tolist() == [True, False, False]


def test_the_policy_under_the_blocks_is_the_one_with_every_k():
    rows = {"reward": "helpful", "base": "bigram", "method": "DPO + blockwise", "kl": [1.0, 2.0, 3.0, 4.0, 5.0]}
    points = pd.DataFrame(rows | {"strength": [0.1, 0.3, 0.3, 0.3, 1.0]})
    assert transfer_findings._tuned(points) == plain("helpful", "DPO + blockwise", strength=0.3)


def test_a_finding_has_one_rule():
    taken = next(iter(FINDINGS))
    with pytest.raises(ValueError, match="registered twice"):
        finding(taken, "1", "", "")(lambda points, scorers: 0.0)
    assert isinstance(FINDINGS[taken], Finding)
