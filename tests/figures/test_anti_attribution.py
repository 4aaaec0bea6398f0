import numpy as np
import pandas as pd
import pytest

from figures import anti_attribution, style

LAMS = np.array([0.1, 1.0, 10.0])


@pytest.fixture
def phase():
    """A table of the right columns; the successes have no meaning, the thresholds fall and rise as the real ones do."""
    rng = np.random.default_rng(0)
    rows = [("line", lam, 9.0, 0.4, 0.5, 0.33) for lam in LAMS]
    rows += [("ratio", lam, r, 0.4, 4 / r, 0.5 - 0.02 * r) for lam in LAMS for r in (1.5, 4.0, 20.0)]
    rows += [("share", lam, 9.0, p, 0.5, 0.33) for lam in LAMS for p in (0.1, 0.4, 0.8)]
    table = pd.DataFrame(rows, columns=["section", "lam", "ratio", "share", "lam_c", "neutral"])
    for name in ("base", "printed", "literal"):
        table[name] = rng.uniform(0.1, 0.9, len(table))
    return table


def panel(figure, letter):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(letter))


def test_line_panel_holds_the_three_successes(phase):
    lines = {line.get_label(): line for line in panel(anti_attribution.draw(phase), "a").lines}
    rows = phase[phase["section"] == "line"]
    for name, (_, _, label) in anti_attribution.LINES.items():
        np.testing.assert_array_equal(lines[label].get_ydata(), rows[name])


@pytest.mark.parametrize(("letter", "section"), [("b", "ratio"), ("c", "share")])
def test_planes_hold_the_change_of_success_and_the_threshold(phase, letter, section):
    axes = panel(anti_attribution.draw(phase), letter)
    rows = phase[phase["section"] == section].sort_values([section, "lam"])
    mesh = axes.collections[0]
    np.testing.assert_allclose(np.ravel(mesh.get_array()), rows["literal"] - rows["base"])
    assert mesh.norm.vmin == -mesh.norm.vmax  # white is no change
    threshold = axes.lines[0]
    edge = rows.drop_duplicates(section)
    np.testing.assert_array_equal(threshold.get_xdata(), edge["lam_c"])
    np.testing.assert_array_equal(threshold.get_ydata(), edge[section])


def test_neutral_line_is_interpolated_between_rows(phase):
    axes = panel(anti_attribution.draw(phase), "b")
    # share - neutral is -.07, -.02, .30 at ratios 1.5, 4, 20.
    assert axes.lines[1].get_ydata()[0] == pytest.approx(4 + 16 * 0.02 / 0.32)
    axes = panel(anti_attribution.draw(phase), "c")
    assert axes.lines[1].get_ydata()[0] == pytest.approx(0.33)


def test_labels_stay_inside_the_figure(phase):
    figure = anti_attribution.draw(phase)
    figure.draw_without_rendering()
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box.x0 >= figure.bbox.x0 - 1  # a pixel of rounding
        assert box.x1 <= figure.bbox.x1 + 1


def test_same_table_same_bytes(phase, tmp_path):
    first, again = (style.save(anti_attribution.draw(phase), tmp_path / name, "f") for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
