"""Theorem 3.1's objective maximised as printed: where it lowers the success that its formula raises."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from figures import style

COLUMNS = {
    "toy_evidence_phase": ("section", "lam", "lam_c", "printed", "literal", "base", "ratio", "share", "neutral"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Two tokens that succeed with probabilities m < M. The formula printed in Theorem 3.1 raises success at every "
    "strength; the argmax of the objective printed beside it jumps to the worse token where that is the likelier one "
    "(red). Beyond the solid line the objective can have two maxima; before it success rises iff P_G succeeds with "
    "more than the logarithmic mean of m and M (dashed)."
)
LINES = {
    "printed": ("#0072B2", "-", "printed formula"),
    "literal": ("#D55E00", "-.", "argmax of the printed objective"),
    "base": ("#767676", ":", "$P_G$"),
}
COLOURS = "RdBu"  # red: less success than P_G; blue: more


@style.styled(COLUMNS)
def draw(phase: pd.DataFrame) -> Figure:
    """Draw toy_evidence_phase."""
    figure = Figure(figsize=(style.DOUBLE, 2.75))
    a, b, c = figure.subplots(1, 3)
    _line(a, phase[phase["section"] == "line"])
    ratio, share = (phase[phase["section"] == name] for name in ("ratio", "share"))
    _plane(b, ratio, "ratio", "b  $P_G$(better token) = .4", "M / m")
    b.set(yscale="log", yticks=(2, 5, 10, 20, 50, 100), yticklabels=("2", "5", "10", "20", "50", "100"))
    b.minorticks_off()
    _plane(c, share, "share", "c  Q = (.1, .9)", "$P_G$(better token)")
    for axes, rows, y in ((b, ratio, "ratio"), (c, share, "share")):
        _neutral(axes, rows, y)
    b.text(8, 30, "lower", color="white", weight="bold", ha="center")
    c.text(8, 0.7, "higher", color="white", weight="bold", ha="center")
    c.text(8, 0.42, "lower", color="white", weight="bold", ha="center")
    figure.colorbar(ScalarMappable(_scale(), COLOURS), ax=[b, c], label="change of success against $P_G$", pad=0.02)
    return figure


def _line(axes: Axes, rows: pd.DataFrame) -> None:
    for name, (colour, dash, label) in LINES.items():
        axes.plot("lam", name, data=rows, color=colour, linestyle=dash, label=label)
    lam_c = rows["lam_c"].iloc[0]
    axes.plot([lam_c, lam_c], [0, 1], color=style.INK, linewidth=0.8)
    axes.set(xscale="log", xlabel="$\\lambda$", ylabel="probability of success", ylim=(0, 1.3))
    axes.set(title="a  Q = (.1, .9), $P_G$ = (.6, .4)", yticks=np.arange(0, 1.01, 0.2))
    axes.text(lam_c, 0.02, " $\\lambda_c$", ha="left", va="bottom")
    axes.legend(loc="upper left")


def _plane(axes: Axes, rows: pd.DataFrame, y: str, title: str, label: str) -> None:
    change = rows.assign(change=rows["literal"] - rows["base"]).pivot(index=y, columns="lam", values="change")
    axes.pcolormesh(
        change.columns, change.index, change, cmap=COLOURS, norm=_scale(), shading="nearest", rasterized=True
    )
    edge = rows.drop_duplicates(y).sort_values(y)
    axes.plot(edge["lam_c"], edge[y], color=style.INK, linewidth=1.0)
    last = edge.iloc[-1] if y == "share" else edge.iloc[len(edge) // 2]
    axes.text(last["lam_c"], last[y], "$\\lambda_c$ ", ha="right", va="top")
    axes.set(xscale="log", xlabel="$\\lambda$", ylabel=label, title=title)
    axes.set(xlim=(change.columns.min(), change.columns.max()), ylim=(change.index.min(), change.index.max()))


def _neutral(axes: Axes, rows: pd.DataFrame, y: str) -> None:
    """Dashed, up to lambda_c: where P_G succeeds with the logarithmic mean, between two rows of the table."""
    edge = rows.drop_duplicates(y).sort_values(y)
    excess = edge["share"] - edge["neutral"]
    height, lam_c = (np.interp(0.0, excess, edge[column]) for column in (y, "lam_c"))
    axes.plot([rows["lam"].min(), lam_c], [height, height], color=style.INK, linestyle="--", linewidth=0.9)
    axes.text(rows["lam"].min(), height, " log. mean", va="bottom", fontsize=6.5)


def _scale() -> Normalize:
    return Normalize(-0.5, 0.5)
