"""Where the evidence matters: KL(P_G || P_G^-) at steps that need it and at steps that do not, by construction."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

COLUMNS = {
    "chang_relevance": ("kind", "part", "information"),
    "chang_measures": ("quantity", "value", "low", "high"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "KL(P_G || P_G^-) step by step of fixed answers, whose labels are known by construction (Chang et al., sections "
    "4.3 and 5): the share of steps above each level, for tokens of the passage's answer and for tokens that restate "
    "the question, by kind of item."
)
KINDS = {"only": "Only the passage knows", "conflict": "Against common knowledge", "common": "Commonly known"}
PARTS = {"evidence": ("#D55E00", "-", "the passage's answer"), "frame": ("#0072B2", "--", "restates the question")}
INFORMATION = r"KL($P_G \parallel P_G^-$) of a step (nats)"
LEAST = 1e-4  # nats: what is less is drawn there


@style.styled(COLUMNS)
def draw(steps: pd.DataFrame, measures: pd.DataFrame) -> Figure:
    """Draw the table chang_relevance, with the area under the curve from chang_measures."""
    figure = Figure(figsize=(style.DOUBLE, 2.6))
    panels = figure.subplots(1, len(KINDS), sharey=True)
    found = measures[measures["quantity"] == "relevance_auc"].iloc[0]
    for axes, letter, (kind, title) in zip(panels, "abc", KINDS.items(), strict=True):
        for part, look in PARTS.items():
            _share(axes, steps[(steps["kind"] == kind) & (steps["part"] == part)]["information"], *look)
        axes.set(title=f"{letter}  {title}", xlabel=INFORMATION, xscale="log", ylim=(0, 1.02))
    panels[0].set_ylabel("share of steps above")
    said = f"a and b: area under the curve {found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, title=said)
    return figure


def _share(axes: Axes, values: pd.Series, colour: str, line: str, label: str) -> None:
    """The share of the values above each level: 1 on the left, one of n less from each value on."""
    ordered = np.sort(np.maximum(values.to_numpy(), LEAST))
    shares = 1 - np.arange(len(ordered) + 1) / max(len(ordered), 1)
    axes.step([LEAST, *ordered], shares, where="post", color=colour, ls=line, label=label)
