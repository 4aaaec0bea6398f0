"""Which findings of Mudgal et al. hold in the exact world, and three reasons why some do not."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

COLUMNS = {
    "toy_controlled_points": (
        "reward",
        "base",
        "method",
        "scorer",
        "M",
        "kl",
        "judged",
        "kl_blocks",
        "bound",
        "bound_first",
    ),
    "toy_controlled_findings": ("id", "margin"),
    "toy_controlled_samples": ("reward", "scorer", "method", "answers", "share"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Twenty findings of the eight experiments, decided by rules written before the run, and the slack by which each "
    "holds or fails. Short blocks lose at large KL; control by tokens needs good values, control by blocks hardly; "
    "and the KL of blocks keeps to the later version's bound, not to the first one's."
)
LABELS = {
    "length.blocks": "1  length: blocks = best-of-K",
    "length.six_for_fifty": "1  blocks of K = 6 = best-of-50",
    "length.ppo": "1  best-of-K > PPO",
    "length.tokenwise": "1  tokenwise > PPO, DPO, IPO",
    "length.fudge": "1  blocks: CD-Q > CD-FUDGE",
    "almost_optimal": "1  best-of-K ≈ frontier",
    "helpful.blocks": "2  blocks > tokenwise",
    "helpful.best_of": "2  best-of-K > blocks",
    "summaries": "3  best-of-K > blocks > IPO",
    "length.side_effect": "4  helpful answers grow longer",
    "length.kept": "4  a second scorer keeps the length",
    "swapped": "5  new base: blocks = best-of-K",
    "block_size": "6  larger blocks > smaller",
    "dpo.best": "7  DPO + blocks > blocks",
    "dpo.fewer": "7  DPO + K = 8 ≥ K = 32",
    "dpo.sum": "7  their KLs add up",
    "budget": "8  blocks > DPO + best-of-K",
    "budget.gap": "8  by more as K grows",
    "budget.dpo": "8  DPO + blocks = DPO + best-of-K",
    "blocks_before_tokens": "all  best-of-K, blocks > tokenwise",
}
HOLDS, FAILS = style.Mark("#0072B2", "o", "holds"), style.Mark("#D55E00", "X", "fails")
SIZES = ("#b0b0b0", "#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08306b")
MARKERS = "ovsD^P"
SCORERS = ("CD-Q", "CD-FUDGE")
STYLES = {"tokenwise": "-", "blockwise": "--"}
LARGEST = 9.0


@style.styled(COLUMNS)
def draw(points: pd.DataFrame, findings: pd.DataFrame, samples: pd.DataFrame) -> Figure:
    """Draw the tables toy_controlled_points, toy_controlled_findings and toy_controlled_samples."""
    figure = Figure(figsize=(style.DOUBLE, 5.4))
    left, right = figure.subfigures(1, 2, width_ratios=(1.25, 1))
    _margins(left.subplots(), findings)
    b, c, d = right.subplots(3, 1)
    _sizes(b, points[(points["reward"] == "helpful") & (points["base"] == "bigram")])
    _samples(c, samples[samples["reward"] == "helpful"])
    _bounds(d, points.dropna(subset=["bound"]))
    return figure


def _margins(axes: Axes, findings: pd.DataFrame) -> None:
    rows = findings.set_index("id").loc[[id for id in LABELS if id in set(findings["id"])]]
    rows = rows.assign(height=range(len(rows))[::-1])
    axes.axvline(0, color=style.GREY, linewidth=0.6, zorder=0)
    for holds, mark in ((True, HOLDS), (False, FAILS)):
        chosen = rows[(rows["margin"] >= 0) == holds].dropna(subset=["margin"])
        axes.hlines(chosen["height"], 0, chosen["margin"], color=mark.colour, linewidth=1)
        axes.plot(chosen["margin"], chosen["height"], mark.marker, color=mark.colour, markersize=5, label=mark.label)
    axes.set_yticks(rows["height"], labels=[LABELS[id] for id in rows.index])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set(title="a  Twenty findings by experiment", xlabel="slack of the rule (share of a gain)")
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.legend(loc="upper right")


def _sizes(axes: Axes, points: pd.DataFrame) -> None:
    rows = points[(points["method"] == "blockwise") & (points["scorer"] == "CD-Q") & (points["kl"] <= LARGEST)]
    start = float(points.loc[points["method"] == "base", "judged"].iloc[0])
    sizes = sorted(set(rows["M"]))
    for size, colour, marker in zip(sizes, SIZES[-len(sizes) :], MARKERS[-len(sizes) :], strict=True):
        one = rows[rows["M"] == size].sort_values("kl")
        gain = (one["judged"] - start) / np.sqrt(one["kl"])
        axes.plot(one["kl"], gain, color=colour, marker=marker, markersize=3, label=f"{size:.0f}")
    axes.set(
        title="b  Long blocks win at large KL",
        xlabel="KL to the base (nats)",
        ylabel="true gain / √KL",
        xlim=(0, LARGEST),
    )
    axes.legend(title="M", loc="center left", bbox_to_anchor=(1, 0.5), title_fontsize=6.5)


def _samples(axes: Axes, samples: pd.DataFrame) -> None:
    for scorer in SCORERS:
        for method, line in STYLES.items():
            rows = samples[(samples["scorer"] == scorer) & (samples["method"] == method)].sort_values("answers")
            mark = style.METHODS[method, scorer]
            look = {"color": mark.colour, "marker": mark.marker, "markersize": 3.5, "linestyle": line}
            axes.plot(rows["answers"], rows["share"], label=f"{scorer},\n{method}", **look)
    axes.set(
        title="c  Blocks forgive a noisy scorer",
        xlabel="answers learned from",
        ylabel="of the frontier's gain",
        xscale="log",
        ylim=(0, 1.05),
    )
    axes.set_yticks((0, 0.5, 1), labels=("0", "50 %", "100 %"))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _bounds(axes: Axes, points: pd.DataFrame) -> None:
    rows = points[(points["kl_blocks"] <= 20) & (points["kl_blocks"] > 0)]
    axes.plot([0, 20], [0, 20], color=style.INK, linewidth=0.8)
    for column, mark in (("bound_first", FAILS), ("bound", HOLDS)):
        axes.plot(rows[column], rows["kl_blocks"], mark.marker, color=mark.colour, markersize=2.5, linestyle="none",
                  label={"bound": "later version", "bound_first": "first version"}[column])  # fmt: skip
    axes.set(title="d  The first version's bound fails", xlabel="bound (nats)", ylabel="KL of blocks (nats)")
    axes.text(19.5, 1, "below the line: it holds", ha="right", va="bottom", fontsize=6.5)
    axes.set(xlim=(0, 20), ylim=(0, 20))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.6)
