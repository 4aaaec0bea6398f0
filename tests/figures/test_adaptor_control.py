import numpy as np
import pandas as pd
import pytest

from figures import adaptor_control, style

HEAT = np.array([0.5, 0.8, 1.0, 1.5, 2.0])


@pytest.fixture
def tables():
    rng = np.random.default_rng(0)
    regimes = []
    for name, (dx, dr) in {"trade": (-1, 1), "reverse": (1, -2), "both fall": (-1, -0.5)}.items():
        columns = {"log_prior": dx * HEAT, "reward": dr * HEAT, "slope_log_prior": -dx, "slope_reward": -dr}
        regimes.append(pd.DataFrame({"regime": name, "world": 0, "temperature": HEAT, **columns}))
    shares = [
        (kind, strength, regime, 9, share, share / 2, share / 2 + 0.5)
        for kind in adaptor_control.KINDS
        for strength in (0.5, 1.0, 2.0)
        for regime, share in zip(adaptor_control.REGIMES, rng.dirichlet(np.ones(3)), strict=True)
    ]
    laws = [("ancestral", 1.0, "both", -5.0, 1.0)]
    for family in ("top_k", "temperature"):
        for strength in (0.5, 0.9, 1.1):
            laws += [(family, strength, kind, *(rng.normal((-5, 1), 0.3))) for kind in ("local", "global")]
    laws += [("top_k", 3.0, "local", np.nan, np.nan)]
    moves = pd.DataFrame(laws, columns=["family", "strength", "normalisation", "log_prior", "reward"])
    moves["slope"] = (moves["reward"] - 1) / (moves["log_prior"] + 5)
    columns = ["kind", "strength", "regime", "worlds", "share", "low", "high"]
    return pd.concat(regimes), pd.DataFrame(shares, columns=columns), moves.assign(line=-0.5, critical=1.2)


def panel(figure, letter):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(f"{letter}  "))


@pytest.mark.parametrize(("letter", "regime"), list(zip("abc", adaptor_control.HEADINGS, strict=True)))
def test_curves_hold_the_points_and_tangents_of_the_predicted_slope(tables, letter, regime):
    rows = tables[0][tables[0]["regime"] == regime]
    points, *tangents = panel(adaptor_control.draw(*tables), letter).lines
    np.testing.assert_array_equal(points.get_xydata(), rows[["log_prior", "reward"]])
    assert len(tangents) == 3  # every other of five
    for tangent, (_, row) in zip(tangents, rows[::2].iterrows(), strict=True):
        (x0, r0), (x1, r1) = tangent.get_xydata()
        # The mean of two numbers, to rounding.
        assert ((x0 + x1) / 2, (r0 + r1) / 2) == pytest.approx((row["log_prior"], row["reward"]), abs=1e-12)
        assert (r1 - r0) / (x1 - x0) == pytest.approx(row["slope_reward"] / row["slope_log_prior"], rel=1e-9)


@pytest.mark.parametrize(("letter", "regime"), list(zip("abc", adaptor_control.HEADINGS, strict=True)))
def test_the_arrow_points_where_heat_goes(tables, letter, regime):
    rows = tables[0][tables[0]["regime"] == regime]
    axes = panel(adaptor_control.draw(*tables), letter)
    (arrow,) = (note for note in axes.texts if note.arrow_patch is not None)
    towards = np.sign(np.subtract(arrow.xy, arrow.xyann))
    assert towards.tolist() == np.sign(rows[["log_prior", "reward"]].diff().iloc[-1]).tolist()


@pytest.mark.parametrize(("letter", "kind"), list(zip("def", adaptor_control.KINDS, strict=True)))
def test_share_panels_hold_each_share_and_its_limits(tables, letter, kind):
    axes = panel(adaptor_control.draw(*tables), letter)
    lines = {line.get_label(): line for line in axes.lines}
    for (regime, mark), band in zip(adaptor_control.REGIMES.items(), axes.collections, strict=True):
        rows = tables[1][(tables[1]["kind"] == kind) & (tables[1]["regime"] == regime)]
        np.testing.assert_array_equal(lines[mark.label].get_xydata(), rows[["strength", "share"]])
        edges = band.get_paths()[0].vertices
        assert {*rows["low"], *rows["high"]} <= set(edges[:, 1])


@pytest.mark.parametrize(("letter", "normalisation"), [("g", "global"), ("h", "local")])
def test_move_panels_hold_each_law_with_its_means(tables, letter, normalisation):
    moves = tables[2]
    axes = panel(adaptor_control.draw(*tables), letter)
    assert [cloud.get_label() for cloud in axes.collections] == [style.MARKS[f].label for f in ("top_k", "temperature")]
    for cloud in axes.collections:
        family = next(name for name, mark in style.MARKS.items() if mark.label == cloud.get_label())
        rows = moves[(moves["family"] == family) & (moves["normalisation"] == normalisation)].dropna(subset="reward")
        np.testing.assert_array_equal(cloud.get_offsets(), rows[["log_prior", "reward"]])
    rows = moves[moves["normalisation"] == normalisation]
    text = " ".join(note.get_text() for note in axes.texts).replace("−", "-")
    assert f"median {rows['slope'].median():+.2f}" in text
    assert "-β = -0.50" in text
    line = next(line for line in axes.lines if "constant mean S" in str(line.get_label()))
    assert (line.get_xy1(), line.get_slope()) == ((-5.0, 1.0), -0.5)


def test_heat_that_runs_off_sets_no_limits_but_is_named(tables):
    hot = (tables[2]["family"] == "temperature") & (tables[2]["normalisation"] == "global")
    far = tables[2].copy()
    far.loc[hot & (far["strength"] > 1), "log_prior"] = -99.0
    axes = panel(adaptor_control.draw(*tables[:2], far), "g")
    assert axes.get_xlim()[0] > -20
    assert "T = 1.1 leads to (−99.0" in axes.texts[0].get_text()
    assert "T ≥ 1.20: no law" in axes.texts[0].get_text()
    assert "T ≥" not in panel(adaptor_control.draw(*tables), "h").texts[0].get_text()


def test_labels_stay_inside_the_figure_and_apart(tables, assert_apart):
    assert_apart(adaptor_control.draw(*tables))
