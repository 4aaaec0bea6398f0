"""Local against global normalisation of adaptors: how far apart the two laws are, and how each of them fails."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

COLUMNS = {
    "toy_adaptors_distances": ("family", "kl_global_local", "kl_local_global", "acceptance", "tv"),
    "toy_adaptors_endless_distances": ("family", "kl_global_local", "kl_local_global"),
    "toy_adaptors_accepted": ("adaptor", "share", "low", "high"),
    "toy_adaptors_heating": ("temperature", "critical", "length_local", "length_global"),
    "toy_adaptors_poles": ("model", "temperature", "critical", "log_z"),
    "toy_adaptors_leak": ("temperature", "log_z", "finite_global", "finite_local"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Mild truncation at T = 1 leaves the sampled local law close to the global one; temperature does not (a to c), and "
    "over endless strings it moves the lengths of the two in opposite directions (d). Each can fail: the global law "
    "has no finite normaliser from the critical temperature on (e), the local one loses mass to endless strings (f)."
)
SETTINGS = {
    "nucleus(0.9)": ("nucleus, .9", "-"),
    "nucleus(0.95)": ("nucleus, .95", "--"),
    "locally_typical(0.9)": ("locally typical, .9", "-"),
    "eta(0.0009)": ("eta, .0009", "-"),
}
REPORTED = 0.9
LOCAL, GLOBAL = style.Mark("#D55E00", "o", "local"), style.Mark("#0072B2", "s", "global")
POLES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


@style.styled(COLUMNS)
def draw(
    tree: pd.DataFrame,
    endless: pd.DataFrame,
    accepted: pd.DataFrame,
    heating: pd.DataFrame,
    poles: pd.DataFrame,
    leak: pd.DataFrame,
) -> Figure:
    """Draw the tables named in TABLES."""
    figure = Figure(figsize=(style.DOUBLE, 5.2))
    above, below = figure.subfigures(2, 1, height_ratios=(1.13, 1))
    a, b, c = above.subplots(1, 3)
    d, e, f = below.subplots(1, 3)
    _divergences(a, tree, endless)
    _certificate(b, tree)
    handles = {text: handle for handle, text in zip(*b.get_legend_handles_labels(), strict=True)}
    above.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4)
    _accepted(c, accepted)
    _lengths(d, heating)
    _poles(e, poles)
    _leak(f, leak)
    return figure


def _divergences(axes: Axes, tree: pd.DataFrame, endless: pd.DataFrame) -> None:
    """KL both ways, an adaptor a point: finite strings hollow, endless ones filled."""
    for rows, face in ((tree, "none"), (endless[np.isfinite(endless["kl_local_global"])], None)):
        for family, part in rows.groupby("family", sort=False):
            mark = style.mark(str(family))
            axes.scatter(
                part["kl_global_local"],
                part["kl_local_global"],
                s=16,
                marker=mark.marker,
                facecolors=face or mark.colour,
                edgecolors=mark.colour,
                lw=0.8,
            )
    axes.axline((0.01, 0.01), (0.1, 0.1), color=style.GREY, lw=0.6, zorder=0)
    axes.text(0.03, 0.97, "hollow: a tree\nfilled: endless strings", transform=axes.transAxes, va="top", fontsize=6.5)
    axes.set(xscale="log", yscale="log", title="a  Divergences both ways")
    axes.set(xlabel="KL(global ‖ local) (nats)", ylabel="KL(local ‖ global) (nats)")


def _certificate(axes: Axes, tree: pd.DataFrame) -> None:
    """Total variation lies in the wedge that the rate of rejection certifies."""
    top = 1.08 * (1 - tree["acceptance"]).max()
    axes.fill_between([0, top], [0, top / 2], [0, top], color=style.PALE, lw=0, zorder=0, label="certified")
    for family, part in tree.groupby("family", sort=False):
        mark = style.mark(str(family))
        look = {"s": 16, "color": mark.colour, "marker": mark.marker, "lw": 0, "label": mark.label}
        axes.scatter(1 - part["acceptance"], part["tv"], **look)
    axes.axvline(1 - REPORTED, color=style.INK, lw=0.6, ls=":")
    axes.annotate(
        "90 % accepted", (1 - REPORTED, 0.97 * top), (3, 0), textcoords="offset points", va="top", fontsize=6.5
    )
    axes.set(title="b  What acceptance certifies", xlim=(0, top), ylim=(0, top))
    axes.set(xlabel="rejected proposals, 1 − a", ylabel="TV(local, global)")


def _accepted(axes: Axes, accepted: pd.DataFrame) -> None:
    """The share of random worlds whose acceptance is what the paper reports, by temperature and truncation."""
    cut = accepted["adaptor"].str.split("+").str[-1]
    heat = accepted["adaptor"].str.extract(r"temperature\(([\d.]+)\)")[0].astype(float).fillna(1.0)
    for place, (name, (label, dashes)) in enumerate(SETTINGS.items()):
        part = accepted[cut == name].assign(T=heat).sort_values("T")
        mark = style.mark(name)
        errors = [part["share"] - part["low"], part["high"] - part["share"]]
        look = {"color": mark.colour, "marker": mark.marker, "markersize": 4, "ls": dashes, "label": label}
        beside = part["T"] + 0.012 * (place - 1.5)  # equal shares stay visible
        axes.errorbar(beside, part["share"], yerr=errors, elinewidth=0.8, **look)
    axes.set(title="c  Over 90 % accepted", xlabel="temperature", ylim=(-0.03, 1.35), yticks=np.linspace(0, 1, 6))
    axes.set_ylabel("share of random worlds")
    axes.legend(loc="upper left", ncols=2, borderaxespad=0, columnspacing=0.8)


def _lengths(axes: Axes, heating: pd.DataFrame) -> None:
    critical = heating["critical"].iloc[0]
    for column, mark in (("length_local", LOCAL), ("length_global", GLOBAL)):
        _marked(axes, heating["temperature"], heating[column], mark)
    axes.axvline(critical, color=style.INK, lw=0.6, ls=":")
    text = f"$T_c$ = {critical:.3f}"
    axes.annotate(text, (critical, 0.07), (-3, 0), textcoords="offset points", ha="right", fontsize=6.5)
    axes.set(title="d  Implicit length tilt", xlabel="temperature", ylabel="mean length (symbols)")
    axes.set(yscale="log", ylim=(0.05, 300), xlim=(None, critical + 0.06))
    axes.legend(loc="upper left")


def _marked(axes: Axes, x: pd.Series, y: pd.Series, mark: style.Mark) -> None:
    every = max(1, len(x) // 10)
    axes.plot(x, y, color=mark.colour, marker=mark.marker, markevery=every, markersize=4, label=mark.label)


def _poles(axes: Axes, poles: pd.DataFrame) -> None:
    highest = 4.0
    for (name, part), colour, dashes in zip(
        poles.groupby("model", sort=False), POLES, ("-", "--", "-.", (0, (1, 1))), strict=False
    ):
        critical = part["critical"].iloc[0]
        finite = part[np.isfinite(part["log_z"])]
        axes.plot("temperature", "log_z", data=finite, color=colour, ls=dashes, label=f"{name}: {critical:.3f}")
        axes.plot([critical] * 2, [highest - 0.6, highest], color=colour, ls=dashes, lw=1.6)
    axes.axhline(0, color=style.GREY, lw=0.6, zorder=0)
    axes.set(
        title="e  log Z and its pole at $\\mathbf{T_c}$",
        xlabel="temperature",
        ylabel="log Z(T) (nats)",
        ylim=(-6.5, highest),
    )
    axes.legend(loc="lower right", title="model: $T_c$", title_fontsize=6.5, alignment="right", borderaxespad=0)


def _leak(axes: Axes, leak: pd.DataFrame) -> None:
    for column, mark in (("finite_global", GLOBAL), ("finite_local", LOCAL)):
        _marked(axes, leak["temperature"], leak[column], mark)
    hottest, critical = leak["temperature"].max(), leak.loc[np.isinf(leak["log_z"]), "temperature"].min()
    axes.axvspan(critical, hottest, color=style.PALE, lw=0, zorder=0)
    axes.text(
        critical - 0.04,
        0.78,
        "no global law\nat T ≥ 2, Z = ∞",
        ha="right",
        fontsize=6.5,
    )
    half = leak.loc[(leak["temperature"] - 0.5).abs().idxmin()]
    text = f"local T = .5\nkeeps {half['finite_local']:.3f}\n= 1 − π/sinh π"
    look = {"textcoords": "offset points", "fontsize": 6.5, "arrowprops": {"arrowstyle": "-", "lw": 0.6}}
    axes.annotate(text, (half["temperature"], half["finite_local"]), (14, -30), **look)
    axes.set(title="f  p(eos | aⁿ) = 1/(n + 2)", xlabel="temperature", ylim=(0.45, 1.03))
    axes.set_ylabel("mass on finite strings")
    axes.legend(loc="lower right", bbox_to_anchor=(0.77, 0), borderaxespad=0)
