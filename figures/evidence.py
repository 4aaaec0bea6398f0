"""Guided decoding where all is known: what each rule pays for diversity and attribution, exact sums over strings."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style

COLUMNS = {
    "toy_evidence_curves": ("family", "rule", "setting", "dial", "quantity", "value", "low", "high"),
    "toy_evidence_dynamic": ("family", "sigma", "matched", "quantity", "value", "low", "high"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "All rules start at P_G (star). For the same KL the printed formula of classifier guidance buys the most "
    "attribution and temperature the least; classifier-free guidance overshoots when the model without the evidence "
    "is another prompt and not the marginal. A temperature that follows the evidence has more attribution than an "
    "equally diverse constant one and is the less sensible of the two; where the evidence matters evenly the two are "
    "one. Means over random worlds; bands and bars: 95 % intervals over worlds."
)
RULES = style.RULES | {"temperature": style.MARKS["temperature"], "greedy": style.Mark("#000000", "X", "greedy")}
AXES = {
    "kl": "KL from $P_G$ (nats)",
    "entropy": "change of entropy (nats)",
    "information": "change of E log p(y|e)/p(y) (nats)",
    "posterior": "change of E p(e|y)",
}
SIGMA = 0.3
COMPARISONS = {
    ("entropy", "information"): ("#0072B2", "o", "attribution, at equal diversity"),
    ("entropy", "kl"): ("#D55E00", "^", "KL from $P_G$, at equal diversity"),
    ("kl", "information"): ("#009E73", "s", "attribution, at equal KL"),
}


@style.styled(COLUMNS)
def draw(curves: pd.DataFrame, dynamic: pd.DataFrame) -> Figure:
    """Draw toy_evidence_curves and toy_evidence_dynamic."""
    figure = Figure(figsize=(style.DOUBLE, 5.6))
    above, below = figure.subfigures(2, 1, height_ratios=(1.1, 1))
    a, b, c = above.subplots(1, 3)
    points = _points(curves)
    _plane(a, points, "kl", "entropy", "a  Diversity for KL")
    _plane(b, points, "kl", "information", "b  Attribution for KL")
    _plane(c, points, "entropy", "information", "c  Attribution for diversity")
    handles = [Line2D([], [], **_look(mark), label=mark.label) for mark in RULES.values()]
    handles.append(Line2D([], [], color=style.INK, marker="*", markersize=8, lw=0, label="$P_G$, the anchor"))
    above.legend(handles=handles, loc="outside lower center", ncols=4)
    d, e = below.subplots(1, 2)
    _strengths(d, curves)
    _comparison(e, dynamic)
    below.legend(*e.get_legend_handles_labels(), loc="outside lower right", ncols=3)
    return figure


def _points(curves: pd.DataFrame) -> pd.DataFrame:
    """One row a family, rule and setting in the order of the dial; a column a quantity."""
    index = ["family", "rule", "setting"]
    return curves.pivot(index=index, columns="quantity", values="value").sort_index().reset_index()


def _look(mark: style.Mark) -> dict[str, object]:
    return {"color": mark.colour, "marker": mark.marker, "markersize": 3.5, "linewidth": 0.9}


def _plane(axes: Axes, points: pd.DataFrame, x: str, y: str, title: str) -> None:
    shown = points[points["family"] == "mixture"]
    for rule, mark in RULES.items():
        axes.plot(x, y, data=shown[shown["rule"] == rule], **_look(mark), alpha=0.9)
    axes.axhline(0, color=style.PALE, linewidth=0.6, zorder=0)
    axes.axvline(0, color=style.PALE, linewidth=0.6, zorder=0)
    axes.plot([0], [0], "*", color=style.INK, markersize=9, zorder=5)
    ends = {"T > 1": shown[shown["rule"] == "temperature"].iloc[-1]}
    if y == "information":
        ends["$\\lambda$ < 0"] = shown[shown["rule"] == "classifier-free"].iloc[0]
    for text, end in ends.items():
        side = {"xytext": (5, -2), "ha": "left"} if x == "kl" else {"xytext": (-5, -2), "ha": "right"}
        axes.annotate(text, (end[x], end[y]), textcoords="offset points", color=style.GREY, **side)
    axes.set(title=title, xlabel=AXES[x], ylabel=AXES[y])


def _strengths(axes: Axes, curves: pd.DataFrame) -> None:
    """Attribution along lambda; classifier-free guidance with two prompts is dashed and hollow."""
    shown = curves[(curves["dial"] == "lambda") & (curves["quantity"] == "posterior")]
    for (rule, family), path in shown.groupby(["rule", "family"], sort=False):
        if family != "mixture" and rule != "classifier-free":
            continue
        mark, path = RULES[str(rule)], path.sort_values("setting")
        look = _look(mark) if family == "mixture" else {**_look(mark), "linestyle": "--", "fillstyle": "none"}
        axes.fill_between(path["setting"], path["low"], path["high"], color=mark.colour, alpha=0.15, linewidth=0)
        axes.plot(path["setting"], path["value"], **look)
    axes.axhline(0, color=style.PALE, linewidth=0.6, zorder=0)
    axes.set(title="d  Two prompts: guidance overshoots", xlabel="strength $\\lambda$", ylabel=AXES["posterior"])
    dash = {"color": style.INK, "linewidth": 0.9}
    axes.plot([], [], **dash, label="without evidence: the marginal")
    axes.plot([], [], **dash, linestyle="--", label="without evidence: another prompt")
    axes.legend(loc="upper left")
    axes.set_ylim(top=1.25 * axes.get_ylim()[1])


def _comparison(axes: Axes, dynamic: pd.DataFrame) -> None:
    """Dynamic minus static temperature at one sigma, a row a family."""
    shown = dynamic[dynamic["sigma"] == SIGMA]
    families = list(dict.fromkeys(shown["family"]))
    for number, ((matched, quantity), (colour, marker, label)) in enumerate(COMPARISONS.items()):
        rows = shown[(shown["matched"] == matched) & (shown["quantity"] == quantity)].set_index("family").loc[families]
        heights = [len(families) - 1 - row + 0.22 * (1 - number) for row in range(len(families))]
        axes.hlines(heights, rows["low"], rows["high"], color=colour, linewidth=1.2)
        axes.plot(rows["value"], heights, marker, color=colour, markersize=4, label=label)
    axes.axvline(0, color=style.GREY, linewidth=0.6, zorder=0)
    axes.set_yticks(range(len(families))[::-1], labels=families)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set(title="e  Following the evidence", xlabel=f"dynamic − static temperature (nats), $\\sigma$ = {SIGMA:g}")
