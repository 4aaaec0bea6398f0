import numpy as np
import pandas as pd
import pytest

from figures import style, tan_fig1


@pytest.fixture
def tables():
    """Tables of the right columns with numbers of no meaning: a figure must show whatever it is given."""
    rng = np.random.default_rng(0)
    kinds = [f"{kind}{suffix}" for suffix in ("", "_banded") for kind in ("all", "typical", "atypical")]
    quantities = [*tan_fig1.LEVELS, "corpus_pearson_atypical", "corpus_pearson_atypical_banded"]
    summary = pd.DataFrame({"quantity": quantities, "value": rng.uniform(-1, 1, len(quantities))})
    summary["low"], summary["high"], summary["reported"] = summary["value"] - 0.1, summary["value"] + 0.1, np.nan
    summary.loc[[0, 4], "reported"] = [0.49, -0.92]
    factors = {"same world": 0.5, "fresh worlds": 0.25, "unrelated reward": -0.5}
    variants = [summary.assign(variant=name, value=k * summary["value"]) for name, k in factors.items()]
    widths = pd.DataFrame(
        [
            (variant, epsilon, quantity, value, value - 0.05, value + 0.05)
            for variant, k in (("same world", 1), ("unrelated reward", 0.5))
            for epsilon, share in ((0.0005, 0.1), (0.001, 0.2), (0.01, 0.9))
            for quantity, value in (("share", share), ("pearson", k * (share - 1)))
        ],
        columns=["variant", "epsilon", "quantity", "value", "low", "high"],
    )
    strings = pd.DataFrame(
        {"object": range(50), "log_prior": rng.normal(-7, 0.3, 50), "reward": rng.normal(0, 5, 50), "aligned": 0.02}
    )
    corpora = pd.concat(
        pd.DataFrame(
            {
                "selection": kind,
                "corpus": np.repeat(np.arange(20), 2),
                "mean_log_prior": np.repeat(rng.normal(-7, 1e-3, 20), 2),
                "mean_reward": np.repeat(rng.normal(1, 1e-3, 20), 2),
            }
        )
        for kind in kinds
    )
    return summary, pd.concat(variants), widths, strings, corpora


def panel(figure, letter):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(letter))


def test_string_panel_holds_every_string(tables):
    strings = tables[3]
    points = panel(tan_fig1.draw(*tables), "a").collections[0]
    np.testing.assert_array_equal(points.get_offsets(), strings[["log_prior", "reward"]])
    assert np.ptp(points.get_sizes()) == 0  # equal probabilities, equal areas


@pytest.mark.parametrize(("letter", "suffix"), [("b", ""), ("c", "_banded")])
def test_corpus_panels_hold_each_corpus_once(tables, letter, suffix):
    corpora = tables[4]
    clouds = panel(tan_fig1.draw(*tables), letter).collections
    for cloud, kind in zip(clouds, ("atypical", "typical"), strict=True):
        rows = corpora[corpora["selection"] == kind + suffix].drop_duplicates("corpus")
        np.testing.assert_array_equal(cloud.get_offsets(), rows[["mean_log_prior", "mean_reward"]])
        assert set(cloud.get_sizes()) == {5}  # 3 and the two times that each was drawn


def test_printed_correlations_are_those_of_the_table(tables):
    values = tables[0].set_index("quantity")["value"]
    figure = tan_fig1.draw(*tables)
    for letter, suffix in (("b", ""), ("c", "_banded")):
        legend = panel(figure, letter).get_legend()
        shown = [float(text.get_text().split("= ")[1].replace("−", "-")) for text in legend.get_texts()]
        assert shown == [round(values[f"corpus_pearson_{kind}{suffix}"], 2) for kind in ("atypical", "typical")]


def test_five_correlations_and_the_control_are_those_of_the_tables(tables):
    summary = tables[0]
    axes = panel(tan_fig1.draw(*tables), "d")
    lines = {line.get_label(): line for line in axes.lines}
    values = summary.set_index("quantity")["value"][list(tan_fig1.LEVELS)]
    np.testing.assert_array_equal(lines["measured here"].get_xdata(), values)
    np.testing.assert_array_equal(lines["unrelated reward"].get_xdata(), -0.5 * values)
    reported = lines["reported"].get_xdata()
    assert [reported[0], reported[4]] == [0.49, -0.92]
    assert np.isnan(reported[1:4]).all()
    assert [label.get_text() for label in axes.get_yticklabels()] == list(tan_fig1.LEVELS.values())


def test_width_panel_plots_correlation_against_probability(tables):
    axes = panel(tan_fig1.draw(*tables), "e")
    lines = {line.get_label(): line for line in axes.lines}
    for label, k in (("this world", 1), ("unrelated reward", 0.5)):
        np.testing.assert_allclose(lines[label].get_xdata(), [0.1, 0.2, 0.9])
        np.testing.assert_allclose(lines[label].get_ydata(), k * np.array([-0.9, -0.8, -0.1]))


def test_labels_stay_inside_the_figure_and_apart(tables, assert_apart):
    assert_apart(tan_fig1.draw(*tables))


def test_same_tables_same_bytes(tables, tmp_path):
    first, again = (style.save(tan_fig1.draw(*tables), tmp_path / name, "f") for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    moved = tables[3].assign(reward=tables[3]["reward"] + np.arange(50))
    other = style.save(tan_fig1.draw(*tables[:3], moved, tables[4]), tmp_path / "c", "f")
    assert other[1].read_bytes() != first[1].read_bytes()
