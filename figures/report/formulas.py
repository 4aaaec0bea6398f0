"""The claims' formulas: LaTeX from `formulas.toml`, MathML on the page."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

from latex2mathml.converter import convert

SIDES = ("printed", "holds")
MACROS = {"E": r"\mathbb{E}"}
MACROS |= {name: rf"\operatorname{{{name}}}" for name in ("KL", "Var", "Cov", "Corr", "CE", "TV", "argmax", "argmin")}
LIMITS = ("argmax", "argmin", "max", "min", "sup", "inf")
MATH = "http://www.w3.org/1998/Math/MathML"
NAME = re.compile(r"[A-Za-z]{2,}")
RELATION = re.compile("[←-⇿⟨⟩⟰-⟿∼:;]")
OPENS = "([{|⌈⟨‖"
OVERLINE = "―"


def written() -> dict[str, dict[str, list[str]]]:
    """Claim id -> side (printed, holds) -> LaTeX, one string a line of the formula."""
    table = tomllib.loads((Path(__file__).parent / "formulas.toml").read_text(encoding="utf-8"))
    return {
        claim: {side: [text] if isinstance(text, str) else text for side, text in sides.items()}
        for claim, sides in table.items()
    }


def rendered(claim: str) -> dict[str, list[list[str]]]:
    """Side -> lines of one claim's formula -> pieces as MathML, between which a line may break; empty if none."""
    return {side: [[*map(mathml, pieces(line))] for line in lines] for side, lines in _table().get(claim, {}).items()}


def pieces(latex: str) -> list[str]:
    r"""A formula cut where a narrow page may break it: after a wide space and before an implication.

    >>> pieces(r"a = b, \quad c \implies d_{x \quad y}")
    ['a = b,', 'c', '\\implies d_{x \\quad y}']
    """
    found, depth, start = [], 0, 0
    for mark in re.finditer(r"\\left\b|\\right\b|\\(?:quad|implies|iff)\b|(?<!\\)[{}]", latex):
        if mark[0] in ("{", "\\left"):
            depth += 1
        elif mark[0] in ("}", "\\right"):
            depth -= 1
        elif depth == 0:
            found.append(latex[start : mark.start()])
            start = mark.end() if mark[0] == "\\quad" else mark.start()
    return [piece.strip() for piece in (*found, latex[start:]) if piece.strip()]


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    return written()


def mathml(latex: str) -> str:
    r"""One formula as a MathML block; raises ValueError on what the converter does not know.

    >>> mathml(r"\KL(p\|q) \ge 0").count("<mi>KL</mi>")
    1
    >>> mathml(r"\nosuch x")
    Traceback (most recent call last):
    ValueError: no MathML for \nosuch in '\\nosuch x'.
    """
    plain = re.sub(r"\\([A-Za-z]+)", lambda found: MACROS.get(found[1], found[0]), latex)
    tree = ET.fromstring(convert(plain, display="block").replace("&#x0007E;", "∼"))
    for element in tree.iter():
        element.tag = element.tag.removeprefix(f"{{{MATH}}}")
        if "\\" in (element.text or ""):
            raise ValueError(f"no MathML for {element.text} in {latex!r}.")
        if element.tag == "mi" and RELATION.fullmatch(element.text or ""):
            element.tag = "mo"
        if element.text in ("∞", "·"):  # as operators they would have spaces about them
            element.tag = "mi"
        # The name of a function is an identifier: as an operator it would stand apart from its argument.
        if element.tag == "mo" and NAME.match(element.text or ""):
            element.tag = "mi"
        if element.tag == "msub" and element[0].text in LIMITS:
            element.tag = "munder"
        # No font at hand stretches the bar over a mean: style.css draws it, as wide as what it covers.
        if element.tag == "mover" and element[1].text == OVERLINE:
            element.tag = "mrow"
            element.set("class", "mean")
            element.remove(element[1])
        if element.tag == "mo" and not element.text and not element.get("fence"):
            raise ValueError(f"an operator without a name in {latex!r}.")
    for row in list(tree.iter("mrow")):
        row[:] = list(_spaced(list(row)))
    tree.set("xmlns", MATH)
    return ET.tostring(tree, encoding="unicode")


def _spaced(row: list[ET.Element]) -> Iterator[ET.Element]:
    """The row with thin spaces about the names of functions, which MathML, unlike TeX, does not set by itself."""
    for place, element in enumerate(row):
        before, after = row[place - 1] if place else None, row[place + 1] if place + 1 < len(row) else None
        if _named(element) and before is not None and not _named(before) and before.tag not in ("mo", "mspace"):
            yield _thin()
        yield element
        if _named(element) and after is not None and after.tag != "mspace" and not _opens(after):
            yield _thin()


def _named(element: ET.Element) -> bool:
    base = element[0] if element.tag.startswith(("msu", "mund", "mover")) and len(element) else element
    return base.tag == "mi" and bool(NAME.match(base.text or ""))


def _opens(element: ET.Element) -> bool:
    base = next((each for each in element.iter() if each.text), element)
    return base.tag == "mo" and (base.text or "").strip()[:1] in OPENS


def _thin() -> ET.Element:
    return ET.Element("mspace", width="0.167em")
