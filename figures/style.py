"""The house style: one mark per adaptor family in every figure, readable in grey, the same bytes on every run."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from theory.files import replacing

matplotlib.use("Agg")

SINGLE, DOUBLE = 3.35, 6.9
"""Widths in inches of a figure in one column and across two."""

INK, GREY, PALE = "#222222", "#767676", "#c9c9c9"
RULES = {
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
Parameters = ParamSpec("Parameters")


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


def styled(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Run a `draw` function under the house rules, whatever the caller's own settings are."""

    @wraps(draw)
    def within(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        with matplotlib.rc_context({**matplotlib.rcParamsDefault, **RULES, "backend": "Agg"}):
            return draw(*args, **kwargs)

    return within


def save(figure: Figure, directory: Path, name: str) -> tuple[Path, Path]:
    """Write `name`.pdf and `name`.png into `directory`, each whole or not at all; equal figures give equal bytes."""
    written = []
    for suffix, metadata in (("pdf", {"CreationDate": None, "Creator": None}), ("png", {"Software": None})):
        path = directory / f"{name}.{suffix}"
        with replacing(path) as temporary, matplotlib.rc_context(RULES):
            figure.savefig(temporary, format=suffix, metadata=metadata)
        written.append(path)
    return written[0], written[1]


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
