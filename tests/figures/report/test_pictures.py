"""Pictures keep their look at a third of the bytes; tables come out as they went in, within a budget."""

import base64
import gzip
from io import BytesIO
from types import SimpleNamespace
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from figures.report.pictures import PLAIN, downloads, palette, pictures


@pytest.fixture
def drawn(tmp_path):
    """A figure with every colour of a scale, written as the suite writes them."""
    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.imshow(np.linspace(-1, 1, 400).reshape(20, 20), cmap="RdBu")
    (tmp_path / "figures").mkdir()
    figure.savefig(tmp_path / "figures" / "one.png", dpi=200)
    return tmp_path


def test_a_palette_is_small_and_close(drawn):
    path = drawn / "figures" / "one.png"
    source, size = palette(path)
    data = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    few, all_ = (np.asarray(Image.open(file).convert("RGB"), int) for file in (BytesIO(data), path))
    assert (few.shape[1], few.shape[0]) == size
    assert len(data) < path.stat().st_size
    assert np.abs(few - all_).mean() < 2  # of 255


@pytest.mark.parametrize("rows", [3, 5000])
def test_a_download_is_the_table(tmp_path, rows):
    text = "a,b\n" + "".join(f'<é>&"%#,{i}\n' for i in range(rows))
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    table = downloads(tmp_path, {"t", "absent"})["t"]
    head, data = table.href.split(",", 1)
    assert table.packed == (len(text.encode()) > PLAIN)
    plain = gzip.decompress(base64.b64decode(data)) if table.packed else unquote_to_bytes(data)
    assert plain == text.encode()
    assert head.startswith("data:")
    assert downloads(tmp_path, {"absent"}) == {}


def test_what_does_not_fit_stays_beside_the_page(tmp_path):
    for name, size in (("small", 10), ("large", 4000)):
        (tmp_path / f"{name}.csv").write_text("x" * size)
    found = downloads(tmp_path, {"small", "large"}, budget=1000)
    assert found["small"].inlined
    assert (found["large"].inlined, found["large"].href) == (False, "../tables/large.csv")


def test_a_table_is_new_to_the_first_figure_alone(drawn):
    (drawn / "tables").mkdir()
    (drawn / "tables" / "t.csv").write_text("a\n1\n")
    (drawn / "figures" / "two.png").write_bytes((drawn / "figures" / "one.png").read_bytes())
    modules = {name: SimpleNamespace(TABLES=("t",), CAPTION=name) for name in ("one", "two", "absent")}
    found = pictures(drawn, modules)
    assert [(one.name, [new for _, new in one.tables]) for one in found] == [("one", [True]), ("two", [False])]
