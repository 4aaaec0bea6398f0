import numpy as np
import pandas as pd
import pytest

from figures import normalisation


@pytest.fixture
def tables():
    rng = np.random.default_rng(0)
    families = ["top_k", "nucleus", "temperature"]
    rejected = rng.uniform(0.02, 0.3, 9)
    tree = pd.DataFrame(
        {
            "family": np.repeat(families, 3),
            "kl_global_local": rng.uniform(0.001, 1, 9),
            "kl_local_global": rng.uniform(0.001, 1, 9),
            "acceptance": 1 - rejected,
            "tv": 0.7 * rejected,
        }
    )
    endless = tree.assign(kl_local_global=[np.inf, *rng.uniform(0.001, 1, 8)])
    names = [
        f"temperature({T})+{cut}" if T != 1 else cut
        for cut in normalisation.SETTINGS
        for T in (0.5, 0.75, 1, 1.25, 1.5)
    ]
    share = rng.uniform(0.2, 0.8, len(names))
    accepted = pd.DataFrame({"adaptor": names, "share": share, "low": share - 0.1, "high": share + 0.05})
    heat = np.linspace(0.3, 1.19, 30)
    heating = pd.DataFrame(
        {"temperature": heat, "length_local": 4 - heat, "length_global": 1 / (1.2 - heat), "critical": 1.2}
    )
    poles = pd.DataFrame(
        {
            "model": np.repeat(["one", "two"], 3),
            "temperature": [0.5, 1, 1.5] * 2,
            "log_z": [-1, 0, np.inf, -2, 0, 1],
            "critical": np.repeat([1.4, 1.6], 3),
        }
    )
    leak = pd.DataFrame(
        {
            "temperature": [0.5, 1, 1.5, 2, 2.5],
            "finite_local": [0.7, 1, 1, 1, 1],
            "finite_global": [1, 1, 1, np.nan, np.nan],
            "log_z": [-1, 0, 1, np.inf, np.inf],
        }
    )
    return tree, endless, accepted, heating, poles, leak


def panel(figure, letter):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(f"{letter}  "))


def test_divergences_show_every_finite_pair_once(tables):
    tree, endless = tables[:2]
    shown = np.concatenate([c.get_offsets() for c in panel(normalisation.draw(*tables), "a").collections])
    both = pd.concat([tree, endless[np.isfinite(endless["kl_local_global"])]])
    np.testing.assert_array_equal(shown, both[["kl_global_local", "kl_local_global"]])


def test_total_variation_lies_in_the_certified_wedge(tables):
    tree = tables[0]
    wedge, *clouds = panel(normalisation.draw(*tables), "b").collections
    shown = np.concatenate([cloud.get_offsets() for cloud in clouds])
    np.testing.assert_allclose(shown, np.column_stack([1 - tree["acceptance"], tree["tv"]]))
    assert wedge.get_paths()[0].contains_points(shown).all()
    assert not wedge.get_paths()[0].contains_points(shown * [1, 0.5]).any()


def test_each_setting_has_its_shares_with_limits(tables):
    accepted = tables[2]
    axes = panel(normalisation.draw(*tables), "c")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        t for t, _ in normalisation.SETTINGS.values()
    ]
    for (name, _), bars in zip(normalisation.SETTINGS.items(), axes.containers, strict=True):
        rows = accepted[accepted["adaptor"].str.endswith(name)]  # already by temperature
        line, _, (segments,) = bars
        moved_aside = line.get_xdata().astype(float)
        np.testing.assert_allclose(moved_aside, [0.5, 0.75, 1, 1.25, 1.5], atol=0.02)
        np.testing.assert_array_equal(line.get_ydata(), rows["share"])
        limits = np.array([segment[:, 1] for segment in segments.get_segments()])
        np.testing.assert_allclose(limits.astype(float), rows[["low", "high"]])


def test_lengths_and_their_pole(tables):
    heating = tables[3]
    axes = panel(normalisation.draw(*tables), "d")
    lines = {line.get_label(): line for line in axes.lines}
    for name in ("local", "global"):
        np.testing.assert_array_equal(lines[name].get_xydata(), heating[["temperature", f"length_{name}"]])
    assert "1.200" in axes.texts[0].get_text()


def test_log_z_is_drawn_where_it_is_finite_and_its_pole_marked(tables):
    axes = panel(normalisation.draw(*tables), "e")
    lines = {str(line.get_label()): line for line in axes.lines}
    np.testing.assert_array_equal(lines["one: 1.400"].get_xydata(), [[0.5, -1], [1, 0]])
    np.testing.assert_array_equal(lines["two: 1.600"].get_xydata(), [[0.5, -2], [1, 0], [1.5, 1]])
    marks = [line.get_xdata() for line in axes.lines if list(line.get_xdata()) in ([1.4, 1.4], [1.6, 1.6])]
    assert len(marks) == 2


def test_leak_shows_both_masses_and_where_the_global_law_ends(tables):
    leak = tables[5]
    axes = panel(normalisation.draw(*tables), "f")
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_array_equal(lines["local"].get_ydata(), leak["finite_local"])
    np.testing.assert_array_equal(lines["global"].get_ydata(), leak["finite_global"])
    assert axes.patches[0].get_x() == 2
    assert any("0.700" in note.get_text() for note in axes.texts)


def test_labels_stay_inside_the_figure_and_apart(tables, assert_apart):
    assert_apart(normalisation.draw(*tables))
