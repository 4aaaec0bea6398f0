"""The two figures of guidance: every rule where it stands, intervals, hollow marks, shares of steps."""

import numpy as np
import pandas as pd
import pytest

from figures import chang_relevance, chang_tradeoffs


@pytest.fixture
def rules():
    rows = []
    for prior, family, strength, T in (  # noqa: N806
        ("intact", "none", 0.0, 0.5), ("intact", "none", 0.0, 1.0), ("intact", "free", 1.0, 1.0),
        ("intact", "free", 2.0, 1.0), ("intact", "classifier", 1.0, 1.0), ("intact", "kl", 0.3, 1.0),
        ("weak", "free", 1.0, 1.0),
    ):  # fmt: skip
        row = {"prior": prior, "rule": f"{family}({strength})", "family": family, "strength": strength, "T": T}
        for place, name in enumerate(chang_tradeoffs.NAMES):
            value = strength + T + place + 0.1 * len(rows)
            row |= {name: value, f"{name}_low": value - 0.2, f"{name}_high": value + 0.3}
        rows.append(row)
    return pd.DataFrame(rows)


def curve(axes, label):
    return next(line for line in axes.get_lines() if line.get_label() == label)


def test_every_rule_is_where_its_measures_are(rules):
    first, second, third = chang_tradeoffs.draw(rules).axes
    free = rules[(rules.family == "free") & (rules.prior == "intact")]
    found = curve(first, "classifier-free guidance λ")
    np.testing.assert_allclose(found.get_xydata(), free[["nll", "found"]])
    guided = rules[rules.family == "kl"][["entropy", "found"]]
    np.testing.assert_allclose(curve(second, "KL-guided temperature σ").get_xydata(), guided)
    static = rules[rules.family == "none"]
    np.testing.assert_allclose(curve(third, "static temperature T").get_xydata(), static[["nll", "distinct"]])
    hollow = [line for line in first.get_lines() if line.get_fillstyle() == "none"]
    weak = rules[rules.prior == "weak"][["nll", "found"]]
    np.testing.assert_allclose([line.get_xydata()[0] for line in hollow], weak)
    assert {text.get_text() for text in first.texts} == {"0.5", "1", "2"}


def test_an_unknown_rule(rules):
    with pytest.raises(ValueError, match="no mark for the rules magic"):
        chang_tradeoffs.draw(rules.assign(family="magic"))


def test_the_share_of_steps_above_each_level():
    steps = pd.DataFrame(
        [("only", "evidence", 2.0), ("only", "evidence", 0.5), ("only", "frame", 0.0), ("only", "end", 9.0),
         ("conflict", "evidence", 1.0), ("common", "frame", 0.1)],
        columns=["kind", "part", "information"],
    )  # fmt: skip
    measures = pd.DataFrame([{"quantity": "relevance_auc", "value": 0.9, "low": 0.8, "high": 0.95}])
    figure = chang_relevance.draw(steps, measures)
    evidence, frame = figure.axes[0].get_lines()
    least = chang_relevance.LEAST
    np.testing.assert_allclose(evidence.get_xydata(), [[least, 1.0], [0.5, 0.5], [2.0, 0.0]])
    assert evidence.get_drawstyle() == "steps-post", "from a value on it is no longer above"
    np.testing.assert_allclose(frame.get_xydata(), [[least, 1.0], [least, 0.0]])
    assert "0.90 [0.80, 0.95]" in figure.legends[0].get_title().get_text()
