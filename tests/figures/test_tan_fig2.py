import numpy as np
import pandas as pd
import pytest

from figures import style, tan_fig2

ADAPTORS = ["ancestral", "top_k(30)", "top_k(50)", "nucleus(0.9)", "locally_typical(0.9)", "eta(0.0009)"]


@pytest.fixture
def tables():
    """One synthetic triple: numbers of no meaning in the promised columns."""
    rng = np.random.default_rng(1)
    names = [(a, t) for a in ADAPTORS for t in ([1.0] if a == "ancestral" else [1.5, 0.5, 1.0])]
    schemes = pd.DataFrame(names, columns=["adaptor", "temperature"]).assign(triple="small")
    schemes["scheme"] = schemes["adaptor"] + "@" + schemes["temperature"].astype(str)
    schemes["mean_log_prior"], schemes["mean_reward"] = rng.normal(-60, 9, len(names)), rng.normal(0, 1, len(names))
    rows = schemes[["scheme", "adaptor", "temperature"]].loc[np.repeat(schemes.index, 8)].reset_index(drop=True)
    rows["prompt_id"] = np.tile(np.arange(8), len(names))
    rows["log_prior"], rows["reward"] = rng.normal(-60, 20, len(rows)), rng.normal(0, 1, len(rows))
    rows["weight"] = 1.0
    tradeoff = pd.DataFrame({"quantity": list(tan_fig2.LEVELS), "value": rng.uniform(-1, 1, 4)}).assign(triple="small")
    tradeoff["low"], tradeoff["high"], tradeoff["reported"] = tradeoff["value"] - 0.1, tradeoff["value"] + 0.1, 0.3
    tradeoff["law"] = "global"
    tradeoff = pd.concat([tradeoff, tradeoff.assign(law="local", value=0.0)])  # the other law is not drawn
    parts = {
        "triple": "small",
        "law": "global",
        "within_prompt": 1.4,
        "between_prompts": 1.9,
        "between_schemes": -1.2,
        "total": 2.1,
    }
    return rows, schemes, tradeoff, pd.DataFrame([parts, parts | {"law": "local", "total": 9.0}])


def panel(figure, letter):
    return next(axes for axes in figure.axes if axes.get_title(loc="left").startswith(letter))


def offsets(axes):
    return np.concatenate([np.asarray(points.get_offsets()) for points in axes.collections])


def in_order(points):
    return points[np.lexsort(points.T)]


def test_every_string_is_shown(tables):
    rows = tables[0]
    found = offsets(panel(tan_fig2.draw(*tables), "a"))
    np.testing.assert_array_equal(in_order(found), in_order(rows[["log_prior", "reward"]].to_numpy()))


def test_many_strings_are_thinned_evenly(tables, monkeypatch):
    monkeypatch.setattr(tan_fig2, "MOST_STRINGS", 50)
    rows = tables[0]
    found = offsets(panel(tan_fig2.draw(*tables), "a"))
    np.testing.assert_array_equal(in_order(found), in_order(rows[["log_prior", "reward"]].to_numpy()[::3]))


def test_scheme_means_wear_the_mark_of_their_family(tables):
    schemes = tables[1]
    axes = panel(tan_fig2.draw(*tables), "b")
    found = offsets(axes)
    np.testing.assert_array_equal(in_order(found), in_order(schemes[["mean_log_prior", "mean_reward"]].to_numpy()))
    for points, line, adaptor in zip(axes.collections, axes.lines, ADAPTORS, strict=True):
        path = schemes[schemes["adaptor"] == adaptor].sort_values("temperature")
        np.testing.assert_array_equal(points.get_offsets(), path[["mean_log_prior", "mean_reward"]])
        np.testing.assert_array_equal(line.get_xdata(), path["mean_log_prior"])
        assert line.get_color() == style.mark(adaptor).colour
        assert (np.diff(points.get_sizes()) > 0).all()  # hotter is larger


def test_correlations_and_covariance_are_those_of_the_tables(tables):
    _, _, tradeoff, covariance = tables
    figure = tan_fig2.draw(*tables)
    measured = next(line for line in panel(figure, "c").lines if line.get_label() == "measured here")
    np.testing.assert_array_equal(measured.get_xdata(), tradeoff.loc[tradeoff["law"] == "global", "value"])
    bars = [bar.get_width() for bar in panel(figure, "d").patches]
    assert bars == covariance.iloc[0][list(tan_fig2.PARTS)].tolist()
    assert sum(bars[:-1]) == pytest.approx(bars[-1])


def test_legend_names_the_families_that_occur(tables):
    figure = tan_fig2.draw(*tables)
    labels = {text.get_text() for text in figure.subfigs[0].legends[0].get_texts()}
    assert labels == {"ancestral", "top-k", "nucleus", "locally typical", "eta", "T = 0.5", "T = 1.5"}


def test_labels_stay_inside_the_figure_and_apart(tables, assert_apart):
    assert_apart(tan_fig2.draw(*tables))


def test_same_tables_same_bytes(tables, tmp_path):
    first, again = (style.save(tan_fig2.draw(*tables), tmp_path / name, "f") for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_two_triples_or_a_strange_adaptor_are_refused(tables):
    rows, schemes, tradeoff, covariance = tables
    with pytest.raises(ValueError, match="one triple"):
        tan_fig2.draw(rows, schemes.assign(triple=schemes["scheme"]), tradeoff, covariance)
    with pytest.raises(ValueError, match="no mark"):
        tan_fig2.draw(rows, schemes.assign(adaptor="beam(4)"), tradeoff, covariance)


def test_one_scheme_alone_and_a_zero_covariance_can_be_drawn(tables, tmp_path):
    rows, schemes, tradeoff, covariance = tables
    alone = schemes["adaptor"] == "ancestral"
    zero = covariance.assign(**dict.fromkeys(tan_fig2.PARTS, 0.0))
    style.save(tan_fig2.draw(rows[rows["adaptor"] == "ancestral"], schemes[alone], tradeoff, zero), tmp_path, "f")
