"""Figure 1 of Tan et al., and what makes it: the toy experiment's strings, corpora and five correlations."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

COLUMNS = {
    "tan_fig1": ("quantity", "value", "low", "high", "reported"),
    "tan_fig1_variants": ("variant", "quantity", "value", "low", "high"),
    "tan_fig1_epsilon": ("variant", "epsilon", "quantity", "value", "low", "high"),
    "tan_fig1_strings": ("log_prior", "reward", "aligned"),
    "tan_fig1_corpora": ("selection", "corpus", "mean_log_prior", "mean_reward"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Toy experiment (Tan et al., figure 1), replayed bit for bit and taken apart: the sign turns with the weights, the "
    "size comes from the selection."
)
TYPICAL, ATYPICAL = style.Mark("#0072B2", "o", "typical"), style.Mark("#E69F00", "^", "atypical")
LEVELS = {
    "string_pearson_uniform": "strings, each counted once",
    "string_pearson_weighted": "strings, weighted by p₊",
    "corpus_pearson_all": "corpora, as drawn",
    "corpus_pearson_typical": "corpora, typical",
    "corpus_pearson_typical_banded": "corpora, typical, re-banded",
}
EPSILON = 0.001
NOTE = {"textcoords": "offset points", "va": "top", "fontsize": 6.5, "arrowprops": {"arrowstyle": "-", "lw": 0.6}}
PRIOR, REWARD = "mean log prior (nats)", "mean reward (nats)"


@style.styled(COLUMNS)
def draw(
    summary: pd.DataFrame,
    variants: pd.DataFrame,
    widths: pd.DataFrame,
    strings: pd.DataFrame,
    corpora: pd.DataFrame,
) -> Figure:
    """Draw the tables tan_fig1, tan_fig1_variants, tan_fig1_epsilon, tan_fig1_strings and tan_fig1_corpora."""
    figure = Figure(figsize=(style.DOUBLE, 4.9))
    above, below = figure.subfigures(2, 1, height_ratios=(1, 0.95))
    a, b, c = above.subplots(1, 3)
    d, e = below.subplots(1, 2, width_ratios=(1.1, 1))
    values = summary.set_index("quantity")["value"]
    _strings(a, strings, values)
    _clouds(b, corpora, values, "")
    b.set_title("b  Corpora, as drawn")
    b.get_legend().set_title(f"all, r = {_signed(values['corpus_pearson_all'])}")
    _clouds(c, corpora, values, "_banded")
    c.set_title("c  Corpora, re-banded")
    c.text(0.98, 0.03, "area: times drawn", transform=c.transAxes, ha="right", va="bottom", fontsize=6.5)
    _levels(d, summary, variants)
    _widths(e, widths)
    return figure


def _strings(axes: Axes, strings: pd.DataFrame, values: pd.Series) -> None:
    areas = 1 + 600 * strings["aligned"]
    axes.scatter("log_prior", "reward", data=strings, s=areas, color=style.INK, alpha=0.35, linewidths=0)
    axes.set(title="a  Strings", xlabel="log prior (nats)", ylabel="reward (nats)")
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.3 * (high - low), high)
    uniform, weighted = values["string_pearson_uniform"], values["string_pearson_weighted"]
    text = f"area: probability under p₊\nr = {_signed(uniform)} each counted once\nr = {_signed(weighted)} weighted"
    axes.text(0.98, 0.03, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=6.5)


def _clouds(axes: Axes, corpora: pd.DataFrame, values: pd.Series, suffix: str) -> None:
    """One point a corpus; the area grows with the times that re-banding drew it."""
    for kind, mark in (("atypical", ATYPICAL), ("typical", TYPICAL)):
        rows = corpora[corpora["selection"] == kind + suffix]
        points = rows.groupby("corpus")[["mean_log_prior", "mean_reward"]].first()
        times = rows["corpus"].value_counts().reindex(points.index)
        r = _signed(values[f"corpus_pearson_{kind}{suffix}"])
        axes.scatter(
            "mean_log_prior",
            "mean_reward",
            s=3 + times,
            data=points,
            color=mark.colour,
            marker=mark.marker,
            alpha=0.6,
            linewidths=0,
            label=f"{mark.label}, r = {r}",
        )
    axes.margins(x=0.12)
    low, high = axes.get_ylim()
    axes.set(xlabel=PRIOR, ylabel=REWARD, ylim=(low - 0.08 * (high - low), high + 0.33 * (high - low)))
    axes.locator_params(axis="x", nbins=4)
    axes.ticklabel_format(useOffset=False)
    legend = axes.legend(loc="upper left", borderaxespad=0, alignment="left", title_fontsize=6.5)
    for handle in legend.legend_handles:
        handle.set(sizes=[14])


def _levels(axes: Axes, summary: pd.DataFrame, variants: pd.DataFrame) -> None:
    style.correlations(axes, summary, LEVELS)
    control = variants[variants["variant"] == "unrelated reward"].set_index("quantity").reindex(list(LEVELS))
    heights = [height - 0.27 for height in range(len(LEVELS))[::-1]]
    axes.hlines(heights, control["low"], control["high"], color=style.GREY, linewidth=1)
    axes.plot(control["value"], heights, "x", color=style.GREY, markersize=4, label="unrelated reward")
    axes.set(title="d  Five correlations of the same world", xlabel="Pearson correlation of log prior and reward")
    axes.legend(loc="lower right", borderaxespad=0)


def _widths(axes: Axes, widths: pd.DataFrame) -> None:
    looks = {"same world": (style.INK, "o", "this world"), "unrelated reward": (style.GREY, "x", "unrelated reward")}
    for variant, (colour, marker, label) in looks.items():
        rows = widths[widths["variant"] == variant].pivot(index="epsilon", columns="quantity")
        share, pearson = rows["value", "share"], rows["value", "pearson"]
        axes.plot(share, pearson, color=colour, marker=marker, markersize=4, label=label)
        axes.fill_between(share, rows["low", "pearson"], rows["high", "pearson"], color=colour, alpha=0.15, linewidth=0)
        if variant == "same world" and EPSILON in share.index:
            axes.annotate("ε = .001, as printed", (share[EPSILON], pearson[EPSILON]), (10, -8), **NOTE)
    axes.axhline(0, color=style.GREY, linewidth=0.6, zorder=0)
    axes.set(
        title="e  A wider typical set forces less",
        xlabel="probability of the typical set",
        ylabel="Pearson, typical corpora",
        xlim=(0, 1.03),
        ylim=(-1.05, 0.25),
    )
    axes.legend(loc="upper left")


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
