"""Where the correlation of a real triple lies, what length makes of it, and how typical and mixed its corpora are."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

COLUMNS = {
    "tan_emp_measures": ("triple", "law", "quantity", "item", "value", "low", "high"),
    "tan_emp_tau": ("tau",),
    "tan_emp_typical": ("scope", "size", "epsilon", "share", "low", "high", "bound"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "One correlation is several: within prompts, between prompts and between schemes it may differ in sign, and length "
    "or the missing prompt may move it. Tau below 1 is a trade-off within a prompt; corpora become typical as they "
    "grow; acceptance says how near local normalisation comes to global."
)
TRIPLES = {"reward": ("o", style.INK, "study's reward"), "secret": ("D", "#0072B2", "log p$_+$ − log p")}
LEVELS = {
    "string_pearson": "all strings",
    "within_prompt_pearson": "within prompts",
    "between_prompts_pearson": "between prompts",
    "between_schemes_pearson": "between schemes",
}
VERSIONS = {
    "string_pearson_as_is": "strings",
    "string_pearson_per_token": "strings, per token",
    "string_pearson_given_length": "strings, given length",
    "string_pearson_equal_length": "strings, equal length",
    "between_schemes_pearson_as_is": "schemes",
    "between_schemes_pearson_per_token": "schemes, per token",
    "between_schemes_pearson_given_length": "schemes, given length",
    "between_schemes_pearson_equal_length": "schemes, equal length",
}
PRIORS = {
    "string_pearson_conditioned": "strings, log p(y | x)",
    "string_pearson_alone": "strings, log p(y)",
    "between_schemes_pearson_conditioned": "schemes, log p(y | x)",
    "between_schemes_pearson_alone": "schemes, log p(y)",
}
SIZES = {1: ("o", "#000000"), 10: ("s", "#0072B2"), 100: ("^", "#D55E00"), 1000: ("D", "#009E73")}
ASKED = 0.9  # acceptance that the paper reports to be exceeded


@style.styled(COLUMNS)
def draw(measures: pd.DataFrame, tau: pd.DataFrame, typical: pd.DataFrame) -> Figure:
    """Draw the tables of TABLES; correlations and acceptance under the global law."""
    figure = Figure(figsize=(style.DOUBLE, 7.2))
    (a, b), (c, d), (e, f) = figure.subplots(3, 2, height_ratios=(1, 1.25, 1))
    levels = measures[measures["law"] == "global"]
    _forest(a, levels, LEVELS, list(TRIPLES))
    a.set_title("a  Where the correlation lies")
    _forest(c, levels, VERSIONS, list(TRIPLES))
    c.set_title("c  What length makes of it")
    _forest(e, measures, PRIORS, ["reward"])
    e.set(title="e  With and without the prompt", xlabel="correlation (first sample of each cell)")
    _tau(b, tau, measures)
    _typical(d, typical)
    _acceptance(f, measures[measures["quantity"] == "acceptance"])
    figure.align_ylabels([b, d, f])
    return figure


def _forest(axes: Axes, table: pd.DataFrame, labels: dict[str, str], triples: list[str]) -> None:
    """Values with their intervals, one line a quantity, the triples side by side."""
    heights = np.arange(len(labels))[::-1]
    shifts = np.linspace(0.16, -0.16, len(triples)) if len(triples) > 1 else [0.0]
    axes.axvline(0, color=style.GREY, linewidth=0.6, zorder=0)
    for shift, triple in zip(shifts, triples, strict=True):
        marker, colour, label = TRIPLES[triple]
        rows = table[table["triple"] == triple].set_index("quantity").loc[list(labels)]
        axes.hlines(heights + shift, rows["low"], rows["high"], color=colour, linewidth=1.2)
        axes.plot(rows["value"], heights + shift, marker, color=colour, markersize=4, label=label)
    strip = -1.5 if len(triples) > 1 else -0.6  # room for a legend where one is needed
    axes.set(xlim=(-1.05, 1.05), ylim=(strip, len(labels) - 0.4), xlabel="correlation", xticks=(-1, -0.5, 0, 0.5, 1))
    axes.set_yticks(heights, labels=list(labels.values()))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if len(triples) > 1:
        axes.legend(loc="lower center", ncols=2, borderaxespad=0)


def _tau(axes: Axes, tau: pd.DataFrame, measures: pd.DataFrame) -> None:
    """tau of each prompt in order, and of all together with its interval."""
    values = np.sort(tau["tau"].dropna())
    place = (np.arange(len(values)) + 0.5) / max(len(values), 1)
    axes.axhline(1, color=style.GREY, linewidth=0.6, zorder=0)
    axes.plot(place, values, "o", color=style.INK, markersize=3, label="a prompt")
    row = measures[(measures["quantity"] == "tau") & (measures["triple"] == "secret")].iloc[0]
    axes.axhspan(row["low"], row["high"], color="#0072B2", alpha=0.2, lw=0)
    axes.axhline(row["value"], color="#0072B2", linewidth=1.0, label="together, 95 %")
    axes.set(title="b  Trade-off within prompts: tau < 1", xlabel="share of prompts", ylabel="tau", xlim=(0, 1))
    axes.set_ylim(top=axes.get_ylim()[1] + 0.25 * np.ptp(axes.get_ylim()))  # a strip for the legend
    axes.legend(loc="upper center", ncols=2, borderaxespad=0)


def _typical(axes: Axes, typical: pd.DataFrame) -> None:
    """The share of typical corpora against eps; dotted, hollow: what Chebyshev's inequality promises."""
    for size, group in typical[typical["scope"] == "over prompts"].groupby("size"):
        marker, colour = SIZES[int(size)]
        axes.fill_between(group["epsilon"], group["low"], group["high"], color=colour, alpha=0.15, lw=0)
        label = f"N = {int(size):,}"
        axes.plot(group["epsilon"], group["share"], marker=marker, color=colour, markersize=3.5, label=label)
        look = {"marker": marker, "markersize": 3.5, "fillstyle": "none", "linestyle": ":", "linewidth": 0.8}
        axes.plot(group["epsilon"], group["bound"], color=colour, **look)
    axes.set(xscale="log", ylim=(-0.03, 1.25), yticks=(0, 0.5, 1), title="d  Typical corpora of ancestral answers")
    ticks = sorted(typical["epsilon"].unique())
    axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set(xlabel="eps (nats a text)", ylabel="share within eps (dotted: Chebyshev)")
    axes.legend(loc="upper center", ncols=4, borderaxespad=0, columnspacing=1.0)


