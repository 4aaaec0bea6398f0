"""Reward or win rate against KL, as every figure of controlled decoding on real models shows it."""

import re
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from figures import style

LARGEST_KL = 10.0
ESTIMATED = " Filled marks: KL as the paper counts it; hollow ones: estimated from the answers."
STANDS_IN = (
    " Here SmolLM2-135M stands in for PaLM 2-XXS and our own prompts for Reddit; answers are cut at 64 tokens, and a "
    "block has 16 tokens, not 32."
)
JUDGED = STANDS_IN[:-1] + "; the judge is a head on other human pairs, not PaLM 2-L."
YS = {
    "reward": "expected reward, log(T / T_max)",
    "win": "win rate against the base",
    "tokens": "tokens an answer",
}
COLUMNS = {"reward": "reward", "win": "win_rate", "tokens": "tokens"}
_POINTS = ("method", "scorer", "kl", "kl_low", "kl_high", "kl_kind")
REWARD = (*_POINTS, "reward", "reward_low", "reward_high")
WIN = (*_POINTS, "win_rate", "win_low", "win_high")
TOKENS = ("tokens", "tokens_low", "tokens_high")
FINDINGS = ("id", "where", "statement", "decides", "verdict", "quantity", "value", "low", "high", "above", "below")
"""Columns of points by what is drawn against KL, and of the findings in the strip."""
MARKS = style.METHODS | {
    ("DPO + blockwise", "CD-Q"): style.Mark("#0072B2", "*", "DPO + CD-Q, blockwise"),
    ("DPO + best-of-K", ""): style.Mark("#E69F00", "<", "DPO + best-of-K"),
}
SHADES = ("#9ecae1", "#6baed6", "#4292c6", "#2171b5", "#08519c", "#08306b")
SHAPES = "ovsD^P"
WIDTH = 140  # characters a line of the strip below the panels


@dataclass(frozen=True)
class Line:
    """A curve: the rows it joins, and how it looks."""

    rows: pd.DataFrame
    mark: style.Mark


def by_method(rows: pd.DataFrame) -> list[Line]:
    """A curve a method and scorer, in the order of MARKS."""
    keys = list(zip(rows["method"], rows["scorer"].fillna(""), strict=True))
    lines = [(mark, [found == key for found in keys]) for key, mark in MARKS.items()]
    return [Line(rows[here], mark) for mark, here in lines if any(here)]


def by_column(rows: pd.DataFrame, column: str, name: Callable[[float], str]) -> list[Line]:
    """A curve a value of a column, from pale to dark."""
    values = sorted(rows[column].dropna().unique())
    looks = zip(values, SHADES[-len(values) :], SHAPES, strict=False)
    return [Line(rows[rows[column] == value], style.Mark(colour, shape, name(value))) for value, colour, shape in looks]


def draw_lines(axes: Axes, lines: Iterable[Line], y: str) -> None:
    """The curves with 95 % intervals, up to LARGEST_KL nats; y: reward, win or tokens."""
    column, low, high = COLUMNS[y], f"{y}_low", f"{y}_high"
    for line in lines:
        colour = line.mark.colour
        for kind, rows in line.rows[line.rows["kl"] <= LARGEST_KL].sort_values("kl").groupby("kl_kind"):
            plain = kind != "estimate"
            bars = {"color": colour, "linewidth": 0.6, "alpha": 0.6 if plain else 0.3, "zorder": 1}
            axes.vlines(rows["kl"], rows[low], rows[high], **bars)
            axes.hlines(rows[column], rows["kl_low"], rows["kl_high"], **bars)
            look = {"linewidth": 1.0, "label": line.mark.label} if plain else {"linewidth": 0.6, "linestyle": ":"}
            look |= {"markersize": 4, "fillstyle": "full"} if plain else {"markersize": 3, "fillstyle": "none"}
            axes.plot(rows["kl"], rows[column], color=colour, marker=line.mark.marker, **look)
    axes.set(xlabel="KL to the base (nats)", ylabel=YS[y])
    axes.set_xlim(left=0)


def draw_base(axes: Axes, rows: pd.DataFrame, y: str) -> None:
    """The base: a level across the panel, from KL = 0."""
    level = float(rows.loc[rows["method"] == "base", COLUMNS[y]].iloc[0])
    axes.axhline(level, color=style.GREY, linewidth=0.7, zorder=0)
    axes.plot([0], [level], "*", color=style.INK, markersize=6, label="base", zorder=3, clip_on=False)


