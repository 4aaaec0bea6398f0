"""Prediction before sampling: what one ancestral corpus foretells of every scheme, beside what sampling gave."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style

COLUMNS = {
    "tan_prediction": (
        "triple",
        "law",
        "tokens",
        "adaptor",
        "quantity",
        "sampled",
        "sampled_low",
        "sampled_high",
        "predicted",
        "low",
        "high",
    ),
    "tan_prediction_calibration": ("triple", "law", "tokens", "quantity", "compared", "covered"),
    "tan_prediction_temperature": (
        "triple",
        "tokens",
        "quantity",
        "temperature",
        "predicted",
        "low",
        "high",
        "tangent",
    ),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Prediction before sampling: weights of one ancestral corpus foretell the mean log prior and mean reward of other "
    "schemes, as far as enough of its texts are typical of them; hollow marks are schemes that the guard refuses."
)
NAMES = {"mean_log_prior": "mean log prior (nats)", "mean_reward": "mean reward"}
STRIP = 0.13  # of a panel's height, below the data: where refused schemes stand


@style.styled(COLUMNS)
def draw(prediction: pd.DataFrame, calibration: pd.DataFrame, temperature: pd.DataFrame) -> Figure:
    """Draw the local law's predictions beside the sampled means, and the globally tempered law near T = 1.

    A row of panels for each limit of an answer's tokens, the longest first; the tempered law is that of the shortest.
    Raises ValueError if the tables hold more than one triple, or an adaptor that has no mark.
    """
    if any(table["triple"].nunique() != 1 for table in (prediction, calibration, temperature)):
        raise ValueError("the figure shows one triple; select its rows first.")
    prediction, calibration = (table[table["law"] == "local"] for table in (prediction, calibration))
    limits, letters = sorted(prediction["tokens"].unique(), reverse=True), iter("abcdefgh")
    figure = Figure(figsize=(style.DOUBLE, 2.6 + 2.7 * len(limits)))
    above, below = figure.subfigures(2, 1, height_ratios=(1.15 * len(limits), 1))
    for row, tokens in zip(above.subplots(len(limits), 2, squeeze=False), limits, strict=True):
        for axes, quantity in zip(row, NAMES, strict=True):
            here = (prediction["tokens"] == tokens) & (prediction["quantity"] == quantity)
            counted = calibration[(calibration["tokens"] == tokens) & (calibration["quantity"] == quantity)].iloc[0]
            _beside(axes, prediction[here])
            axes.set(title=f"{next(letters)}  {_title(counted)}, {tokens} tokens")
            axes.set(xlabel=f"sampled {NAMES[quantity]}", ylabel=f"predicted {NAMES[quantity]}")
    above.legend(handles=_legend(prediction), loc="outside lower center", ncols=7)
    panels = below.subplots(1, 2)
    shortest = temperature[temperature["tokens"] == limits[-1]]
    for axes, quantity in zip(panels, NAMES, strict=True):
        _tempered(axes, shortest[shortest["quantity"] == quantity])
        axes.set(title=f"{next(letters)}  Globally tempered law, {limits[-1]} tokens")
        axes.set(xlabel="temperature T", ylabel=NAMES[quantity])
    below.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _title(counted: pd.Series) -> str:
    if not counted["compared"]:
        return "None compared"
    return f"{counted['covered']:.0f} of {counted['compared']:.0f} agree"


def _beside(axes: Axes, rows: pd.DataFrame) -> None:
    """Predicted against sampled with both intervals; schemes without a prediction in a strip of their own below."""
    if rows["sampled"].isna().all():
        axes.text(0.5, 0.5, "nothing was sampled", transform=axes.transAxes, ha="center", va="center")
        return
    sides = ["sampled", "sampled_low", "sampled_high", "predicted", "low", "high"]
    low, high = (float(getattr(np, f"nan{end}")(rows[sides])) for end in ("min", "max"))
    margin = 0.05 * (high - low) or 1.0
    bottom, top = low - margin, high + margin
    floor = bottom - STRIP * (top - bottom) / (1 - STRIP)
    axes.plot([bottom, top], [bottom, top], color=style.GREY, linewidth=0.7, zorder=0)
    axes.axhline(bottom, color=style.PALE, linewidth=0.6)
    for adaptor, group in rows.groupby(rows["adaptor"].map(style.family), sort=False):
        mark, refused = style.MARKS[str(adaptor)], group["predicted"].isna()
        made = group[~refused]
        bars = {"color": mark.colour, "linewidth": 0.7, "alpha": 0.5}
        axes.hlines(made["predicted"], made["sampled_low"], made["sampled_high"], **bars)
        axes.vlines(made["sampled"], made["low"], made["high"], **bars)
        axes.scatter("sampled", "predicted", data=made, s=26, color=mark.colour, marker=mark.marker, lw=0, zorder=3)
        height = np.full(int(refused.sum()), (bottom + floor) / 2)
        hollow = {"facecolors": "none", "edgecolors": mark.colour, "linewidths": 0.7}
        axes.scatter(group["sampled"][refused], height, s=18, marker=mark.marker, **hollow)
    axes.set(xlim=(bottom, top), ylim=(floor, top))
    axes.set_yticks([tick for tick in axes.get_yticks() if bottom <= tick <= top])
    axes.set_ylim(floor, top)


def _legend(rows: pd.DataFrame) -> list[Line2D]:
    families = [family for family in style.MARKS if family in set(rows["adaptor"].map(style.family))]
    marks = [style.MARKS[family] for family in families]
    handles = [Line2D([], [], color=m.colour, marker=m.marker, markersize=5, lw=0, label=m.label) for m in marks]
    look = {"color": style.GREY, "marker": "o", "fillstyle": "none", "markersize": 4, "lw": 0}
    return [*handles, Line2D([], [], label="not predicted", **look)]


def _tempered(axes: Axes, rows: pd.DataFrame) -> None:
    """The predicted mean with its interval where the guard allows it, and the tangent at T = 1 over that range."""
    rows = rows.sort_values("temperature")
    made = rows[rows["predicted"].notna()]
    if made.empty:
        axes.text(0.5, 0.5, "too few ancestral texts", transform=axes.transAxes, ha="center", va="center")
        return
    band = (made["temperature"], made["low"].astype(float), made["high"].astype(float))
    axes.fill_between(*band, color=style.PALE, linewidth=0, label="95 % interval")
    axes.plot("temperature", "predicted", data=made, color=style.INK, label="predicted")
    tangent = {"color": "#D55E00", "linestyle": "--", "label": "tangent at T = 1: −Cov(·, log p₊)"}
    axes.plot("temperature", "tangent", data=made, **tangent)
    axes.plot(
        [1], made.loc[(made["temperature"] - 1).abs().idxmin(), "predicted"], "o", color=style.INK, markersize=3.5
    )
