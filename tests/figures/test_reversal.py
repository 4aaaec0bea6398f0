import numpy as np
import pandas as pd
import pytest

from figures import reversal


@pytest.fixture
def tables():
    """Tables of the right columns with numbers of no meaning: a figure must show whatever it is given."""
    rng = np.random.default_rng(0)

    def cells(**keys):
        grid = pd.MultiIndex.from_product(list(keys.values()), names=list(keys)).to_frame(index=False)
        value = rng.uniform(-1, 1, len(grid))
        return grid.assign(value=value, predicted=value, low=value - 0.1, high=value + 0.1)

    worlds = cells(exponent=[0.01, 0.1, 1.0], noise=[0.1, 0.5, 2.0], weighting=list(reversal.WEIGHTINGS))
    boundaries = pd.DataFrame(
        [(s, name, k * s) for k, name in enumerate(reversal.WEIGHTINGS, 1) for s in (0.01, 0.1, 1.0)],
        columns=["exponent", "weighting", "noise"],
    )
    selections = cells(correlation=[-0.5, 0.0, 0.5], probability=[0.1, 0.5, 0.9])
    selections["predicted"] = selections["correlation"] - 1 + selections["probability"]
    schemes = cells(spread=[0.1, 0.3, 1.0], size=[1, 10, 100])
    schemes = schemes.assign(between=-schemes["spread"], within=2.0)
    seeds = cells(world=list(reversal.KINDS), law=list(reversal.LAWS), quantity=["pearson", "spearman"])
    return worlds, boundaries, selections, schemes, seeds


def panel(figure, letter):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(letter))


def test_every_table_is_named_and_the_caption_speaks():
    assert len(reversal.TABLES) == 5
    assert reversal.CAPTION.endswith(".")


def test_phases_count_the_negative_correlations(tables):
    worlds = tables[0]
    mesh = panel(reversal.draw(*tables), "a").collections[0]
    shown = np.asarray(mesh.get_array()).reshape(3, 3)
    for i, noise in enumerate((0.1, 0.5, 2.0)):
        for j, exponent in enumerate((0.01, 0.1, 1.0)):
            cell = worlds[(worlds["noise"] == noise) & (worlds["exponent"] == exponent)]
            assert shown[i, j] == (cell["value"] < 0).sum()


def test_exact_boundaries_lie_over_the_cells(tables):
    figure = reversal.draw(*tables)
    lines = {line.get_label(): line for line in panel(figure, "a").lines}
    for k, (label, _) in enumerate(reversal.WEIGHTINGS.values(), 1):
        np.testing.assert_allclose(lines[label].get_ydata(), k * np.array([0.01, 0.1, 1.0]))
    assert tuple(np.ravel(lines["as published"].get_xydata())) == reversal.PUBLISHED
    (line,) = panel(figure, "c").lines
    np.testing.assert_allclose(line.get_xydata(), [[0.1, 20], [0.3, 2 / 0.3], [1.0, 2]])
    contour = panel(figure, "b").collections[1].get_paths()[0].vertices
    np.testing.assert_allclose(contour.sum(axis=1), 1, atol=1e-12)  # predicted = 0


@pytest.mark.parametrize(("letter", "table", "rows"), [("b", 2, "correlation"), ("c", 3, "size")])
def test_cells_are_those_of_the_table(tables, letter, table, rows):
    mesh = panel(reversal.draw(*tables), letter).collections[0]
    columns = {"correlation": "probability", "size": "spread"}[rows]
    exact = tables[table].pivot(index=rows, columns=columns, values="value")
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(3, 3), exact)
    assert mesh.get_clim() == (-1, 1)


def test_control_shows_pearson_of_each_kind_of_world(tables):
    seeds = tables[4].query("quantity == 'pearson'")
    axes = panel(reversal.draw(*tables), "d")
    lines = {line.get_label(): line for line in axes.lines}
    for kind, mark in reversal.KINDS.items():
        rows = seeds[seeds["world"] == kind].set_index("law")["value"]
        np.testing.assert_array_equal(lines[mark.label].get_xdata(), rows[list(reversal.LAWS)])
    top_down = [label.get_text() for label in axes.get_yticklabels()][::-1]
    assert top_down == list(reversal.LAWS.values())


def test_panels_stay_inside_the_figure_and_apart(tables, assert_apart):
    assert_apart(reversal.draw(*tables))
