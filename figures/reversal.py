"""Phase diagrams of Simpson's reversal: the exact boundary drawn over simulated cells, and the control."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from figures import style

COLUMNS = {
    "toy_reversal_worlds": ("exponent", "noise", "value"),
    "toy_reversal_boundaries": ("weighting", "exponent", "noise"),
    "toy_reversal_selections": ("correlation", "probability", "value", "predicted"),
    "toy_reversal_schemes": ("size", "spread", "value", "within", "between"),
    "toy_reversal_seeds": ("world", "law", "quantity", "value", "low", "high"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Strings counted once and corpora disagree between two exact boundaries, and three things move the sign: the law "
    "that weighs strings (a), selection for typicality (b), and schemes that differ (c). Lines are exact, cells "
    "simulated. Selection alone gives a reward that has nothing to do with the prior the same −0.9 (d)."
)
PUBLISHED = (1 / 42, 0.42)
WEIGHTINGS = {
    "uniform": ("strings, once each", "-"),
    "aligned": ("strings or corpora under p₊", "--"),
    "typical": ("typical corpora", ":"),
}
PHASES = ListedColormap(["#f2f2f2", "#bcd7ea", "#5fa3cf", "#1f5f8b"])
SIGNS = ("negative: none", "negative: typical corpora", "negative: typical, under p₊", "negative: all three")
LAWS = {
    "strings, once each": "strings, once each",
    "strings, weighted by p₊": "strings, weighted by p₊",
    "corpora, as drawn": "corpora, as drawn",
    "corpora, typical": "corpora, typical",
    "bands, typical": "corpora, typical, in bands",
}
KINDS = {
    "published world": style.Mark(style.INK, "o", "published world"),
    "fresh worlds": style.Mark("#0072B2", "s", "fresh worlds"),
    "unrelated rewards": style.Mark("#D55E00", "x", "unrelated rewards"),
}


@style.styled(COLUMNS)
def draw(
    worlds: pd.DataFrame,
    boundaries: pd.DataFrame,
    selections: pd.DataFrame,
    schemes: pd.DataFrame,
    seeds: pd.DataFrame,
) -> Figure:
    """Draw the tables named in TABLES."""
    figure = Figure(figsize=(style.DOUBLE, 5.8))
    above, below = figure.subfigures(2, 1, height_ratios=(1, 0.95))
    a, b = above.subplots(1, 2, width_ratios=(1.15, 1))
    c, d = below.subplots(1, 2, width_ratios=(1, 1.15))
    _worlds(a, worlds, boundaries)
    colours = _selections(b, selections)
    above.colorbar(colours, ax=b, label="Pearson, typical corpora", ticks=(-1, -0.5, 0, 0.5, 1))
    _schemes(c, schemes)
    below.colorbar(colours, ax=c, label="Pearson, pooled corpora", ticks=(-1, -0.5, 0, 0.5, 1))
    _control(d, seeds)
    return figure


def _worlds(axes: Axes, worlds: pd.DataFrame, boundaries: pd.DataFrame) -> None:
    """Each cell by how many of the three correlations were found negative, and the three exact lines."""
    negative = (worlds.assign(n=worlds["value"] < 0)).groupby(["exponent", "noise"])["n"].sum().unstack("exponent")
    edges = _log_edges(negative.columns.to_numpy()), _log_edges(negative.index.to_numpy())
    axes.pcolormesh(*edges, negative, cmap=PHASES, vmin=-0.5, vmax=3.5, rasterized=True)
    for name, (label, dashes) in WEIGHTINGS.items():
        line = boundaries[boundaries["weighting"] == name]
        axes.plot(line["exponent"], line["noise"], color=style.INK, linestyle=dashes, linewidth=1.3, label=label)
    axes.plot(*PUBLISHED, "*", color="#D55E00", markersize=10, markeredgecolor="white", label="as published")
    axes.set(
        title="a  Which world: exact n*",
        xlabel="scale s of p₊ in the prior",
        ylabel="noise n of the prior (nats)",
        xscale="log",
        yscale="log",
        xlim=edges[0][[0, -1]],
        ylim=edges[1][[0, -1]],
    )
    handles, labels = axes.get_legend_handles_labels()
    for place, text in enumerate(SIGNS):
        handles.append(axes.scatter([], [], marker="s", s=42, color=PHASES(place), edgecolor=style.GREY, linewidth=0.4))
        labels.append(text)
    axes.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, columnspacing=1.2)


def _selections(axes: Axes, selections: pd.DataFrame) -> ScalarMappable:
    cells = selections.pivot(index="correlation", columns="probability", values="value")
    rho, kept = cells.index.to_numpy(), cells.columns.to_numpy()
    grid = np.clip(_edges(kept), 0, 1), _edges(rho)
    mesh = axes.pcolormesh(*grid, cells, cmap="RdBu_r", norm=Normalize(-1, 1), rasterized=True)
    axes.contour(
        kept,
        rho,
        selections.pivot(index="correlation", columns="probability", values="predicted"),
        [0],
        colors=style.INK,
    )
    axes.set(
        title="b  Which corpora: exact ρ*",
        xlabel="probability of the typical set",
        ylabel="correlation of strings, ρ",
        xlim=grid[0][[0, -1]],
    )
    _note(axes, (0.30, 0.30), "reversed or\nstrengthened", "white")
    _note(axes, (0.88, 0.90), "sign\nkept", "white")
    return mesh


def _schemes(axes: Axes, schemes: pd.DataFrame) -> None:
    cells = schemes.pivot(index="size", columns="spread", values="value")
    size, spread = cells.index.to_numpy(dtype=float), cells.columns.to_numpy()
    axes.pcolormesh(_log_edges(spread), _log_edges(size), cells, cmap="RdBu_r", norm=Normalize(-1, 1), rasterized=True)
    exact = schemes.drop_duplicates("spread")
    axes.plot(exact["spread"], -exact["within"] / exact["between"], color=style.INK, linewidth=1.3)
    axes.set(
        title="c  Which schemes: exact N*",
        xlabel="spread of the schemes' tilts",
        ylabel="strings in a corpus, N",
        xscale="log",
        yscale="log",
        ylim=_log_edges(size)[[0, -1]],
    )
    _note(axes, (0.74, 0.85), "schemes decide:\nreversed", "white")
    _note(axes, (0.28, 0.12), "strings decide", style.INK)


def _control(axes: Axes, seeds: pd.DataFrame) -> None:
    rows = seeds[(seeds["quantity"] == "pearson") & seeds["law"].isin(LAWS)]
    heights = {law: height for height, law in enumerate(reversed(LAWS))}
    for shift, (kind, mark) in zip((0.24, 0, -0.24), KINDS.items(), strict=True):
        part = rows[rows["world"] == kind]
        y = part["law"].map(heights) + shift
        axes.hlines(y, part["low"], part["high"], color=mark.colour, linewidth=1.2)
        axes.plot(part["value"], y, mark.marker, color=mark.colour, markersize=4, label=mark.label)
    axes.axvline(0, color=style.GREY, linewidth=0.6, zorder=0)
    axes.set(
        title="d  The control: selection, not reward",
        xlabel="Pearson correlation of log prior and reward",
        xlim=(-1.02, 0.72),
        ylim=(-0.5, len(LAWS) - 0.5),
    )
    axes.set_yticks(list(heights.values()), [LAWS[law] for law in heights])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.legend(loc="lower right", borderaxespad=0.2)


def _note(axes: Axes, at: tuple[float, float], text: str, colour: str) -> None:
    axes.text(*at, text, transform=axes.transAxes, ha="center", va="center", color=colour, fontsize=7.5, weight="bold")


def _edges(centres: np.ndarray) -> np.ndarray:
    """Cell edges half-way between the centres, and as far outside."""
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _log_edges(centres: np.ndarray) -> np.ndarray:
    return np.exp(_edges(np.log(centres)))
