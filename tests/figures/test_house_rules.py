"""What every figure is asked, on fixed tables: width, fonts, marks that tell series apart in grey, the same bytes."""

import json
import os
import platform
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from figures import FIGURES, draw, style
from tests.figures.hashes import tables

ROOT = Path(__file__).parents[2]
STORED = json.loads((ROOT / "tests" / "figures" / "hashes.json").read_text(encoding="utf-8"))
SYNONYMS = {
    "static temperature T": "temperature",
    "classifier-free guidance λ": "classifier-free",
    "classifier guidance λ": "classifier, base values",
    "KL-guided temperature σ": "KL-guided temperature",
    "clipped policy gradient (PPO)": "PPO",
    "preference optimisation (DPO)": "DPO",
    "CD-Q,\ntokenwise": "CD-Q, tokenwise",
    "CD-Q,\nblockwise": "CD-Q, blockwise",
    "CD-FUDGE,\ntokenwise": "CD-FUDGE, tokenwise",
    "CD-FUDGE,\nblockwise": "CD-FUDGE, blockwise",
}
SCHEMES = {mark.label: mark for mark in (*style.MARKS.values(), *style.METHODS.values(), *style.RULES.values())}


@pytest.fixture(scope="module", params=FIGURES)
def drawn(request):
    """Each figure by name, drawn once."""
    return request.param, draw(request.param, *tables(request.param))


def look(artist):
    """(colour, what is left of a series in grey): marker or its shape, line style, hollow or filled; and its points."""
    if isinstance(artist, Line2D):
        hollow = artist.get_fillstyle() == "none" or to_hex(artist.get_markerfacecolor()) == "#ffffff"
        style_ = (str(artist.get_marker()).lower(), repr(artist._unscaled_dash_pattern), artist.get_linestyle(), hollow)
        return to_hex(artist.get_color()), style_, np.asarray(artist.get_xydata(), dtype=float)
    colours = artist.get_facecolors() if len(artist.get_facecolors()) else artist.get_edgecolors()
    shape = artist.get_paths()[0].vertices.round(6).tobytes()
    return to_hex(colours[0]), (shape, len(artist.get_facecolors())), np.asarray(artist.get_offsets(), dtype=float)


def marked(artist):
    return not isinstance(artist, Line2D) or str(artist.get_marker()).lower() not in ("none", "")


def series(axes):
    """The look of every series; a straight line is a reference, and one through marks of its own colour is theirs."""
    artists = [*axes.lines, *(one for one in axes.collections if isinstance(one, PathCollection))]
    looks = [(marked(artist), *look(artist)) for artist in artists]
    looks = [one for one in looks if len(one[3])]
    points = {(colour, *point) for has, colour, _, where in looks if has for point in where.tolist()}
    for has, colour, left, where in looks:
        straight = len(where) <= 2 or (np.ptp(where, axis=0) == 0).any()
        joins = all((colour, *point) in points for point in where.tolist())
        if has or not (straight or joins):
            yield colour, left


def told_apart(axes):
    return all(one[1] != other[1] for one, other in combinations(list(series(axes)), 2) if one[0] != other[0])


def test_series_are_told_apart_in_grey(drawn):
    name, figure = drawn
    for axes in figure.axes:
        assert told_apart(axes), (name, axes.get_title(loc="left"))


def test_maps_in_two_colours_say_in_words_which_side_is_which(drawn):
    _, figure = drawn
    for axes in figure.axes:
        if any(isinstance(one, QuadMesh) for one in axes.collections) and axes.get_title(loc="left"):
            assert axes.texts or axes.get_legend()


def test_a_figure_in_colours_alone_is_noticed():
    axes = Figure().subplots()
    axes.plot([0, 1, 2], [0, 1, 4], color="red")
    axes.plot([0, 1, 2], [0, 2, 3], color="green")
    assert not told_apart(axes)
    axes.lines[1].set_linestyle("--")
    assert told_apart(axes)
    axes.scatter([0, 1], [1, 0], color="blue")
    axes.scatter([0, 1], [1, 1], color="green")
    assert not told_apart(axes)


