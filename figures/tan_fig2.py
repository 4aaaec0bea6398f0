"""Figure 2 of Tan et al. on a real triple: strings, scheme means, their correlations and where the covariance lies."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from figures import style

COLUMNS = {
    "tan_strings": ("adaptor", "log_prior", "reward"),
    "tan_schemes": ("triple", "adaptor", "temperature", "mean_log_prior", "mean_reward"),
    "tan_tradeoff": ("triple", "law", "quantity", "value", "low", "high", "reported"),
    "tan_covariance": ("triple", "law", "within_prompt", "between_prompts", "between_schemes", "total"),
}
TABLES = tuple(COLUMNS)
CAPTION = "The trade-off on a real triple (Tan et al., figure 2): strings, scheme means and where the covariance lies."
PRIOR, REWARD = "mean log prior (nats)", "mean reward"
LEVELS = {
    "string_pearson": "strings, Pearson",
    "string_spearman": "strings, Spearman",
    "corpus_pearson": "corpora, Pearson",
    "corpus_spearman": "corpora, Spearman",
}
PARTS = {
    "within_prompt": "within prompts",
    "between_prompts": "between prompts",
    "between_schemes": "between schemes",
    "total": "total",
}
MOST_STRINGS = 5_000


@style.styled(COLUMNS)
def draw(rows: pd.DataFrame, schemes: pd.DataFrame, tradeoff: pd.DataFrame, covariance: pd.DataFrame) -> Figure:
    """Draw the tables tan_strings, tan_schemes, tan_tradeoff and tan_covariance of one triple, under the global law.

    Raises ValueError if the tables hold more than one triple, or an adaptor that has no mark.
    """
    figure, (_, _, c, _), tradeoff = panels("figure 2", rows, schemes, tradeoff, covariance, (5.2, 1.35))
    style.correlations(c, tradeoff, LEVELS)
    c.set(title="c  Correlation of log prior and reward", xlabel="correlation")
    c.set_ylim(bottom=-1.4)  # a strip of its own for the legend: an interval may lie anywhere above
    c.legend(loc="lower center", ncols=2, borderaxespad=0)
    return figure


def panels(
    name: str,
    rows: pd.DataFrame,
    schemes: pd.DataFrame,
    tradeoff: pd.DataFrame,
    covariance: pd.DataFrame,
    size: tuple[float, float],
) -> tuple[Figure, tuple[Axes, Axes, Axes, Axes], pd.DataFrame]:
    """A figure of four panels with a, b and d drawn, its axes, and the trade-off table's rows for panel c.

    size: the height in inches, and the upper panels' as a multiple of the lower ones'. Raises ValueError if a table
    holds more than one triple.
    """
    for table in (schemes, tradeoff, covariance):
        if table["triple"].nunique() != 1:
            raise ValueError(f"{name} shows one triple; select its rows first.")
    tradeoff, covariance = (table[table["law"] == "global"] for table in (tradeoff, covariance))
    figure = Figure(figsize=(style.DOUBLE, size[0]))
    above, below = figure.subfigures(2, 1, height_ratios=(size[1], 1))
    a, b = above.subplots(1, 2)
    c, d = below.subplots(1, 2)
    strings(a, rows)
    scheme_means(b, schemes)
    above.legend(handles=legend(schemes), loc="outside lower center", ncols=7)
    covariance_parts(d, covariance)
    return figure, (a, b, c, d), tradeoff


def strings(axes: Axes, rows: pd.DataFrame) -> None:
    """Panel a: a point a string, thinned evenly to MOST_STRINGS."""
    # Evenly spaced rows: every scheme and prompt stays in the picture, and the picture is the same on every run.
    shown = rows.iloc[:: -(-len(rows) // MOST_STRINGS) or 1]
    for family, group in shown.groupby(shown["adaptor"].map(style.family), sort=False):
        mark = style.MARKS[str(family)]
        axes.scatter("log_prior", "reward", data=group, s=5, color=mark.colour, marker=mark.marker, alpha=0.25, lw=0)
    axes.set(title="a  Strings", xlabel="log prior (nats)", ylabel="reward")


def scheme_means(axes: Axes, schemes: pd.DataFrame) -> None:
    """Panel b: one point a scheme; a line joins one adaptor's temperatures and the marks grow with them."""
    for adaptor, group in schemes.groupby("adaptor", sort=False):
        mark, path = style.mark(str(adaptor)), group.sort_values("temperature")
        axes.plot("mean_log_prior", "mean_reward", data=path, color=mark.colour, linewidth=0.7, alpha=0.6)
        axes.scatter(
            "mean_log_prior",
            "mean_reward",
            data=path,
            s=_area(path["temperature"]),
            color=mark.colour,
            marker=mark.marker,
            edgecolors="white",
            linewidths=0.4,
            zorder=3,
        )
    axes.set(title="b  Scheme means", xlabel=PRIOR, ylabel=REWARD)


def _area(temperature: Any) -> Any:
    return 10 + 40 * temperature**2


def legend(schemes: pd.DataFrame) -> list[Line2D]:
    """A handle a family, and two that show what size says."""
    families = [family for family in style.MARKS if family in set(schemes["adaptor"].map(style.family))]
    marks = [style.MARKS[family] for family in families]
    handles = [Line2D([], [], color=m.colour, marker=m.marker, markersize=5, lw=0, label=m.label) for m in marks]
    for temperature in sorted({schemes["temperature"].min(), schemes["temperature"].max()}):
        look = {"color": style.GREY, "marker": "o", "markersize": _area(temperature) ** 0.5, "lw": 0}
        handles.append(Line2D([], [], label=f"T = {temperature:g}", **look))
    return handles


def covariance_parts(axes: Axes, covariance: pd.DataFrame) -> None:
    """Panel d: one law's total covariance and the parts that add up to it."""
    values = covariance.iloc[0][list(PARTS)].astype(float)
    heights = range(len(PARTS))[::-1]
    colours = [style.INK if part == "total" else style.GREY for part in PARTS]
    axes.barh(heights, values, color=colours, height=0.62)
    axes.axvline(0, color=style.INK, linewidth=0.6)
    reach = float(values.abs().max()) or 1.0
    for height, value in zip(heights, values, strict=True):
        side, shift = ("left", 0.03 * reach) if value >= 0 else ("right", -0.03 * reach)
        axes.text(value + shift, height, f"{value:+.3g}".replace("-", "−"), va="center", ha=side)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    axes.set(title="d  Covariance and its three parts", xlabel="covariance (nats × reward)")
    axes.set(xlim=(low - 0.45 * reach if low else -0.03 * reach, high + 0.45 * reach if high else 0.03 * reach))
    axes.set_yticks(heights, labels=list(PARTS.values()))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
