import numpy as np
import pandas as pd
import pytest

from figures import controlled, style


@pytest.fixture
def tables():
    """Tables of the right columns with numbers of no meaning: a figure must show whatever it is given."""
    rng = np.random.default_rng(0)
    frontier, points = [], []
    for reward in controlled.REWARDS:
        for base in ("bigram", "trigram"):
            points.append((reward, base, "base", None, np.nan, 0.0, -1.0, -1.0))
            frontier += [(reward, base, kl, np.sqrt(kl) - 1, np.sqrt(kl) - 1) for kl in (4.0, 1.0, 9.0)]
            for method, scorer in controlled.CURVES:
                kls = [3.0, 1.0, 8.0, 12.0]  # the last lies beyond what is drawn
                for kl, share in zip(kls, rng.uniform(0.6, 1, 4), strict=True):
                    size = controlled.BLOCK if method == "blockwise" else np.nan
                    reward_mean = share * np.sqrt(kl) - 1
                    points.append((reward, base, method, scorer, size, kl, reward_mean, np.sqrt(kl) - 1))
            points.append((reward, base, "blockwise", "CD-Q", 4.0, 4.0, 0.5, 1.0))  # another size, not drawn
    columns = ["reward", "base", "method", "scorer", "M", "kl", "reward_mean", "optimum"]
    return (
        pd.DataFrame(points, columns=columns),
        pd.DataFrame(frontier, columns=["reward", "base", "kl", "reward_mean", "optimum"]),
    )


def panels(figure):
    return {axes.get_title(loc="left")[0]: axes for axes in figure.axes}


def test_every_rule_is_drawn_in_every_panel_at_its_own_points(tables):
    points = tables[0]
    axes = panels(controlled.draw(*tables))
    for (above, below), reward in zip(("ad", "be", "cf"), controlled.REWARDS, strict=True):
        ours = points[
            (points["reward"] == reward) & (points["base"] == "bigram") & (points["kl"] <= controlled.LARGEST)
        ]
        lines = {line.get_label(): line for line in axes[above].lines}
        shares = {line.get_label(): line for line in axes[below].lines}
        for (method, scorer), mark in controlled.CURVES.items():
            rows = ours[(ours["method"] == method) & (ours["M"].isna() | (ours["M"] == controlled.BLOCK))]
            rows = (rows if scorer is None else rows[rows["scorer"] == scorer]).sort_values("kl")
            np.testing.assert_array_equal(lines[mark.label].get_xdata(), rows["kl"])
            np.testing.assert_array_equal(lines[mark.label].get_ydata(), rows["reward_mean"])
            share = (rows["reward_mean"] + 1) / (rows["optimum"] + 1)
            np.testing.assert_allclose(shares[mark.label].get_ydata(), share)


def test_the_frontier_is_drawn_by_kl_from_the_base(tables):
    line = panels(controlled.draw(*tables))["a"].lines[0]
    assert line.get_label() == "frontier"
    assert (np.diff(line.get_xdata()) >= 0).all()
    np.testing.assert_allclose(line.get_ydata(), np.sqrt(line.get_xdata()) - 1)
    assert line.get_xdata()[0] == 0


def test_a_rule_without_points_is_left_out(tables):
    points, frontier = tables
    figure = controlled.draw(points[(points["reward"] != "pairs") | (points["method"] != "PPO")], frontier)
    labels = {letter: {line.get_label() for line in axes.lines} for letter, axes in panels(figure).items()}
    assert "PPO" in labels["a"]
    assert "PPO" not in labels["c"] | labels["f"]


def test_looks_tell_the_rules_apart_without_colour():
    assert len({mark.marker for mark in controlled.CURVES.values()}) == len(controlled.CURVES)


def test_labels_stay_inside_the_figure_and_apart(tables, assert_apart):
    figure = controlled.draw(*tables)
    assert_apart(figure, figure.legends[0])


def test_same_tables_same_bytes(tables, tmp_path):
    first, again = (style.save(controlled.draw(*tables), tmp_path / name, "f") for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