def label_points(axes: Axes, rows: pd.DataFrame, y: str, wanted: Iterable[tuple[str, str, float]]) -> None:
    """Write K beside the bounded points of (method, scorer, K)."""
    bounded = rows[(rows["kl_kind"] == "bound") & (rows["kl"] <= LARGEST_KL)]
    for method, scorer, K in wanted:  # noqa: N806
        here = (bounded["method"] == method) & (bounded["scorer"].fillna("") == scorer) & (bounded["value"] == K)
        for _, row in bounded[here].iterrows():
            where = (5, -15) if method == "blockwise" else (-4, 8)  # two such points may lie on each other
            place = {"xy": (row["kl"], row[COLUMNS[y]]), "xytext": where, "textcoords": "offset points", "zorder": 5}
            behind = {"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 0.6}
            axes.annotate(f"K = {K:g}", fontsize=6, color=MARKS[method, scorer].colour, bbox=behind, **place)


def frame(findings: pd.DataFrame, number: int, height: float = 2.7, kind: str = "figure") -> tuple[Figure, SubFigure]:
    """A figure whose upper part, returned beside it, is for panels; the lower part says what was found.

    number, kind: of the paper's figure or table.
    """
    said = strip(findings, number, kind)
    below = 0.115 * (said.count("\n") + 1) + 0.1
    figure = Figure(figsize=(style.DOUBLE, height + below))
    above, under = figure.subfigures(2, 1, height_ratios=(height, below))
    under.text(0.01, 0.98, said, va="top", ha="left", fontsize=6.5, linespacing=1.25)
    return figure, above


def strip(findings: pd.DataFrame, number: int, kind: str = "figure") -> str:
    """The paper's findings on a figure or table, each with what was measured, what the rule asks, and the verdict."""
    lines = []
    shown = findings["where"].map(lambda where: _shows(where, number, kind))
    for _, rows in findings[shown].groupby("id", sort=False):
        deciding = rows[rows["decides"]]
        lines += textwrap.wrap(f"Paper: {deciding['statement'].iloc[0]}", WIDTH)
        here = "; ".join(_condition(one) for _, one in deciding.groupby("quantity", sort=False))
        tail = f" By estimated KLs: {rows[~rows['decides']]['verdict'].iloc[0]}." if not rows["decides"].all() else ""
        said = f"Here: {here}: {str(deciding['verdict'].iloc[0]).upper()}.{tail}"
        lines += textwrap.wrap(said, WIDTH, initial_indent="   ", subsequent_indent="   ")
    return "\n".join(lines)


def _shows(where: str, number: int, kind: str) -> bool:
    """Whether "experiment 1, figures 3 and 13" names the figure, or "table 1" the table."""
    return str(number) in re.findall(r"\d+", where.partition(kind)[2])


def _condition(rows: pd.DataFrame) -> str:
    """One condition: its value, or the ends of its items, and what the rule asks."""
    first, ends = rows.iloc[0], rows.sort_values("value")
    shown = [ends.iloc[0]] if len(rows) == 1 else [ends.iloc[0], ends.iloc[-1]]
    values = " to ".join(map(_interval, shown))
    sides = [f"{word} {_number(first[word])}" for word in ("above", "below") if pd.notna(first[word])]
    name = str(first["quantity"]).partition("_")[2].replace("_", " ")
    return f"{name} {values} (asked: {' and '.join(sides)})"


def _interval(row: pd.Series) -> str:
    if pd.isna(row["value"]):
        return "has no value here"
    ends = "no interval" if pd.isna(row["low"]) else f"{_number(row['low'])}, {_number(row['high'])}"
    return f"{_number(row['value'])} [{ends}]"


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def legend(part: Figure | SubFigure, axes: Axes, estimated: bool, columns: int = 5) -> None:
    """The panels' handles below them, and one that says what hollow marks are."""
    handles, labels = axes.get_legend_handles_labels()
    chosen = dict(zip(labels, handles, strict=True))
    if estimated:
        look = {"color": style.GREY, "marker": "o", "fillstyle": "none", "markersize": 3, "linestyle": ":"}
        chosen["KL estimated"] = Line2D([], [], linewidth=0.6, **look)
    part.legend(list(chosen.values()), list(chosen), loc="outside lower center", ncols=columns)


def standard(rows: pd.DataFrame, findings: pd.DataFrame, number: int, y: str, title: str) -> tuple[Figure, Axes]:
    """One wide panel with a curve a method, and the strip."""
    figure, above = frame(findings, number)
    axes = above.subplots()
    draw_base(axes, rows, y)
    draw_lines(axes, by_method(rows), y)
    axes.set(title=title)
    legend(above, axes, (rows["kl_kind"] == "estimate").any())
    return figure, axes


def solid(line: Line) -> Line:
    """The same curve drawn as if its KL were exact: where a panel holds one way of counting alone."""
    return replace(line, rows=line.rows.assign(kl_kind="exact"))
