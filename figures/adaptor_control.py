"""Where temperature and the other adaptors take mean log p and mean reward, in worlds where both are exact."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

COLUMNS = {
    "toy_adaptors_regimes": ("regime", "temperature", "log_prior", "reward", "slope_log_prior", "slope_reward"),
    "toy_adaptors_shares": ("kind", "regime", "strength", "share", "low", "high"),
    "toy_adaptors_moves": ("family", "normalisation", "strength", "log_prior", "reward", "slope", "line", "critical"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Heat trades log p for reward in one of three regimes only (a to c: exact means, tangents predicted by variances "
    "and covariance), the rarer one where rewards are unrelated to log p (d to f). Even in a world chosen to suit the "
    "trade-off, adaptors leave its line of slope −β: global laws keep the sign, the sampled local ones need not."
)
REGIMES = {
    "trade": style.Mark("#0072B2", "o", "as printed: log p falls, r rises"),
    "both fall": style.Mark("#767676", "s", "both fall"),
    "reverse": style.Mark("#D55E00", "^", "reverse: log p rises, r falls"),
}
HEADINGS = {"trade": "a  Heat as printed", "both fall": "b  Heat lowers both", "reverse": "c  Heat reversed"}
KINDS = {"opposed": "d  Reward opposed to log p", "unrelated": "e  Unrelated reward", "agreeing": "f  Agreeing reward"}
X = "mean log p (nats)"


@style.styled(COLUMNS)
def draw(regimes: pd.DataFrame, shares: pd.DataFrame, moves: pd.DataFrame) -> Figure:
    """Draw the tables named in TABLES."""
    figure = Figure(figsize=(style.DOUBLE, 7.2))
    curves, kinds, plane = figure.subfigures(3, 1, height_ratios=(1, 1.05, 1.25))
    for axes, name in zip(curves.subplots(1, 3), HEADINGS, strict=True):
        _curve(axes, regimes[regimes["regime"] == name], REGIMES[name])
        axes.set_title(HEADINGS[name])
    curves.supxlabel("one exact world each; bars: slopes predicted by Var log p + C and Var r + C", fontsize=6.5)
    three = kinds.subplots(1, 3, sharey=True)
    for axes, (kind, title) in zip(three, KINDS.items(), strict=True):
        _shares(axes, shares[shares["kind"] == kind])
        axes.set_title(title)
    three[0].set_ylabel("share of random worlds")
    kinds.legend(*three[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    both = plane.subplots(1, 2, sharex=True, sharey=True)
    titles = {"global": "g  Globally normalised", "local": "h  Locally normalised, as sampled"}
    for axes, (normalisation, title) in zip(both, titles.items(), strict=True):
        _moves(axes, moves, normalisation)
        axes.set_title(title)
    both[0].set_ylabel("mean reward")
    plane.legend(*both[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _curve(axes: Axes, rows: pd.DataFrame, mark: style.Mark) -> None:
    """The exact points of one world from cold to hot, and through every other one its predicted tangent."""
    points = rows[["log_prior", "reward"]].to_numpy()
    axes.plot(*points.T, mark.marker, color=mark.colour, markersize=4, zorder=3)
    predicted = rows[["slope_log_prior", "slope_reward"]].to_numpy()
    # Half a tangent reaches a ninth of the picture, in the picture's own proportions.
    steps = predicted / np.linalg.norm(predicted / np.ptp(points, axis=0), axis=1, keepdims=True) / 9
    for at, step in zip(points[::2], steps[::2], strict=True):
        axes.plot(*np.transpose([at - step, at + step]), color=style.INK, linewidth=1.1, zorder=2)
    falling = points[0, 1] > points[-1, 1]
    cold_right = points[0, 0] > points[-1, 0]
    rising_line = falling == cold_right  # log p and r move together
    offset, side = ((-6, 3), "right") if rising_line else ((6, 3), "left")
    for place in (0, len(rows) // 2, len(rows) - 1):
        label = f"T = {rows['temperature'].iloc[place]:g}"
        axes.annotate(label, points[place], offset, textcoords="offset points", ha=side, fontsize=6.5)
    axes.margins(0.3, 0.15)
    # The corner that the line leaves empty, on the far side from the labels.
    centre = np.array([0.78 if rising_line else 0.22, 0.22])
    half = np.array([-0.09 if cold_right else 0.09, -0.11 if falling else 0.11])
    arrow = {"arrowstyle": "-|>", "color": mark.colour, "lw": 1.4}
    axes.annotate("", centre + half, centre - half, "axes fraction", "axes fraction", arrowprops=arrow)
    below, va = (2, "bottom") if falling else (-2, "top")
    axes.annotate("heat", centre - half, (0, below), "axes fraction", "offset points", ha="center", va=va, fontsize=6.5)
    axes.set(xlabel=X, ylabel="mean r / β (nats)")


def _shares(axes: Axes, rows: pd.DataFrame) -> None:
    for name, mark in REGIMES.items():
        part = rows[rows["regime"] == name].sort_values("strength")
        axes.fill_between(part["strength"], part["low"], part["high"], color=mark.colour, alpha=0.2, linewidth=0)
        axes.plot(
            "strength", "share", mark.marker, ls="-", data=part, color=mark.colour, markersize=4, label=mark.label
        )
    axes.set_xscale("log", base=2)
    ticks = sorted(rows["strength"].unique())
    axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.set(xlabel="strength of r / β (nats)", ylim=(-0.03, 1.03))


def _moves(axes: Axes, moves: pd.DataFrame, normalisation: str) -> None:
    """A line from p_plus to each adapted law; markers grow with the depth of the cut or with T."""
    start = moves[moves["family"] == "ancestral"].iloc[0]
    here, line = (start["log_prior"], start["reward"]), start["line"]
    rows = moves[(moves["normalisation"] == normalisation) & moves["log_prior"].notna()]
    for family, part in rows.groupby("family", sort=False):
        mark, sizes = style.mark(str(family)), np.linspace(9, 34, len(part))
        for x, r in part[["log_prior", "reward"]].to_numpy():
            axes.plot([here[0], x], [here[1], r], color=mark.colour, linewidth=0.5, alpha=0.6, zorder=1)
        axes.scatter(
            "log_prior", "reward", s=sizes, data=part, color=mark.colour, marker=mark.marker, lw=0, label=mark.label
        )
    axes.plot(*here, "*", color=style.INK, markersize=10, zorder=4, ls="", label="p₊, ancestral")
    axes.axline(here, slope=line, color=style.GREY, linestyle="--", zorder=0, label="constant mean S, slope −β")
    notes = [f"slope of the moves, median {_signed(rows['slope'].median())}", f"of the line, −β = {_signed(line)}"]
    axes.text(
        0.98,
        0.97,
        "\n".join(notes + _window(axes, moves, rows)),
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=6.5,
    )
    axes.set_xlabel(X)


def _window(axes: Axes, moves: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Set limits without global heat, which runs off to minus infinity at T_c; return where it goes, in words."""
    heat = (moves["family"] == "temperature") & (moves["normalisation"] == "global") & (moves["strength"] > 1)
    for column, limit, widen in (("log_prior", axes.set_xlim, 0.08), ("reward", axes.set_ylim, 0.15)):
        low, high = moves.loc[~heat, column].min(), moves.loc[~heat, column].max()
        limit(low - widen * (high - low), high + widen * (high - low))
    hot = rows[rows.index.isin(moves.index[heat])]
    notes = [
        f"T = {row.strength:g} leads to ({_signed(row.log_prior, 1)}, {row.reward:.2f})" for row in hot.itertuples()
    ]
    return [*notes, f"T ≥ {hot['critical'].iloc[0]:.2f}: no law, Z = ∞"] if notes else []


def _signed(value: float, digits: int = 2) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")
