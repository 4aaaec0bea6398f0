"""The list of errata as Markdown, made from the ledger and from nothing else."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

HEAD = """# Errata

Claims whose printed form fails by a margin and whose corrected form passes. Both are checked, and the checks reject
planted wrong versions. Made from the ledger: `python paper_repro.py verify`, then `results/default/report/errata.md`.
"""


def errata(ledger: Iterable[Mapping[str, Any]], papers: Mapping[str, tuple[str, str, str]]) -> str:
    """One section a paper, one entry an erratum: where it stands, what is printed, what holds instead.

    ledger: rows with id, paper, where, statement, verdict, assumptions; papers: key -> (authors, title, arXiv number).
    """
    found = sorted((row for row in ledger if row["verdict"] == "erratum"), key=lambda row: row["id"])
    parts = [HEAD]
    for paper, (authors, title, number) in papers.items():
        rows = [row for row in found if row["paper"] == paper]
        if rows:
            parts.append(f"## {authors}, {title} ([{number}](https://arxiv.org/abs/{number}))\n")
        for row in rows:
            text = [f"### `{row['id']}` ({row['where']})", literal(row["statement"])]
            if row["assumptions"]:
                text.append(f"*{literal(row['assumptions'])}*")
            parts.append("\n\n".join(text) + "\n")
    return "\n".join(parts)


def literal(text: str) -> str:
    r"""The text with Markdown's marks made ordinary characters: formulas are full of stars and underscores.

    >>> print(literal("V* and E_p"))
    V\* and E\_p
    """
    return re.sub(r"([\\`*_<#|])", r"\\\1", text)
