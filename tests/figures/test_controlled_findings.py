import numpy as np
import pandas as pd
import pytest

from figures import controlled_findings as figure_of
from figures import style


@pytest.fixture
def tables():
    """Tables of the right columns with numbers of no meaning: a figure must show whatever it is given."""
    rng = np.random.default_rng(0)
    rows = [("helpful", "bigram", "base", None, np.nan, 0.0, 1.0, np.nan, np.nan, np.nan)]
    for size in (1, 2, 4, 8, 16, 32):
        for kl in (3.0, 1.0, 8.0):
            rows.append(("helpful", "bigram", "blockwise", "CD-Q", size, kl, 1 + 2 * kl, kl, kl + 1, kl / 2))
            rows.append(("helpful", "trigram", "blockwise", "CD-Q", size, kl, 9.0, kl, kl + 1, kl / 2))
    columns = ["reward", "base", "method", "scorer", "M", "kl", "judged", "kl_blocks", "bound", "bound_first"]
    margins = rng.uniform(-0.5, 0.5, len(figure_of.LABELS))
    margins[3] = np.nan
    findings = pd.DataFrame({"id": list(figure_of.LABELS)[::-1], "margin": margins, "holds": margins >= 0})
    samples = [
        (reward, scorer, method, count, rng.uniform(0, 1))
        for reward in ("length", "helpful")
        for scorer in figure_of.SCORERS
        for method in figure_of.STYLES
        for count in (1000, 100)
    ]
    return (
        pd.DataFrame(rows, columns=columns),
        findings,
        pd.DataFrame(samples, columns=["reward", "scorer", "method", "answers", "share"]),
    )


def panel(figure, letter):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(letter))


def test_every_finding_stands_on_its_side_and_in_its_row(tables):
    findings = tables[1].set_index("id")["margin"]
    axes = panel(figure_of.draw(*tables), "a")
    names = {text.get_text(): height for height, text in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)}
    assert list(names)[::1] == list(figure_of.LABELS.values())
    drawn = {line.get_label(): dict(zip(line.get_ydata(), line.get_xdata(), strict=True)) for line in axes.lines[1:]}
    for id, label in figure_of.LABELS.items():
        margin = findings[id]
        if np.isnan(margin):
            assert all(names[label] not in side for side in drawn.values())
        else:
            assert drawn["holds" if margin >= 0 else "fails"][names[label]] == margin


def test_block_sizes_show_the_judged_gain_per_root_of_kl(tables):
    lines = panel(figure_of.draw(*tables), "b").lines
    assert [line.get_label() for line in lines] == ["1", "2", "4", "8", "16", "32"]
    for line in lines:
        np.testing.assert_array_equal(line.get_xdata(), [1.0, 3.0, 8.0])
        np.testing.assert_allclose(line.get_ydata(), 2 * np.sqrt(line.get_xdata()))
    assert len({line.get_marker() for line in lines}) == len(lines)


def test_samples_show_each_scorer_and_use(tables):
    samples = tables[2]
    lines = panel(figure_of.draw(*tables), "c").lines
    assert len(lines) == 4
    for line in lines:
        scorer, method = line.get_label().split(",\n")
        rows = samples[(samples["reward"] == "helpful") & (samples["scorer"] == scorer) & (samples["method"] == method)]
        rows = rows.sort_values("answers")
        np.testing.assert_array_equal(line.get_xdata(), rows["answers"])
        np.testing.assert_array_equal(line.get_ydata(), rows["share"])


def test_bounds_are_drawn_against_the_exact_kl(tables):
    rows = tables[0].dropna(subset=["bound"])
    lines = {line.get_label(): line for line in panel(figure_of.draw(*tables), "d").lines}
    for label, column in (("later version", "bound"), ("first version", "bound_first")):
        np.testing.assert_array_equal(lines[label].get_xdata(), rows[column])
        np.testing.assert_array_equal(lines[label].get_ydata(), rows["kl_blocks"])


def test_labels_stay_inside_the_figure_and_apart(tables, assert_apart):
    assert_apart(figure_of.draw(*tables))


def test_same_tables_same_bytes(tables, tmp_path):
    first, again = (style.save(figure_of.draw(*tables), tmp_path / name, "f") for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