def test_a_scheme_wears_its_mark_in_every_figure(drawn):
    _, figure = drawn
    for legend in figure.findobj(Legend):
        for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
            mark = SCHEMES.get(SYNONYMS.get(text.get_text(), text.get_text()))
            if mark and isinstance(handle, Line2D):
                assert (to_hex(handle.get_color()), handle.get_marker()) == (mark.colour.lower(), mark.marker)
            elif mark and isinstance(handle, PathCollection):
                assert to_hex(handle.get_facecolors()[0]) == mark.colour.lower()


def test_synonyms_are_schemes_and_occur_in_a_figure():
    assert set(SYNONYMS.values()) <= SCHEMES.keys()
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "figures").glob("*.py"))
    assert all(name.split(",\n")[0] in code for name in SYNONYMS)


def test_marks_of_methods_and_rules_differ():
    for marks in (style.METHODS, style.RULES):
        assert len({one.marker for one in marks.values()}) == len({one.colour for one in marks.values()}) == len(marks)


def test_width_fonts_and_no_machine_in_the_file(drawn, tmp_path):
    name, figure = drawn
    assert figure.get_figwidth() in (style.SINGLE, style.DOUBLE)
    pdf, png = (path.read_bytes() for path in style.save(figure, tmp_path, name))
    assert b"/FontFile2" in pdf  # the outlines themselves, as type 42
    assert b"/Type3" not in pdf
    width = int.from_bytes(png[16:20], "big")
    assert abs(width - 200 * figure.get_figwidth()) <= 1
    for data in (pdf, png):
        assert not any(part.encode() in data for part in (str(ROOT), str(Path.home()), str(tmp_path)))


def test_every_column_is_asked_for_by_name(drawn):
    name, _ = drawn
    given, columns = tables(name), FIGURES[name].COLUMNS
    for place, (table, needed) in enumerate(columns.items()):
        for column in needed:
            lacking = [*given[:place], given[place].drop(columns=column), *given[place + 1 :]]
            with pytest.raises(ValueError, match=f"{name} needs {column} in the table {table}, which has"):
                draw(name, *lacking)
    with pytest.raises(ValueError, match=f"{name} draws {len(columns)} tables"):
        draw(name)


def test_no_other_column_is_needed(drawn):
    name, figure = drawn
    some = [table[list(needed)] for table, needed in zip(tables(name), FIGURES[name].COLUMNS.values(), strict=True)]
    counts = [
        [(len(a.lines), len(a.collections), len(a.texts)) for a in one.axes] for one in (draw(name, *some), figure)
    ]
    assert counts[0] == counts[1]


def test_an_unknown_figure_has_near_ones():
    with pytest.raises(ValueError, match=r"no figure 'tan_fig22'; the nearest are .*tan_fig2"):
        draw("tan_fig22")


def redrawn(seed, *names):
    run = [sys.executable, "-m", "tests.figures.hashes", *names]
    environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": "Pacific/Auckland", "LC_ALL": "C.UTF-8"}
    environment.pop("SOURCE_DATE_EPOCH", None)
    return json.loads(subprocess.run(run, check=True, capture_output=True, env=environment, cwd=ROOT).stdout)


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="another build of the pinned stack rounds otherwise",
)
def test_bytes_are_those_that_were_looked_at():
    """Drawn by another process with other hashes of strings: equal to what `tests.figures.hashes` stored."""
    found = redrawn("1")
    assert {name for name in found if found[name] != STORED.get(name)} == set()
    assert found.keys() == STORED.keys() == {f"{name}.{kind}" for name in FIGURES for kind in ("pdf", "png")}


def test_bytes_do_not_depend_on_the_hashes_of_strings():
    names = ["normalisation", "tan_fig2"]
    assert redrawn("2", *names) == redrawn("3", *names)
