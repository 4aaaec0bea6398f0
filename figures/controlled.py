"""Reward against KL of every rule of controlled decoding in one exact world, and its share of what KL can buy."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

COLUMNS = {
    "toy_controlled_points": ("reward", "base", "method", "scorer", "M", "kl", "reward_mean", "optimum"),
    "toy_controlled_frontier": ("reward", "base", "kl", "optimum"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "The rules of Mudgal et al. in an exact letter model of English, for three rewards: above, expected reward against "
    "the exact sequence-level KL to the base, with the frontier that no law of answers passes; below, the share of the "
    "frontier's gain that a rule earns at its own KL. At small KL good token values beat candidates; noisy ones do not."
)
REWARDS = {"length": "length, log(n / T)", "helpful": "helpfulness (fitted to noise)", "pairs": "letter pairs"}
LARGEST = 9.0
BLOCK = 8
EXACT = style.Mark("#0072B2", "", "tokenwise V*, exact")
CURVES = {("tokenwise", "V*"): EXACT} | {
    rule: mark for rule, mark in style.METHODS.items() if rule != ("blockwise", "CD-FUDGE")
}


@style.styled(COLUMNS)
def draw(points: pd.DataFrame, frontier: pd.DataFrame) -> Figure:
    """Draw the tables toy_controlled_points and toy_controlled_frontier."""
    figure = Figure(figsize=(style.DOUBLE, 4.7))
    axes = figure.subplots(2, len(REWARDS), sharex="row", height_ratios=(1, 1.1))
    for (above, below), letters, (reward, name) in zip(axes.T, ("ad", "be", "cf"), REWARDS.items(), strict=True):
        ours = points[(points["reward"] == reward) & (points["base"] == "bigram")]
        best = frontier[(frontier["reward"] == reward) & (frontier["base"] == "bigram")].sort_values("kl")
        start = float(ours.loc[ours["method"] == "base", "reward_mean"].iloc[0])
        known = pd.concat([best, ours[ours["kl"] <= LARGEST]]).sort_values("kl")
        above.plot(known["kl"], known["optimum"], color=style.INK, linewidth=1.8, label="frontier")
        below.axhline(1, color=style.INK, linewidth=1.8)
        for (method, scorer), mark in CURVES.items():
            rows = _rule(ours, method, scorer)
            if not rows.empty:
                _line(above, rows["kl"], rows["reward_mean"], mark)
                _line(below, rows["kl"], (rows["reward_mean"] - start) / (rows["optimum"] - start), mark)
        above.set(title=f"{letters[0]}  {name[0].upper()}{name[1:]}", xlim=(0, LARGEST))
        below.set(title=f"{letters[1]}  Of the frontier's gain", xlabel="KL to the base (nats)")
        below.set(xlim=(0, LARGEST), ylim=(0.58, 1.02))
        below.set_yticks((0.6, 0.7, 0.8, 0.9, 1), labels=("60 %", "70 %", "80 %", "90 %", "100 %"))
    axes[0, 0].set_ylabel("expected reward")
    axes[1, 0].set_ylabel("gain, of the greatest at that KL")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=5)
    return figure


def _rule(points: pd.DataFrame, method: str, scorer: str) -> pd.DataFrame:
    """The rows of one rule up to the largest KL drawn; those near 0, where shares are ratios of small numbers, stay."""
    rows = points[(points["method"] == method) & (points["kl"] <= LARGEST)]
    if scorer:
        rows = rows[rows["scorer"] == scorer]
    if method == "blockwise":
        rows = rows[rows["M"] == BLOCK]
    return rows.sort_values("kl")


def _line(axes: Axes, x: pd.Series, y: pd.Series, mark: style.Mark) -> None:
    look = {"marker": mark.marker, "markersize": 3.5, "markeredgewidth": 0.4, "linewidth": 0.9}
    if not mark.marker:  # the exact rule: a line as the frontier is, so it must not be a solid one
        look = {"linewidth": 2.4, "linestyle": (0, (2, 1))}
    axes.plot(x, y, color=mark.colour, label=mark.label, **look)
