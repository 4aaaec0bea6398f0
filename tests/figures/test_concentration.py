import numpy as np
import pandas as pd
import pytest

from figures import concentration, style

QUANTITIES = ("exact", *concentration.LOOKS)


def probabilities(axis, points, fixed, value):
    """Numbers of no meaning, but for their order: a figure must show whatever it is given."""
    rows = []
    for i, quantity in enumerate(QUANTITIES):
        for point in points:
            p = 10.0 ** (-(i + 1) * np.log2(1 + point))
            rows.append(
                {axis: point, fixed: value, "quantity": quantity, "value": p, "low": p / 2, "high": min(1, 2 * p)}
            )
    return pd.DataFrame(rows).sample(frac=1, random_state=0)


@pytest.fixture
def tables():
    sizes = probabilities("size", (3, 6, 12, 24), "epsilon", 4.0)
    epsilons = probabilities("epsilon", np.linspace(0.1, 8, 30), "size", 12)
    exponents = sizes[sizes["quantity"] != "berry_esseen"].copy()
    exponents["value"] = -np.log2(exponents["value"]) / exponents["size"]
    rates = [
        {"size": n, "epsilon": 4.0, "quantity": q, "value": v}
        for n in (3, 6, 12, 24)
        for q, v in (("rate", 0.2), ("normal_rate", 0.5))
    ]
    crossing = pd.DataFrame(
        {"size": [6, 12], "epsilon": [3.0, 2.5], "x": 4.0, "limit": 4.3, "bound": 0.2, "exact": 0.1}
    )
    return sizes, epsilons, pd.concat([exponents, pd.DataFrame(rates)]), crossing


def panel(figure, letter):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(letter))


def line(axes, quantity):
    label = "exact" if quantity == "exact" else concentration.LOOKS[quantity][3]
    return next(line for line in axes.lines if line.get_label() == label)


@pytest.mark.parametrize(("letter", "index", "x"), [("a", 0, "size"), ("b", 1, "epsilon")])
def test_probability_panels_hold_the_truth_and_every_estimate(tables, letter, index, x):
    axes, table = panel(concentration.draw(*tables), letter), tables[index]
    for quantity in QUANTITIES:
        rows = table[table["quantity"] == quantity].sort_values(x)
        drawn = line(axes, quantity)
        np.testing.assert_array_equal(drawn.get_xdata(), rows[x])
        np.testing.assert_array_equal(drawn.get_ydata(), rows["high" if quantity == "berry_esseen" else "value"])
    assert axes.get_yscale() == "log"
    assert line(axes, "exact").get_color() == style.INK


def test_what_is_below_the_truth_is_shaded(tables):
    figure = concentration.draw(*tables)
    truth = tables[0].query("quantity == 'exact'").set_index("size")["value"]
    corners = panel(figure, "a").collections[0].get_paths()[0].vertices
    for size, value in truth.items():
        assert corners[corners[:, 0] == size][:, 1].max() == value
    exponent = tables[2].query("quantity == 'exact'").set_index("size")["value"]
    corners = panel(figure, "c").collections[0].get_paths()[0].vertices
    for size, value in exponent.items():
        assert corners[corners[:, 0] == size][:, 1].min() == value  # a larger exponent is a smaller probability


def test_exponent_panel_holds_the_exponents_and_their_limits(tables):
    axes, table = panel(concentration.draw(*tables), "c"), tables[2]
    for quantity in ("chebyshev", "chernoff", "bahadur_rao", "normal"):
        rows = table[table["quantity"] == quantity].sort_values("size")
        np.testing.assert_array_equal(line(axes, quantity).get_ydata(), rows["value"])
    level = [set(drawn.get_ydata()) for drawn in axes.lines]
    assert {0.2} in level
    assert {0.5} in level
    assert {text.get_text() for text in axes.texts} == {"min(I₊, I₋)", "ε²/2V"}


def test_crossing_is_that_of_the_panel_s_corpus_size(tables):
    axes = panel(concentration.draw(*tables), "b")
    assert any(set(drawn.get_xdata()) == {2.5} for drawn in axes.lines)
    assert any("left of ε = 2.5" in text.get_text() for text in axes.texts)
    assert "N = 12" in axes.get_title(loc="left")


def test_every_estimate_has_its_own_mark_and_line(tables):
    axes = panel(concentration.draw(*tables), "a")
    drawn = [line(axes, quantity) for quantity in QUANTITIES]
    assert len({one.get_color() for one in drawn}) == len({one.get_marker() for one in drawn}) == len(QUANTITIES)
    assert len({one.get_linestyle() for one in drawn[1:]}) == len(QUANTITIES) - 1
    assert drawn[0].get_linewidth() > max(one.get_linewidth() for one in drawn[1:])


def test_tables_are_named_in_the_order_of_draw():
    parts = ("sizes", "epsilons", "exponents", "crossing")
    assert tuple(f"toy_concentration_{part}" for part in parts) == concentration.TABLES
    assert concentration.CAPTION.endswith(".")
