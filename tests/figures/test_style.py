import os
import subprocess
import sys

import matplotlib
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from figures import style
from theory import adaptors

QUANTITIES = {"first": "one", "second": "two", "third": "three"}


def luminance(colour):
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), to_rgb(colour), strict=True))


@style.styled({})
def drawn():
    figure = Figure(figsize=(style.SINGLE, 2))
    figure.subplots().plot([0, 1], [0, 1], "o-", label="p₊")
    return figure


def test_every_family_has_its_own_colour_and_its_own_marker():
    marks = style.MARKS.values()
    assert len({mark.colour for mark in marks}) == len({mark.marker for mark in marks}) == len(marks)
    assert {mark.label for mark in marks} >= {"ancestral", "temperature", "top-k", "nucleus", "locally typical", "eta"}
    assert all(luminance(mark.colour) < 0.75 for mark in marks)  # visible on white paper


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(sorted(style.MARKS)), st.floats(0.01, 100))
def test_a_family_is_recognised_in_every_name(family, parameter):
    for name in (family, f"{family}({parameter:g})", f"temperature(0.5)+{family}({parameter:g})"):
        assert style.family(name) == family
        assert style.mark(name) is style.MARKS[family]


@pytest.mark.parametrize("name", ["", "beam(4)", "topk(30)"])
def test_unknown_adaptors_are_named(name):
    with pytest.raises(ValueError, match="no mark for the adaptor"):
        style.mark(name)


def test_adaptors_of_the_theory_have_marks():
    made = [adaptors.ancestral(), adaptors.temperature(0.5), adaptors.top_k(3), adaptors.nucleus(0.9)]
    made += [adaptors.eta(0.1), adaptors.locally_typical(0.9), adaptors.min_p(0.1)]
    assert [style.family(adaptor.name) for adaptor in made] == [
        "ancestral", "temperature", "top_k", "nucleus", "eta", "locally_typical", "min_p",
    ]  # fmt: skip


def test_saved_twice_the_bytes_are_the_same(tmp_path):
    first = [path.read_bytes() for path in style.save(drawn(), tmp_path / "a", "figure")]
    again = [path.read_bytes() for path in style.save(drawn(), tmp_path / "b", "figure")]
    assert first == again
    assert first[0].startswith(b"%PDF")
    assert first[1].startswith(b"\x89PNG")
    assert b"CreationDate" not in first[0]
    assert b"/CIDFontType2" in first[0]  # what a type 42 font becomes; type 3 has no such object
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["figure.pdf", "figure.png"]


@pytest.mark.parametrize(
    ("seconds", "day"), [("86400", b"(D:19700102000000Z)"), ("1700000000", b"(D:20231114221320Z)")]
)
def test_a_pdf_holds_the_date_that_it_is_told(tmp_path, monkeypatch, seconds, day):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", seconds)
    written = [[path.read_bytes() for path in style.save(drawn(), tmp_path / name, "figure")] for name in "ab"]
    assert written[0] == written[1]
    assert b"/CreationDate " + day in written[0][0]


def test_bytes_do_not_depend_on_the_process(tmp_path):
    script = (
        "import sys, pathlib; from matplotlib.figure import Figure; from figures import style\n"
        "figure = style.styled({})(lambda: Figure(figsize=(3, 2)))(); figure.subplots().set_title('bands of p₊ ≥ ε')\n"
        "sys.stdout.buffer.write(style.save(figure, pathlib.Path(sys.argv[1]), 'figure')[0].read_bytes())"
    )
    found = set()
    for seed in ("1", "2"):
        where = tmp_path / seed
        run = [sys.executable, "-c", script, str(where)]
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.getcwd()}
        found.add(subprocess.run(run, check=True, capture_output=True, env=environment).stdout)
    assert len(found) == 1


def test_a_failed_save_leaves_the_old_file_and_no_debris(tmp_path, monkeypatch):
    old = [path.read_bytes() for path in style.save(drawn(), tmp_path, "figure")]
    figure = drawn()

    def breaks(path, **_):
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(figure, "savefig", breaks)
    with pytest.raises(OSError, match="no space"):
        style.save(figure, tmp_path, "figure")
    assert [(tmp_path / f"figure.{suffix}").read_bytes() for suffix in ("pdf", "png")] == old
    assert len(list(tmp_path.iterdir())) == 2


def test_house_rules_hold_inside_and_leave_the_caller_alone():
    with matplotlib.rc_context({"font.size": 31, "axes.spines.top": True}):
        axes = drawn().axes[0]
        assert matplotlib.rcParams["font.size"] == 31
    assert not axes.spines["top"].get_visible()
    assert axes.xaxis.label.get_fontsize() == 7.5


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.booleans())
def test_correlations_show_the_table(values, reported):
    table = pd.DataFrame({"quantity": list(QUANTITIES)[::-1], "value": values})
    table["low"], table["high"] = table["value"] - 0.1, table["value"] + 0.1
    table["reported"] = 0.5 if reported else float("nan")
    axes = Figure().subplots()
    style.correlations(axes, table, QUANTITIES | {"absent": "not in the table"})
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["measured here"].get_xdata()) == values[::-1]
    assert list(lines["measured here"].get_ydata()) == [2, 1, 0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two", "three"]
    intervals = [segment[:, 0].tolist() for segment in axes.collections[0].get_segments()]
    assert intervals == table[["low", "high"]].iloc[::-1].to_numpy().tolist()
    assert ("reported" in lines) == reported
