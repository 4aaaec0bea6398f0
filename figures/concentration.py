"""How surely a corpus is typical: the exact tail of the mean surprisal, and which estimates of it are bounds."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from figures import style

COLUMNS = {
    "toy_concentration_sizes": ("quantity", "size", "epsilon", "value", "high"),
    "toy_concentration_epsilons": ("quantity", "size", "epsilon", "value", "high"),
    "toy_concentration_exponents": ("quantity", "size", "value"),
    "toy_concentration_crossing": ("size", "epsilon"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "The exact probability that the mean surprisal of N strings misses the entropy by ε or more, beside five figures "
    "for it. Chebyshev's and the exponential bound stay above the truth, the former the tighter while Nε²/V is small; "
    "Bahadur and Rao's estimate meets it; the normal tail has the wrong exponent and drops far below; Berry-Esseen's "
    "interval always holds the truth, and says little."
)
LOOKS = {
    "berry_esseen": ("#CC79A7", "x", "-", "Berry-Esseen, upper end"),
    "chebyshev": ("#E69F00", "^", "-.", "Chebyshev"),
    "chernoff": ("#0072B2", "s", "--", "Chernoff-Rényi"),
    "bahadur_rao": ("#009E73", "o", "", "Bahadur-Rao"),
    "normal": ("#D55E00", "v", ":", "normal (CLT)"),
}
TRUTH = "exact"
PROBABILITY = "P(|mean surprisal − H| ≥ ε)"


@style.styled(COLUMNS)
def draw(sizes: pd.DataFrame, epsilons: pd.DataFrame, exponents: pd.DataFrame, crossing: pd.DataFrame) -> Figure:
    """Draw the tables toy_concentration_sizes, _epsilons, _exponents and _crossing."""
    figure = Figure(figsize=(style.DOUBLE, 3.1))
    a, b, c = figure.subplots(1, 3)
    epsilon, size = sizes["epsilon"].iloc[0], epsilons["size"].iloc[0]
    _probabilities(a, sizes, "size")
    _by_size(a, sizes)
    a.set(title=f"a  The corpus grows, ε = {epsilon:.0f} bits", ylabel=PROBABILITY)
    _probabilities(b, epsilons, "epsilon")
    b.set(title=f"b  The deviation grows, N = {size}", xlabel="ε (bits)", ylabel=PROBABILITY)
    _crossing(b, crossing.set_index("size").loc[size])
    _exponents(c, exponents)
    _by_size(c, exponents)
    c.set(title=f"c  Exponents, ε = {epsilon:.0f} bits", ylabel="−log₂ P / N (bits a string)")
    figure.legend(*a.get_legend_handles_labels(), loc="outside lower center", ncol=6)
    return figure


def _probabilities(axes: Axes, table: pd.DataFrame, x: str) -> None:
    """The truth in ink over its shade, in which no bound may lie, and every estimate over both."""
    truth = _rows(table, TRUTH, x)
    floor = float(table.loc[table["quantity"] == "normal", "value"].min()) / 10
    axes.fill_between(truth[x], floor, truth["value"], color=style.PALE, alpha=0.5, linewidth=0)
    axes.plot(truth[x], truth["value"], color=style.INK, linewidth=1.8, label="exact")
    for quantity in LOOKS:
        rows = _rows(table, quantity, x)
        _line(axes, rows[x], rows["high"] if quantity == "berry_esseen" else rows["value"], quantity)
    axes.text(0.05, 0.04, "below the truth: no bound", transform=axes.transAxes, color=style.INK, fontsize=6.5)
    axes.set(yscale="log", ylim=(floor, 3))


def _exponents(axes: Axes, table: pd.DataFrame) -> None:
    truth = _rows(table, TRUTH, "size")
    top = 1.08 * float(truth["value"].max())
    axes.fill_between(truth["size"], truth["value"], top, color=style.PALE, alpha=0.5, linewidth=0)
    axes.plot(truth["size"], truth["value"], color=style.INK, linewidth=1.8)
    for quantity in ("chebyshev", "chernoff", "bahadur_rao", "normal"):
        rows = _rows(table, quantity, "size")
        _line(axes, rows["size"], rows["value"], quantity)
    for quantity, text, end, shift, sides in (
        ("rate", "min(I₊, I₋)", -1, -5, ("right", "top")),
        ("normal_rate", "ε²/2V", 0, 2, ("left", "bottom")),
    ):
        rows = _rows(table, quantity, "size")
        axes.plot(rows["size"], rows["value"], color=style.GREY, linewidth=0.6, zorder=0)
        place = rows[["size", "value"]].iloc[end].tolist()
        note = {"textcoords": "offset points", "fontsize": 6.5, "ha": sides[0], "va": sides[1]}
        axes.annotate(text, place, (0, shift), **note)
    axes.set_ylim(0, top)


def _line(axes: Axes, x: pd.Series, y: pd.Series, quantity: str) -> None:
    colour, marker, dashes, label = LOOKS[quantity]
    axes.plot(
        x,
        y,
        color=colour,
        marker=marker,
        linestyle=dashes,
        markersize=4,
        markevery=max(1, len(x) // 9),
        markerfacecolor="white" if quantity == "bahadur_rao" else colour,
        label=label,
    )


def _crossing(axes: Axes, row: pd.Series) -> None:
    axes.axvline(row["epsilon"], 0.1, color=style.GREY, linewidth=0.6, zorder=0)  # its foot is the shade's label
    axes.annotate(
        f"Chebyshev tighter\nleft of ε = {row['epsilon']:.1f}",
        (row["epsilon"], 0.25),
        (5, 0),
        xycoords=axes.get_xaxis_transform(),
        textcoords="offset points",
        fontsize=6.5,
    )


def _by_size(axes: Axes, table: pd.DataFrame) -> None:
    sizes = sorted(table["size"].unique())
    axes.set(xscale="log", xlabel="strings in a corpus, N")
    axes.xaxis.set_major_locator(FixedLocator(sizes[::2]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([str(size) for size in sizes[::2]])


def _rows(table: pd.DataFrame, quantity: str, x: str) -> pd.DataFrame:
    return table[table["quantity"] == quantity].sort_values(x)
