"""Three trade-offs of guidance on a real model: attribution, diversity and sensibleness against each other."""

from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style

MEASURES = ("nll", "entropy", "found", "distinct")
COLUMNS = {
    "chang_rules": (
        "family",
        "prior",
        "T",
        "strength",
        *(f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high")),
    )
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Sensibleness, diversity and attribution on a real model (Chang et al., section 5), one point a rule, 95 % "
    "intervals over items. Surprise is that of the prior which sees the passage. a: what guidance pays in sensibleness "
    "for attribution. b: a temperature that follows the evidence beside a static one. c: temperature's own trade-off. "
    "Hollow: the weaker prior."
)
MARKS = {
    "none": replace(style.MARKS["temperature"], label="static temperature T"),
    "free": replace(style.RULES["classifier-free"], label="classifier-free guidance λ"),
    "classifier": replace(style.RULES["classifier, base values"], label="classifier guidance λ"),
    "kl": replace(style.RULES["KL-guided temperature"], label="KL-guided temperature σ"),
}
BELOW = ("classifier", "kl")
"""Their values stand below their points, those of the curves beside them above."""
NAMES = {
    "nll": "surprise (nats a token)",
    "entropy": "entropy of a step (nats)",
    "found": "answer found (share)",
    "distinct": "distinct-2",
}


@style.styled(COLUMNS)
def draw(rules: pd.DataFrame) -> Figure:
    """Draw the table chang_rules. Raises ValueError on a rule of another family."""
    if unknown := set(rules["family"]) - set(MARKS):
        raise ValueError(f"no mark for the rules {', '.join(sorted(unknown))}.")
    figure = Figure(figsize=(style.DOUBLE, 2.9))
    panels = figure.subplots(1, 3)
    for axes, letter, title, x, y, families in zip(
        panels,
        "abc",
        ("Attribution for sensibleness", "Attribution for diversity", "Diversity for sensibleness"),
        ("nll", "entropy", "nll"),
        ("found", "found", "distinct"),
        (("none", "free", "classifier"), ("none", "kl"), ("none", "kl")),
        strict=True,
    ):
        for family in families:
            _curve(axes, rules[(rules["family"] == family) & (rules["prior"] == "intact")], x, y, family)
        _points(axes, rules[rules["prior"] == "weak"], x, y)
        axes.set(title=f"{letter}  {title}", xlabel=NAMES[x], ylabel=NAMES[y])
    hollow = Line2D([], [], ls="", marker="o", color="0.4", fillstyle="none", markersize=5)
    handles = {"the weaker prior": hollow}
    for axes in panels:
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True)) | handles
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
    return figure


def _curve(axes: Axes, rows: pd.DataFrame, x: str, y: str, family: str) -> None:
    """A family's rules joined in the order of their knob, each with its value beside it."""
    knob = "T" if family == "none" else "strength"
    rows, mark = rows.sort_values(knob), MARKS[family]
    bars = {"color": mark.colour, "linewidth": 0.6, "alpha": 0.5}
    axes.vlines(rows[x], rows[f"{y}_low"], rows[f"{y}_high"], **bars)
    axes.hlines(rows[y], rows[f"{x}_low"], rows[f"{x}_high"], **bars)
    axes.plot(rows[x], rows[y], color=mark.colour, marker=mark.marker, markersize=4, label=mark.label)
    for _, row in rows.iterrows():
        where = {"xytext": (4, -8 if family in BELOW else 3), "textcoords": "offset points"}
        axes.annotate(f"{row[knob]:g}", (row[x], row[y]), fontsize=5.5, color=mark.colour, **where)


def _points(axes: Axes, rows: pd.DataFrame, x: str, y: str) -> None:
    """The weaker prior's rules, hollow."""
    for _, row in rows.iterrows():
        mark = MARKS[row["family"]]
        axes.plot([row[x]], [row[y]], mark.marker, color=mark.colour, fillstyle="none", markersize=5)
