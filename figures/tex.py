"""For LaTeX: text that it can set, pictures in PGF, tables in booktabs."""

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.text import Text

from theory.files import replacing, write_text

SPECIAL = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "–": "--",
}
# What the house writes beyond ASCII; any TeX engine sets it so, whatever its fonts hold.
SIGNS = {
    "−": "-", "±": r"\pm", "×": r"\times", "·": r"\cdot", "≤": r"\leq", "≥": r"\geq", "≈": r"\approx", "≠": r"\neq",
    "∞": r"\infty", "√": r"\surd", "‖": r"\|", "→": r"\to", "∈": r"\in", "∑": r"\sum", "∏": r"\prod", "∫": r"\int",
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon", "η": r"\eta", "θ": r"\theta",
    "λ": r"\lambda", "μ": r"\mu", "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau", "φ": r"\varphi",
    "Δ": r"\Delta", "Π": r"\Pi", "Σ": r"\Sigma", "Ω": r"\Omega",
    "₊": "_{+}", "₋": "_{-}", "₀": "_0", "₁": "_1", "₂": "_2", "⁺": "^{+}", "⁻": "^{-}", "²": "^2", "³": "^3",
    "ⁿ": "^n",
}  # fmt: skip
TRANSLATION = str.maketrans(SPECIAL | {sign: f"${math}$" for sign, math in SIGNS.items()})
RESULTS: dict[str, tuple[str, ...]] = {
    "tan_fig1": ("quantity", "value", "low", "high", "reported"),
    "tan_tradeoff": ("triple", "law", "quantity", "value", "low", "high", "reported"),
    "tan_emp_secret_tradeoff": ("triple", "law", "quantity", "value", "low", "high", "reported"),
    "chang_measures": ("quantity", "item", "value", "low", "high"),
    "cd_findings": ("id", "quantity", "value", "low", "high", "verdict"),
    "cd_table1": ("method", "split", "accuracy", "low", "high", "reported"),
}
"""The tables of main results, and which of their columns a paper shows."""


def escaped(text: str) -> str:
    """The text as LaTeX sets it; what stands between dollars is mathematics already.

    >>> print(escaped("50 % of p₊ & $x_1$"))
    50 \\% of p$_{+}$ \\& $x_1$
    """
    parts = re.split(r"(\$[^$]+\$)", text)
    return "".join(part if place % 2 else part.translate(TRANSLATION) for place, part in enumerate(parts))


def save(figure: Figure, target: Path) -> None:
    """Write the figure as PGF, its texts escaped for LaTeX; the document loads the package pgf and its own fonts.

    Raises ValueError where there is no TeX system: it measures the texts.
    """
    engine = next((name for name in ("pdflatex", "lualatex", "xelatex") if shutil.which(name)), None)
    if engine is None:
        raise ValueError("PGF needs a TeX system, which measures the texts; install TeX Live or leave out --pgf.")
    texts = [(artist, artist.get_text()) for artist in figure.findobj(Text)]
    rules = {"pgf.texsystem": engine, "pgf.rcfonts": False, "axes.unicode_minus": False, "font.family": "sans-serif"}
    try:
        for artist, text in texts:
            artist.set_text(escaped(text))  # type: ignore[attr-defined]
        with replacing(target) as temporary, matplotlib.rc_context(rules):
            figure.savefig(temporary, format="pgf")
    finally:
        for artist, text in texts:
            artist.set_text(text)  # type: ignore[attr-defined]


def booktabs(columns: Sequence[str], rows: Sequence[Sequence[Any]], widths: Mapping[str, str] | None = None) -> str:
    """A tabular with booktabs' three rules; numbers stand to the right, with three digits, and missing ones as dashes.

    widths: column -> its LaTeX type, as p{6cm}, where neither l nor r will do.

    >>> print(booktabs(["a_1", "n"], [["x & y", 0.12345]]))
    \\begin{tabular}{lr}
    \\toprule
    a\\_1 & n \\\\
    \\midrule
    x \\& y & 0.123 \\\\
    \\bottomrule
    \\end{tabular}
    """
    numeric = [all(isinstance(row[place], int | float) for row in rows) for place in range(len(columns))]
    kinds = [(widths or {}).get(name, "r" if is_ else "l") for name, is_ in zip(columns, numeric, strict=True)]
    lines = [f"\\begin{{tabular}}{{{''.join(kinds)}}}", "\\toprule", _row(columns, escaped), "\\midrule"]
    lines += [_row(row, _cell) for row in rows]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"])


def _row(cells: Sequence[Any], set_: Callable[[Any], str]) -> str:
    return " & ".join(map(set_, cells)) + r" \\"


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return escaped(value)
    if value is None or pd.isna(value):
        return "--"
    shown = f"{value:.3g}"
    mantissa, exponent, power = shown.partition("e")
    times = rf" \cdot 10^{{{int(power)}}}" if exponent else ""
    return f"${mantissa}{times}$" if exponent or value < 0 else shown


def write(results: Path) -> list[Path]:
    """Write latex/ledger.tex and latex/TABLE.tex of every main result that `results` holds; return their paths."""
    made = {}
    if (results / "ledger.json").is_file():
        ledger = json.loads((results / "ledger.json").read_text(encoding="utf-8"))
        rows = [[row["id"], row["where"], row["verdict"], row["statement"]] for row in ledger]
        made["ledger"] = longtable(["claim", "where", "verdict", "statement"], rows)
    for name, columns in RESULTS.items():
        if (path := results / "tables" / f"{name}.csv").is_file():
            table = pd.read_csv(path)
            shown = [column for column in columns if column in table.columns]
            made[name] = booktabs(shown, table[shown].to_numpy(dtype=object).tolist())
    for name, text in made.items():
        write_text(results / "latex" / f"{name}.tex", text + "\n")
    return [results / "latex" / f"{name}.tex" for name in made]


def longtable(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As `booktabs`, over as many pages as it takes, the last column as a paragraph; for the package longtable."""
    kinds = "l" * (len(columns) - 1) + r"p{0.45\linewidth}"
    lines = [f"\\begin{{longtable}}{{{kinds}}}", "\\toprule", _row(columns, escaped), "\\midrule", "\\endhead"]
    return "\n".join([*lines, *(_row(row, _cell) for row in rows), "\\bottomrule", "\\end{longtable}"])
