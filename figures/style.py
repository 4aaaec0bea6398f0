"""The house style: one mark a scheme in every figure, readable in grey, the same bytes on every run."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import tex
from theory.files import replacing

matplotlib.use("Agg")

SINGLE, DOUBLE = 3.35, 6.9
"""Widths in inches of a figure in one column and across two."""

INK, GREY, PALE = "#222222", "#767676", "#c9c9c9"
HOUSE = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7.5,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "lines.linewidth": 1.0,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
    # Type 42 embeds the fonts as outlines that stay selectable text; the salt makes SVG ids the same on every run.
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.hashsalt": "decoding-tradeoffs",
}


@dataclass(frozen=True)
class Mark:
    """Colour, marker and name of one family: either of the first two alone tells it from the others."""

    colour: str
    marker: str
    label: str


# Okabe and Ito's colours, which readers with any common colour blindness can tell apart.
MARKS = {
    "ancestral": Mark("#000000", "*", "ancestral"),
    "temperature": Mark("#56B4E9", "o", "temperature"),
    "top_k": Mark("#0072B2", "s", "top-k"),
    "nucleus": Mark("#D55E00", "^", "nucleus"),
    "locally_typical": Mark("#009E73", "D", "locally typical"),
    "eta": Mark("#CC79A7", "v", "eta"),
    "min_p": Mark("#E69F00", "P", "min-p"),
}
# By method and the scorer it follows, as tables name them.
METHODS = {
    ("tokenwise", "CD-Q"): Mark("#56B4E9", "o", "CD-Q, tokenwise"),
    ("tokenwise", "CD-FUDGE"): Mark("#CC79A7", "v", "CD-FUDGE, tokenwise"),
    ("blockwise", "CD-Q"): Mark("#009E73", "s", "CD-Q, blockwise"),
    ("blockwise", "CD-FUDGE"): Mark("#0072B2", ">", "CD-FUDGE, blockwise"),
    ("best-of-K", ""): Mark("#D55E00", "^", "best-of-K"),
    ("PPO", ""): Mark("#E69F00", "P", "PPO"),
    ("DPO", ""): Mark("#767676", "D", "DPO"),
    ("IPO", ""): Mark("#222222", "X", "IPO"),
}
RULES = {
    "classifier, base values": Mark("#0072B2", "s", "classifier, base values"),
    "classifier, self-consistent": Mark("#009E73", "D", "classifier, self-consistent"),
    "classifier, literal": Mark("#D55E00", "^", "classifier, literal objective"),
    "classifier-free": Mark("#CC79A7", "v", "classifier-free"),
    "KL-guided temperature": Mark("#E69F00", "P", "KL-guided temperature"),
}
Columns = Mapping[str, tuple[str, ...]]
"""Table -> the columns that a figure reads of it, in the order in which `draw` takes the tables."""


def family(adaptor: str) -> str:
    """The family of an adaptor's name, the last one of a composition; raises ValueError if it has no mark.

    >>> family("temperature(0.5)+top_k(30)"), family("eta")
    ('top_k', 'eta')
    """
    name = adaptor.split("+")[-1].split("(", maxsplit=1)[0].strip()
    if name not in MARKS:
        raise ValueError(f"no mark for the adaptor {adaptor!r}; known families: {', '.join(MARKS)}.")
    return name


def mark(adaptor: str) -> Mark:
    """The mark of an adaptor's family; raises ValueError as `family`.

    >>> mark("nucleus(0.9)").label
    'nucleus'
    """
    return MARKS[family(adaptor)]


def styled(columns: Columns) -> Callable[[Callable[..., Figure]], Callable[..., Figure]]:
    """Run a `draw` function on tables that have these columns, under the house rules whatever the caller's own are."""

    def decorated(draw: Callable[..., Figure]) -> Callable[..., Figure]:
        @wraps(draw)
        def within(*tables: pd.DataFrame) -> Figure:
            refuse(draw.__module__.rpartition(".")[2], columns, tables)
            with matplotlib.rc_context({**matplotlib.rcParamsDefault, **HOUSE, "backend": "Agg"}):
                return draw(*tables)

        return within

    return decorated


