import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from figures import evidence, style

QUANTITIES = ["kl", "surprisal", "entropy", "posterior", "information"]
DIALS = {"temperature": "T", "KL-guided temperature": "sigma", "greedy": ""}
FAMILIES = ["some steps", "all steps", "control"]


@pytest.fixture
def tables():
    """Tables of the right columns with numbers of no meaning."""
    rng = np.random.default_rng(0)
    curves = pd.DataFrame(
        [
            (family, rule, DIALS.get(rule, "lambda"), setting, quantity, value, value - 0.05, value + 0.05)
            for family in ("mixture", "two prompts")
            for rule in evidence.RULES
            for setting in ((0.0,) if rule == "greedy" else (4.0, 0.5, 1.0))
            for quantity, value in zip(QUANTITIES, rng.uniform(-1, 1, 5), strict=True)
        ],
        columns=["family", "rule", "dial", "setting", "quantity", "value", "low", "high"],
    )
    dynamic = pd.DataFrame(
        [
            (family, sigma, matched, quantity, value, value - 0.01, value + 0.01)
            for family in FAMILIES
            for sigma in (0.1, evidence.SIGMA)
            for matched in ("entropy", "kl")
            for quantity, value in zip(QUANTITIES, rng.uniform(-0.1, 0.1, 5), strict=True)
        ],
        columns=["family", "sigma", "matched", "quantity", "value", "low", "high"],
    )
    return curves, dynamic


def panel(figure, letter):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(letter))


@pytest.mark.parametrize(
    ("letter", "x", "y"), [("a", "kl", "entropy"), ("b", "kl", "information"), ("c", "entropy", "information")]
)
def test_planes_hold_each_rule_of_the_exact_family_in_the_order_of_its_dial(tables, letter, x, y):
    curves = tables[0]
    lines = panel(evidence.draw(*tables), letter).lines
    for line, (rule, mark) in zip(lines[: len(evidence.RULES)], evidence.RULES.items(), strict=True):
        rows = curves[(curves["family"] == "mixture") & (curves["rule"] == rule)].sort_values("setting")
        for data, quantity in ((line.get_xdata(), x), (line.get_ydata(), y)):
            np.testing.assert_array_equal(data, rows[rows["quantity"] == quantity]["value"])
        assert (to_hex(line.get_color()).upper(), line.get_marker()) == (mark.colour, mark.marker)
    assert lines[-1].get_marker() == "*"
    assert (list(lines[-1].get_xdata()), list(lines[-1].get_ydata())) == ([0], [0])


def test_strengths_show_both_models_without_the_evidence(tables):
    curves = tables[0]
    axes = panel(evidence.draw(*tables), "d")
    dashed = [line for line in axes.lines if line.get_linestyle() == "--" and len(line.get_xdata())]
    assert len(dashed) == 1
    rows = curves[
        (curves["family"] == "two prompts")
        & (curves["rule"] == "classifier-free")
        & (curves["quantity"] == "posterior")
    ].sort_values("setting")
    np.testing.assert_array_equal(dashed[0].get_xdata(), rows["setting"])
    np.testing.assert_array_equal(dashed[0].get_ydata(), rows["value"])
    assert len(axes.collections) == 5  # a band each: four rules and the dashed one


def test_comparison_holds_three_points_a_family_at_one_sigma(tables):
    dynamic = tables[1]
    axes = panel(evidence.draw(*tables), "e")
    assert [label.get_text() for label in axes.get_yticklabels()] == FAMILIES
    shown = dynamic[dynamic["sigma"] == evidence.SIGMA]
    for line, (matched, quantity) in zip(axes.lines, evidence.COMPARISONS, strict=False):
        rows = shown[(shown["matched"] == matched) & (shown["quantity"] == quantity)]
        np.testing.assert_array_equal(line.get_xdata(), rows["value"])


def test_labels_stay_inside_the_figure_and_apart(tables, assert_apart):
    assert_apart(evidence.draw(*tables))


def test_same_tables_same_bytes(tables, tmp_path):
    first, again = (style.save(evidence.draw(*tables), tmp_path / name, "f") for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
