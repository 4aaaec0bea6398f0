"""The list of errata follows the ledger, and the copy in the repository is the one that the ledger gives."""

from pathlib import Path

import theory.claims  # noqa: F401 (fills the ledger)
import toy.claims  # noqa: F401
from figures.report import PAPERS
from figures.report.errata import errata
from theory.ledger import REGISTRY

WRITTEN = Path(__file__).parents[2] / "docs" / "errata.md"


def test_only_errata_in_order_of_paper_and_id():
    rows = [
        {"id": name, "paper": name[:3], "where": "w", "statement": f"s {name}", "verdict": verdict, "assumptions": a}
        for name, verdict, a in (("tan.b", "erratum", "only if"), ("tan.a", "erratum", ""), ("tan.c", "holds", ""))
    ]
    text = errata(rows, PAPERS)
    assert text.index("tan.a") < text.index("tan.b")
    assert "*only if*" in text
    assert "tan.c" not in text
    assert "Chang" not in text


def test_the_written_list_is_the_ledgers():
    rows = [{key: value for key, value in vars(claim).items() if key != "evidence"} for claim in REGISTRY.values()]
    assert WRITTEN.read_text(encoding="utf-8") == errata(rows, PAPERS)