def _acceptance(axes: Axes, rows: pd.DataFrame) -> None:
    """Stationary acceptance against temperature, a line an adaptor."""
    split = rows["item"].str.split("@T=", expand=True)
    for adaptor, group in rows.assign(adaptor=split[0], temperature=split[1].astype(float)).groupby("adaptor"):
        mark, path = style.mark(str(adaptor)), group.sort_values("temperature")
        errors = [path["value"] - path["low"], path["high"] - path["value"]]
        axes.errorbar(path["temperature"], path["value"], errors, color=mark.colour, linewidth=0.7, elinewidth=0.6)
        axes.plot(path["temperature"], path["value"], mark.marker, color=mark.colour, markersize=3.5)
    families = [family for family in style.MARKS if family in set(split[0].map(style.family))]
    marks = [style.MARKS[family] for family in families]
    handles = [axes.plot([], [], m.marker, color=m.colour, markersize=4, label=m.label)[0] for m in marks]
    axes.axhline(ASKED, color=style.GREY, linewidth=0.6, linestyle="--", zorder=0)
    axes.set(title="f  Acceptance of the chain", xlabel="temperature", ylabel="acceptance (dashed: reported)")
    axes.set(ylim=(0, 1.35), yticks=(0, 0.5, 1))
    axes.legend(handles=handles, loc="upper center", ncols=4, borderaxespad=0, columnspacing=1.0)
