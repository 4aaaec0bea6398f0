"""Where corpora are looked for and where they are: log-probabilities of the plane, and what each resampling shows."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import style

COLUMNS = {
    "toy_reversal_regions": ("view", "mean_log_prior", "mean_reward", "log_probability"),
    "toy_reversal_bands": ("bands", "band", "low", "high", "mean_reward", "log_probability"),
    "toy_reversal_cloud": ("mean_log_prior", "mean_reward", "typical"),
    "toy_reversal_seeds": ("world", "law", "quantity", "value", "low", "high"),
}
TABLES = tuple(COLUMNS)
CAPTION = (
    "Log-probability of corpora of 100,000 strings by their means: −N KL of the tilt of p₊ that has them. All corpora "
    "are one dot on the strings' own scale (a); the released code's bands cut up that dot at the price of some nats "
    "(b). Causal bootstrapping proper shows nothing near −0.92 (c); where it takes mean log p₊ for the confounder it "
    "drives the slope towards −1, for an unrelated reward too, because r = mean log p₊ − mean log p (d)."
)
STRINGS, CLOUD = "deviations of a string", "deviations of a corpus"
LEVELS = {STRINGS: (-2e5, -1e5, -3e4, -1e4, -1e3), CLOUD: (-16.0, -8.0, -4.0, -2.0, -0.5)}
LABELLED = 4
LAWS = {
    "corpora, as drawn": "as drawn",
    "bands": "bands",
    "bands, typical": "bands, typical\n(released code)",
    "causal, u = typical": "causal bootstrap,\nu = typical or not",
    "causal, u = mean log p₊": "causal bootstrap,\nu = mean log p₊",
}
KINDS = {
    "published world": style.Mark(style.INK, "o", "published world"),
    "unrelated rewards": style.Mark("#D55E00", "x", "unrelated rewards"),
}
PRINTED = -0.92


@style.styled(COLUMNS)
def draw(regions: pd.DataFrame, bands: pd.DataFrame, cloud: pd.DataFrame, seeds: pd.DataFrame) -> Figure:
    """Draw the tables named in TABLES."""
    figure = Figure(figsize=(style.DOUBLE, 5.6))
    above, below = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    a, b = above.subplots(1, 2)
    c, d = below.subplots(1, 2, sharey=True)
    _plane(a, regions[regions["view"] == STRINGS], LEVELS[STRINGS])
    _wide_bands(a, bands[bands["bands"] == "wide"], cloud)
    a.set_title("a  On the scale of one string")
    _plane(b, regions[regions["view"] == CLOUD], LEVELS[CLOUD])
    _cloud(b, cloud, bands[bands["bands"] == "released"])
    b.set_title("b  On the scale of corpora")
    _resamplings(c, seeds, "pearson")
    c.axvline(PRINTED, color="#0072B2", linestyle="--", linewidth=1)
    c.text(PRINTED + 0.03, 0.99, "printed", transform=c.get_xaxis_transform(), va="top", fontsize=6.5)
    c.set(title="c  Correlation that each shows", xlabel="Pearson, mean log p and mean r")
    _resamplings(d, seeds, "slope")
    d.axvline(-1, color="#0072B2", linestyle=":", linewidth=1)
    d.set(title="d  Slope that each shows", xlabel="nats of mean r per nat of mean log p")
    below.legend(*d.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _plane(axes: Axes, regions: pd.DataFrame, levels: tuple[float, ...]) -> None:
    """Contours of the log-probability; grey beyond the means that any corpus can have."""
    cells = regions.pivot(index="mean_reward", columns="mean_log_prior", values="log_probability")
    x, r = cells.columns.to_numpy(), cells.index.to_numpy()
    finite = np.where(np.isfinite(cells), cells, np.nan)
    axes.set_facecolor("#e4e4e4")
    axes.contourf(x, r, finite, [-1e9, *levels, 0], colors=_shades(len(levels) + 1))
    lines = axes.contour(x, r, finite, levels, colors=style.GREY, linewidths=0.7, linestyles="solid")
    # One label a line, straight below the middle, where the lines are farthest apart.
    middle = cells.iloc[:, len(x) // 2].loc[: r.mean()]
    labelled = [level for level in levels[:LABELLED] if level > middle.min()]
    spots = [(float(x[len(x) // 2]), float(np.interp(level, middle, middle.index))) for level in labelled]
    axes.clabel(lines, labelled, fmt=_signed, fontsize=6, manual=spots)
    axes.set(xlabel="mean log p (nats)", ylabel="mean r (nats)", xlim=x[[0, -1]], ylim=r[[0, -1]])
    axes.ticklabel_format(useOffset=False)
    axes.locator_params(axis="x", nbins=5)


def _wide_bands(axes: Axes, bands: pd.DataFrame, cloud: pd.DataFrame) -> None:
    """The cheapest corpora of bands across a string's deviation, all corpora in one dot, typical ones on a line."""
    outer = bands[bands["log_probability"] < 0]
    nearest = outer["high"].where(outer["band"] < 5, outer["low"])
    axes.plot(nearest, outer["mean_reward"], "D", color="#D55E00", markersize=3.5, label="cheapest of each band")
    centre = cloud[["mean_log_prior", "mean_reward"]].mean()
    ends = np.array(axes.get_xlim())
    axes.plot(ends, centre.sum() - ends, color="#0072B2", linestyle="--", linewidth=1, label="typical: r + log p = −H")
    axes.plot(*centre, "o", color=style.INK, markersize=3, label="all 1,000 corpora")
    for place, ha, up in ((outer.index[0], "right", -11), (outer.index[-1], "left", 5)):
        cost = f"{_signed(round(outer.loc[place, 'log_probability'], -3))} nats"
        at = (nearest[place], outer.loc[place, "mean_reward"])
        axes.annotate(cost, at, (0, up), textcoords="offset points", ha=ha, fontsize=6.5, color="#B04A00")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, columnspacing=1)