def refuse(name: str, columns: Columns, tables: tuple[pd.DataFrame, ...]) -> None:
    """Raise ValueError, one sentence, where a figure's tables are not as many as it draws or one lacks a column.

    >>> refuse("tan_fig9", {"strings": ("log_prior", "reward")}, (pd.DataFrame({"reward": [1.0]}),))
    Traceback (most recent call last):
    ValueError: tan_fig9 needs log_prior in the table strings, which has reward alone; add what is missing.
    """
    if len(tables) != len(columns):
        raise ValueError(
            f"{name} draws {len(columns)} tables ({', '.join(columns)}), not {len(tables)}; pass them all."
        )
    for (table, needed), given in zip(columns.items(), tables, strict=True):
        if missing := [column for column in needed if column not in given.columns]:
            there = ", ".join(map(str, given.columns)) or "no column"
            raise ValueError(
                f"{name} needs {', '.join(missing)} in the table {table}, which has {there} alone; add what is missing."
            )


def save(figure: Figure, directory: Path, name: str, pgf: bool = False) -> list[Path]:
    """Write `name`.pdf and `name`.png into `directory`, each whole or not at all; equal figures give equal bytes.

    Text is embedded as fonts of type 42. No file holds a date unless SOURCE_DATE_EPOCH is set: then the PDF holds that
    one. pgf: `name`.pgf too, for LaTeX to set with a document's own fonts; raises InputError without a TeX system.
    """
    # A date of None is left out, and one that is not given is SOURCE_DATE_EPOCH's or the present.
    dated = {} if os.environ.get("SOURCE_DATE_EPOCH") else {"CreationDate": None}
    formats = {"pdf": {"Creator": None, **dated}, "png": {"Software": None}}
    engine = figure.get_layout_engine()
    with matplotlib.rc_context(HOUSE):
        figure.draw_without_rendering()  # the layout is found once for all formats: it takes as long as one of them
        figure.set_layout_engine("none")
        for suffix, metadata in formats.items():
            with replacing(directory / f"{name}.{suffix}") as temporary:
                figure.savefig(temporary, format=suffix, metadata=metadata)
        if pgf:
            tex.save(figure, directory / f"{name}.pgf")
    figure.set_layout_engine(engine)
    return [directory / f"{name}.{suffix}" for suffix in (*formats, *(["pgf"] if pgf else []))]


def correlations(axes: Axes, table: pd.DataFrame, labels: dict[str, str]) -> None:
    """One row a correlation, from top to bottom: value and interval in ink, the paper's own figure as a hollow diamond.

    table: columns quantity, value, low, high, reported; labels: quantity -> text, in order. A quantity without an
    interval is exact, or its interval is not known, and shows its point alone; one that the table lacks is left out.
    """
    labels = {quantity: label for quantity, label in labels.items() if quantity in set(table["quantity"])}
    rows = table.set_index("quantity").loc[list(labels), ["value", "low", "high", "reported"]].astype(float)
    heights = range(len(rows))[::-1]
    axes.axvline(0, color=GREY, linewidth=0.6, zorder=0)
    axes.hlines(heights, rows["low"], rows["high"], color=INK, linewidth=1.4)
    axes.plot(rows["value"], heights, "o", color=INK, markersize=4, label="measured here")
    if rows["reported"].notna().any():
        axes.plot(rows["reported"], heights, "D", color="#D55E00", fillstyle="none", markersize=7, label="reported")
    axes.set(xlim=(-1.08, 1.08), ylim=(-0.6, len(rows) - 0.4), xticks=(-1, -0.5, 0, 0.5, 1))
    axes.set_yticks(heights, labels=list(labels.values()))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
