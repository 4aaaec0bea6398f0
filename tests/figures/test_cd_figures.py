"""The figures of controlled decoding on a real model, drawn from made-up tables."""

from importlib import import_module

import numpy as np
import pandas as pd
import pytest

from empirical.studies.controlled.tables import measured_from, tables
from figures import frontiers, style
from tests.empirical.studies.controlled.made_up import BLOCK, made_up, pairs, predictions

NUMBERS = range(3, 14)
NAMES = [*(f"cd_fig{number}" for number in NUMBERS), "cd_table1"]


@pytest.fixture(scope="module")
def made():
    """The study's tables of a made-up world."""
    return tables(measured_from(made_up(prompts=12), BLOCK, predictions(), pairs(), times=40))


def drawn(made, name):
    module = import_module(f"figures.{name}")
    return module.draw(*(made[table] for table in module.TABLES))


def panel(figure, place=0):
    return [axes for axes in figure.axes if axes.get_xlabel()][place]


def line(axes, label):
    """The points of the line of a legend's label."""
    [found] = [one for one in axes.lines if one.get_label() == label]
    return np.asarray(found.get_xydata())


@pytest.mark.parametrize("name", NAMES)
def test_panels_are_apart_and_what_was_found_is_said(made, name, assert_apart):
    figure = drawn(made, name)
    assert_apart(figure)
    said = " ".join(text.get_text() for part in figure.subfigs for text in part.texts)
    assert "Paper: " in said
    assert "Here: " in said
    assert any(verdict in said for verdict in ("REPRODUCED", "INCONCLUSIVE"))
    [text] = figure.subfigs[1].texts
    figure.draw_without_rendering()
    box = text.get_window_extent()
    assert box.x1 <= figure.bbox.x1 + 1
    assert box.y0 >= figure.bbox.y0 - 1, "the strip has room for all its lines"


@pytest.mark.parametrize("name", NAMES)
def test_captions_say_what_stands_in(name):
    module = import_module(f"figures.{name}")
    assert "SmolLM2" in module.CAPTION
    assert "The paper: " in module.CAPTION
    assert (name, "cd_findings") == module.TABLES


@pytest.mark.parametrize(("number", "column"), [(3, "reward"), (4, "win_rate"), (5, "win_rate"), (7, "reward")])
def test_filled_marks_are_the_paper_s_way_of_counting(made, number, column):
    rows = made[f"cd_fig{number}"]
    axes = panel(drawn(made, f"cd_fig{number}"))
    for (method, scorer), mark in frontiers.MARKS.items():
        here = rows[(rows.method == method) & (rows.scorer == scorer) & (rows.kl <= 10)]
        if here.empty:
            continue
        solid = here[here.kl_kind != "estimate"].sort_values("kl")
        np.testing.assert_array_equal(line(axes, mark.label), solid[["kl", column]])
        dotted = [one for one in axes.lines if one.get_linestyle() == ":" and one.get_color() == mark.colour]
        assert len(dotted) == (here.kl_kind == "estimate").any()
    base = rows[rows.method == "base"].iloc[0]
    assert tuple(line(axes, "base")[0]) == (0, base[column])


def test_bars_are_intervals(made):
    rows = made["cd_fig5"]
    one = rows[(rows.method == "IPO") & (rows.kl <= 10)].iloc[1]
    segments = [
        tuple(map(tuple, segment))
        for bars in panel(drawn(made, "cd_fig5")).collections
        if hasattr(bars, "get_segments")
        for segment in bars.get_segments()
    ]
    assert ((one.kl, one.win_low), (one.kl, one.win_high)) in segments
    assert ((one.kl_low, one.win_rate), (one.kl_high, one.win_rate)) in segments


def test_weights_sizes_and_budgets_are_told_apart(made):
    six = drawn(made, "cd_fig6")
    rows = made["cd_fig6"]
    alone = rows[(rows.weight == 0) & (rows.kl_kind == "bound") & (rows.kl <= 10)].sort_values("kl")
    np.testing.assert_array_equal(line(panel(six, 0), "HH alone"), alone[["kl", "win_rate"]])
    np.testing.assert_array_equal(line(panel(six, 1), "HH alone"), alone[["kl", "tokens"]])
    nine = drawn(made, "cd_fig9")
    rows = made["cd_fig9"]
    for place, kind in enumerate(("bound", "estimate")):
        small = rows[(rows.M == 8) & (rows.kl_kind == kind) & (rows.kl <= 10)].sort_values("kl")
        np.testing.assert_array_equal(line(panel(nine, place), "M = 8"), small[["kl", "win_rate"]])
    eleven = drawn(made, "cd_fig11")
    titles = [axes.get_title(loc="left") for axes in eleven.axes]
    assert titles == ["a  K = 4", "b  K = 8", "c  K = 16"]
    rows = made["cd_fig11"]
    on_dpo = rows[(rows.method == "DPO + best-of-K") & (rows.value == 8) & (rows.kl_kind == "bound")].sort_values("kl")
    np.testing.assert_array_equal(line(panel(eleven, 1), "DPO + best-of-K"), on_dpo[["kl", "reward"]])


def test_figure_13_and_table_1(made):
    axes = panel(drawn(made, "cd_fig13"), 1)
    fudge = made["cd_fig13"].query("scorer == 'CD-FUDGE'")
    assert sorted(line(axes, "predicted")[:, 1]) == sorted(fudge.predicted)
    assert (np.diff(line(axes, "actual")[:, 1]) >= 0).all()
    noise = (fudge.predicted - fudge.actual).std(ddof=0)
    assert axes.get_title(loc="left") == f"b  CD-FUDGE: noise {noise:.2f}"
    axes = panel(drawn(made, "cd_table1"), 1)
    test = made["cd_table1"].query("split == 'test'")
    assert sorted(line(axes, "measured here")[:, 0]) == sorted(test.accuracy)
    assert sorted(line(axes, "reported")[:, 0]) == sorted(test.reported)


def test_the_strip_names_a_figure_s_own_findings(made):
    thirteen = frontiers.strip(made["cd_findings"], 13)
    assert thirteen.count("Paper: ") == 1
    assert "more noisily" in thirteen
    assert frontiers.strip(made["cd_findings"], 3).count("Paper: ") == 5
    assert "By estimated KLs" in frontiers.strip(made["cd_findings"], 10)
    none = made["cd_findings"].assign(value=np.nan, low=np.nan, high=np.nan, verdict="inconclusive")
    assert "has no value here" in frontiers.strip(none, 4)


def test_tables_read_from_files_draw_the_same(made, tmp_path):
    module = import_module("figures.cd_fig10")
    for name in module.TABLES:
        made[name].to_csv(tmp_path / f"{name}.csv", index=False)
    read = [pd.read_csv(tmp_path / f"{name}.csv") for name in module.TABLES]
    one, other = panel(module.draw(*read)), panel(drawn(made, "cd_fig10"))
    assert [first.get_label() for first in one.lines] == [second.get_label() for second in other.lines]
    assert len(one.lines) > 2
    for first, second in zip(one.lines, other.lines, strict=True):
        np.testing.assert_allclose(first.get_xydata(), second.get_xydata(), rtol=1e-12)  # as pandas reads numbers


def test_same_tables_same_bytes(made, tmp_path):
    first, again = (style.save(drawn(made, "cd_fig11"), tmp_path / name, "f") for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
