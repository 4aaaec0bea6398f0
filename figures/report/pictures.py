"""What the page carries inside itself: figures as small PNGs, tables as downloads."""

import base64
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

from PIL import Image

PLAIN = 16_384
"""Bytes up to which a table is inlined as text; larger ones are packed, which costs a third of it."""
BUDGET = 1_300_000
"""Bytes that the page spends on tables; those that do not fit stay beside it."""


@dataclass(frozen=True)
class Table:
    """One table: its name, where its download lies (a data: URI, or its path beside the page), whether packed."""

    name: str
    href: str
    packed: bool
    inlined: bool


@dataclass(frozen=True)
class Picture:
    """One figure: name, caption, PNG as a data: URI, size in pixels, and its tables, each with whether it is new."""

    name: str
    caption: str
    source: str
    width: int
    height: int
    tables: tuple[tuple[Table, bool], ...]


def pictures(results: Path, figures: Mapping[str, ModuleType]) -> list[Picture]:
    """The figures drawn in `results`, in order; a table that several draw is new to the first alone."""
    drawn = {name: module for name, module in figures.items() if (results / "figures" / f"{name}.png").is_file()}
    tables = downloads(results / "tables", {name for module in drawn.values() for name in module.TABLES})
    found, seen = [], set[str]()
    for name, module in drawn.items():
        own = [tables[table] for table in module.TABLES if table in tables]
        source, size = palette(results / "figures" / f"{name}.png")
        found.append(Picture(name, module.CAPTION, source, *size, tuple((one, one.name not in seen) for one in own)))
        seen |= {one.name for one in own}
    return found


def palette(path: Path) -> tuple[str, tuple[int, int]]:
    """A picture as a data: URI of a PNG of 256 colours, about a third of its bytes; and its width and height."""
    with Image.open(path) as whole:
        few = whole.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    packed = BytesIO()
    few.save(packed, "PNG")
    return f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode('ascii')}", few.size


def downloads(folder: Path, names: set[str], budget: int = BUDGET) -> dict[str, Table]:
    """The tables that are there, the smallest first into the page, as many as `budget` bytes hold."""
    made = {name: _packed((folder / f"{name}.csv").read_bytes()) for name in names if _there(folder, name)}
    found = {}
    for name, (href, packed) in sorted(made.items(), key=lambda item: (len(item[1][0]), item[0])):
        budget -= len(href)
        inlined = budget >= 0
        found[name] = Table(name, href if inlined else f"../tables/{name}.csv", packed and inlined, inlined)
    return found


def _packed(text: bytes) -> tuple[str, bool]:
    if len(text) <= PLAIN:
        return f"data:text/csv;charset=utf-8,{quote(text, safe=' ,;:+()=*')}", False
    # mtime: equal tables give equal pages.
    return f"data:application/gzip;base64,{base64.b64encode(gzip.compress(text, 9, mtime=0)).decode('ascii')}", True


def _there(folder: Path, name: str) -> bool:
    return (folder / f"{name}.csv").is_file()
