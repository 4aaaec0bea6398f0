"""Every formula belongs to a claim, becomes MathML, and every erratum has both forms."""

import re
from xml.etree import ElementTree

import pytest

import theory.claims  # noqa: F401 (fills the ledger)
import toy.claims  # noqa: F401
from figures.report.formulas import MACROS, SIDES, mathml, pieces, rendered, written
from theory.ledger import REGISTRY

FORMULAS = [(claim, line) for claim, sides in written().items() for lines in sides.values() for line in lines]


def test_every_formula_belongs_to_a_claim():
    assert set(written()) <= set(REGISTRY)
    assert all(set(sides) <= set(SIDES) and sides for sides in written().values())


def test_every_claim_of_theory_that_is_an_equation_has_one():
    """Of what theory decides only the experiments that it leaves to others go without."""
    theory_ = {name for name, claim in REGISTRY.items() if claim.evidence.__module__.startswith("theory.")}
    assert theory_ - set(written()) == {"cd.experiments"}


def test_every_erratum_has_both_forms():
    errata = {name for name, claim in REGISTRY.items() if claim.verdict == "erratum"}
    assert errata
    assert {name for name in errata if set(written()[name]) != set(SIDES)} == set()
    assert all(written()[name]["printed"] != written()[name]["holds"] for name in errata)


@pytest.mark.parametrize(("claim", "latex"), FORMULAS, ids=lambda text: text[:24])
def test_every_formula_is_well_formed_mathml_without_latex(claim, latex):
    for piece in pieces(latex):
        text = mathml(piece)
        tree = ElementTree.fromstring(text)
        assert tree.tag == "{http://www.w3.org/1998/Math/MathML}math"
        assert not re.search(r"\\|\$|&(?!amp;|lt;|gt;)", text)
        assert latex.count("{") == latex.count("}")
        named = "".join(tree.itertext())
        assert not any(name in named for name in ("operatorname", "mathbb", "frac", "left", "right", "begin"))


@pytest.mark.parametrize("wrong", [r"\nosuch{x}", r"\KL(p\|q) \unknown", r"\operatorname{a\,b} x"])
def test_what_the_converter_does_not_know_is_refused(wrong):
    with pytest.raises(ValueError, match=r"no MathML|without a name"):
        mathml(wrong)


def test_pieces_lose_nothing():
    for _, latex in FORMULAS:
        assert "".join(pieces(latex)).replace(" ", "") == latex.replace(r"\quad", "").replace(" ", "") or (
            r"\quad" in "".join(pieces(latex))  # inside braces it stays
        )


@pytest.mark.parametrize("name", sorted(set(MACROS) - {"E"}))
def test_names_stand_upright_and_apart(name):
    """A name is one identifier; a thin space parts it from a letter, none from a bracket."""
    assert f"<mi>{name}</mi><mspace" in mathml(rf"\{name} x")
    assert f"<mi>{name}</mi><mo" in mathml(rf"\{name}(x)")


@pytest.mark.parametrize("covered", [r"\log p", "r"])
def test_the_bar_of_a_mean_is_as_wide_as_what_it_covers(covered):
    """It is a border, not a character, which would stay short; a hat stays the accent of its letter."""
    text = mathml(rf"\overline{{{covered}}}")
    assert 'class="mean"' in text
    assert "―" not in text
    assert 'class="mean"' not in mathml(rf"\hat{{{covered}}}")


def test_a_claim_without_a_formula_has_none():
    assert rendered("cd.experiments") == {}
    assert len(rendered("cd.eq16")["printed"]) == 1