def _cloud(axes: Axes, cloud: pd.DataFrame, bands: pd.DataFrame) -> None:
    marks = ((False, "#E69F00", "^", "atypical"), (True, "#0072B2", "o", "typical"))
    for typical, colour, marker, label in marks:
        points = cloud[cloud["typical"] == typical]
        look = {"color": colour, "marker": marker, "s": 5, "linewidths": 0, "label": label}
        axes.scatter(points["mean_log_prior"], points["mean_reward"], **look)
    for edge in [*bands["low"], bands["high"].iloc[-1]]:
        axes.axvline(edge, color=style.INK, linewidth=0.5, alpha=0.7)
    axes.plot([], [], color=style.INK, linewidth=0.5, label="released bands")
    for place, at, ha in ((0, 0.02, "left"), (len(bands) - 1, 0.98, "right")):
        text = f"outer band: {_signed(bands['log_probability'].iloc[place].round(1))} nats"
        axes.text(at, 0.98, text, transform=axes.transAxes, ha=ha, va="top", fontsize=6.5)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3, columnspacing=1)


def _resamplings(axes: Axes, seeds: pd.DataFrame, quantity: str) -> None:
    rows = seeds[(seeds["quantity"] == quantity) & seeds["law"].isin(LAWS)]
    heights = {law: height for height, law in enumerate(reversed(LAWS))}
    for shift, (kind, mark) in zip((0.15, -0.15), KINDS.items(), strict=True):
        part = rows[rows["world"] == kind]
        y = part["law"].map(heights) + shift
        axes.hlines(y, part["low"], part["high"], color=mark.colour, linewidth=1.2)
        axes.plot(part["value"], y, mark.marker, color=mark.colour, markersize=4, label=mark.label)
    axes.axvline(0, color=style.GREY, linewidth=0.6, zorder=0)
    axes.set_yticks(list(heights.values()), [LAWS[law] for law in heights])
    axes.set_ylim(-0.5, len(LAWS) - 0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _signed(level: float) -> str:
    return f"{level:,.10g}".replace("-", "−")


def _shades(number: int) -> list[str]:
    """Greys from dark, improbable, to white."""
    return [str(level) for level in np.linspace(0.72, 1.0, number).round(3)]
