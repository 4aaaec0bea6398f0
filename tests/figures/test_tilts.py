import numpy as np
import pandas as pd
import pytest

from figures import tilts


@pytest.fixture
def tables():
    """A plane, bands and a cloud of the right columns; numbers of no meaning, but of the right order."""
    rng = np.random.default_rng(0)
    views = []
    for view, unit, depth in ((tilts.STRINGS, 1.0, 3e5), (tilts.CLOUD, 0.01, 20.0)):
        steps = np.linspace(-1, 1, 9)
        x, r = (side.ravel() for side in np.meshgrid(steps, steps, indexing="ij"))
        log_probability = np.where(np.hypot(x, r) > 1.3, -np.inf, -depth * (x**2 + r**2) / 1.5)
        columns = {"mean_log_prior": unit * x - 7, "mean_reward": unit * r + 2, "log_probability": log_probability}
        views.append(pd.DataFrame(columns).assign(view=view))
    rows = []
    for name, unit, price in (("released", 0.005, 0.2), ("wide", 0.5, 3e3)):
        edges = unit * np.linspace(-1, 1, 11) - 7
        for band in range(10):
            cost = -price * max(0, abs(band - 4.5) - 0.5) ** 2
            rows.append((name, band, edges[band], edges[band + 1], 2 - unit * (band - 4.5) / 9, cost))
    bands = pd.DataFrame(rows, columns=["bands", "band", "low", "high", "mean_reward", "log_probability"])
    cloud = pd.DataFrame(
        {
            "mean_log_prior": rng.normal(-7, 2e-3, 60),
            "mean_reward": rng.normal(2, 2e-3, 60),
            "typical": rng.random(60) < 0.3,
        }
    )
    grid = pd.MultiIndex.from_product([list(tilts.KINDS), list(tilts.LAWS), ["pearson", "slope"]])
    seeds = grid.to_frame(index=False, name=["world", "law", "quantity"])
    seeds["value"] = rng.uniform(-1, 0.5, len(seeds))
    seeds["low"], seeds["high"] = seeds["value"] - 0.1, seeds["value"] + 0.1
    return pd.concat(views, ignore_index=True), bands, cloud, seeds


def panel(figure, letter):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(letter))


def test_cloud_panel_holds_every_corpus_and_band(tables):
    _, bands, cloud, _ = tables
    axes = panel(tilts.draw(*tables), "b")
    marked = {artist.get_label(): artist for artist in axes.collections}
    for label, typical in (("typical", True), ("atypical", False)):
        points = cloud.loc[cloud["typical"] == typical, ["mean_log_prior", "mean_reward"]]
        np.testing.assert_array_equal(marked[label].get_offsets(), points)
    edges = sorted({line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 2})
    released = bands[bands["bands"] == "released"]
    np.testing.assert_allclose(edges, [*released["low"], released["high"].iloc[-1]])


def test_outer_bands_carry_their_price(tables):
    figure = tilts.draw(*tables)
    assert [text.get_text() for text in panel(figure, "b").texts if "outer" in text.get_text()] == [
        "outer band: −3.2 nats",
        "outer band: −3.2 nats",
    ]
    assert [text.get_text() for text in panel(figure, "a").texts if "nats" in text.get_text()] == ["−48,000 nats"] * 2


def test_bands_across_a_string_sit_at_their_nearest_edges(tables):
    _, bands, cloud, _ = tables
    lines = {line.get_label(): line for line in panel(tilts.draw(*tables), "a").lines}
    wide = bands[(bands["bands"] == "wide") & (bands["log_probability"] < 0)]
    shown = lines["cheapest of each band"]
    np.testing.assert_allclose(shown.get_xdata(), [*wide["high"].iloc[:4], *wide["low"].iloc[4:]])
    np.testing.assert_allclose(shown.get_ydata(), wide["mean_reward"])
    centre = cloud[["mean_log_prior", "mean_reward"]].mean()
    np.testing.assert_allclose(lines["all 1,000 corpora"].get_xydata()[0], centre)
    np.testing.assert_allclose(lines["typical: r + log p = −H"].get_xydata().sum(axis=1), centre.sum())


@pytest.mark.parametrize(("letter", "quantity"), [("c", "pearson"), ("d", "slope")])
def test_resamplings_are_those_of_the_table(tables, letter, quantity):
    seeds = tables[3][tables[3]["quantity"] == quantity]
    axes = panel(tilts.draw(*tables), letter)
    lines = {line.get_label(): line for line in axes.lines}
    for kind, mark in tilts.KINDS.items():
        rows = seeds[seeds["world"] == kind].set_index("law")["value"]
        np.testing.assert_array_equal(lines[mark.label].get_xdata(), rows[list(tilts.LAWS)])


def test_contours_are_at_the_levels_and_leave_out_what_no_corpus_can_have(tables):
    axes = panel(tilts.draw(*tables), "a")
    lines = axes.collections[1]
    np.testing.assert_array_equal(lines.levels, tilts.LEVELS[tilts.STRINGS])
    ring = lines.get_paths()[-1].vertices  # -1,000: a circle of radius sqrt(1.5 * 1e3 / 3e5) about the middle
    radius = np.hypot(ring[:, 0] + 7, ring[:, 1] - 2)
    # Linear interpolation of a parabola on a grid of step .25: anywhere below .1.
    assert 0 < radius.min() <= radius.max() < 0.1


def test_panels_stay_inside_the_figure_and_apart(tables, assert_apart):
    assert_apart(tilts.draw(*tables))
