import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory import ledger
from theory.ledger import Check, Claim, Control, at_least, at_most, claim, rejects, settled, verify, write

GOOD = at_most("small", oracle="none", residuals=[0.1], tolerance=1.0)
BAD = at_most("large", oracle="none", residuals=[2.0], tolerance=1.0)
REJECTED = Control("planted", True)


def made(*items, verdict="holds", id="x.y"):
    return Claim(id, "tan", "here", "theorem", "a = a", verdict, "", lambda _: iter(items))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(-1e6, 1e6))
def test_a_check_compares_its_worst_figure(figures, tolerance):
    upper = at_most("", oracle="", residuals=figures, tolerance=tolerance)
    lower = at_least("", oracle="", margins=figures, tolerance=tolerance)
    assert (upper.worst, upper.passed, upper.instances) == (max(figures), max(figures) <= tolerance, len(figures))
    assert (lower.worst, lower.passed) == (min(figures), min(figures) >= tolerance)


@pytest.mark.parametrize("figures", [[], [np.nan], [0.0, np.nan]])
def test_a_check_without_figures_or_with_nan_fails_and_rejects_nothing(figures):
    for check in (
        at_most("", oracle="", residuals=figures, tolerance=1.0),
        at_least("", oracle="", margins=figures, tolerance=-1.0),
    ):
        assert not check.passed
        assert not rejects("broken", check).rejected


def test_a_control_is_rejected_by_a_failing_check_alone():
    assert rejects("", BAD).rejected
    assert rejects("", at_most("", oracle="", residuals=[np.inf], tolerance=1.0)).rejected
    assert not rejects("", GOOD).rejected


@pytest.mark.parametrize(
    ("items", "verdict", "fault"),
    [
        ((GOOD, BAD, REJECTED), "holds", "check failed: large"),
        ((GOOD, Control("planted", False)), "holds", "control not rejected: planted"),
        ((REJECTED,), "holds", "no check was run"),
        ((GOOD,), "holds", "no control was run"),
        ((GOOD, REJECTED), "erratum", "an erratum needs a check whose name starts with 'printed'"),
        ((GOOD, REJECTED), "erratum", "an erratum needs a check whose name starts with 'corrected'"),
    ],
)
def test_faults_contradict_the_verdict(items, verdict, fault):
    entry = verify(made(*items, verdict=verdict))
    assert fault in entry.faults()
    assert settled(entry).verdict == "inconclusive"


def test_evidence_without_faults_stands():
    entry = verify(made(GOOD, REJECTED))
    assert entry.faults() == []
    assert settled(entry) is entry
    sides = [at_most(f"{side} form", oracle="", residuals=[0.0], tolerance=0.0) for side in ("printed", "corrected")]
    assert verify(made(*sides, REJECTED, verdict="erratum")).faults() == []
    assert verify(made(verdict="not-testable-here")).faults() == []


def test_an_entry_says_what_its_claim_says():
    noted = Claim(
        "x.y", "cd", "eq. 1", "lemma", "a = b", "holds-with-assumption", "b > 0", lambda _: iter([GOOD, REJECTED])
    )
    entry = verify(noted)
    assert (entry.id, entry.paper, entry.where, entry.kind) == ("x.y", "cd", "eq. 1", "lemma")
    assert (entry.statement, entry.verdict, entry.assumptions) == ("a = b", "holds-with-assumption", "b > 0")
    assert (entry.checks, entry.controls) == ((GOOD,), (REJECTED,))
    assert 0 <= entry.seconds < 60
    assert at_most("small", oracle="none", residuals=[0.1], tolerance=1) == Check("small", "none", 1, 0.1, 1.0, True)
    assert rejects("planted", BAD) == REJECTED


def test_a_claim_draws_by_its_seed_and_name_alone():
    def draws(rng):
        yield Check(f"{rng.random()}", "", 1, 0.0, 0.0, True)

    def drawn(id, seed):
        return verify(Claim(id, "tan", "", "", "", "holds", "", draws), seed).checks[0].name

    assert drawn("a", 0) == drawn("a", 0)
    assert len({drawn("a", 0), drawn("a", 1), drawn("b", 0)}) == 3


def test_a_claim_is_registered_as_said(monkeypatch):
    monkeypatch.setattr(ledger, "REGISTRY", {})

    def evidence(rng):
        yield GOOD

    fields = {"paper": "tan", "where": "eq. 1", "kind": "theorem", "statement": "a = b", "verdict": "reproduced"}
    first = claim("a", **fields)(evidence)
    second = claim("b", **fields, assumptions="b > 0")(evidence)
    assert first == Claim("a", "tan", "eq. 1", "theorem", "a = b", "reproduced", "", evidence)
    assert second == Claim("b", "tan", "eq. 1", "theorem", "a = b", "reproduced", "b > 0", evidence)
    assert {"a": first, "b": second} == ledger.REGISTRY


def test_checks_carry_their_words():
    assert at_least("large", oracle="sum", margins=[3, 2], tolerance=1) == Check("large", "sum", 2, 2.0, 1.0, True)
    for make, name in ((at_most, "residuals"), (at_least, "margins")):
        empty = make("none", oracle="sum", **{name: []}, tolerance=1.0)
        assert np.isnan(empty.worst)
        assert (empty.name, empty.oracle, empty.instances, empty.tolerance) == ("none", "sum", 0, 1.0)
        assert empty.passed is False


def test_the_first_draw_is_keyed_by_seed_and_id():
    def draws(rng):
        yield Check("", "", 1, rng.random(), 0.0, True)

    # The key is the id's bytes read as a little-endian number: "ab" is 97 + 256 * 98.
    expected = np.random.Generator(np.random.Philox(np.random.SeedSequence([0, 97 + 256 * 98]))).random()
    assert verify(Claim("ab", "tan", "", "", "", "holds", "", draws)).checks[0].worst == expected


def test_registration_refuses_duplicates_and_unknown_papers(monkeypatch):
    monkeypatch.setattr(ledger, "REGISTRY", {})
    fields = {"where": "", "kind": "theorem", "statement": "", "verdict": "holds"}
    registered = claim("a", paper="tan", **fields)(lambda _: iter(()))
    assert list(ledger.REGISTRY.values()) == [registered]
    with pytest.raises(ValueError, match=r"^claim a is registered twice"):
        claim("a", paper="tan", **fields)(lambda _: iter(()))
    with pytest.raises(ValueError, match=r"^claim b names the unknown paper 'nobody'"):
        claim("b", paper="nobody", **fields)(lambda _: iter(()))


def test_the_ledger_is_plain_json(tmp_path):
    odd = at_most("odd", oracle="", residuals=np.array([np.inf]), tolerance=np.float64(1.0))
    path = tmp_path / "ledger.json"
    write([verify(made(GOOD, REJECTED)), verify(made(odd, REJECTED, id="x.z"))], path)
    rows = json.loads(path.read_text(encoding="utf-8"))
    assert path.read_text(encoding="utf-8") == json.dumps(rows, indent=1)  # one field a line: differences stay readable
    assert [row["verdict"] for row in rows] == ["holds", "inconclusive"]
    assert rows[1]["checks"][0]["worst"] is None
    assert set(rows[0]) == {
        *("id", "paper", "where", "kind", "statement", "verdict", "assumptions", "checks", "controls", "seconds"),
    }
    assert set(rows[0]["checks"][0]) == {"name", "oracle", "instances", "worst", "tolerance", "passed"}
    assert [found.name for found in tmp_path.iterdir()] == ["ledger.json"]


def test_a_written_ledger_reads_back_as_entries(tmp_path):
    undefined = Check("nothing measured", "none", 0, float("nan"), 1.0, True)
    first, second = (verify(made(GOOD, undefined, REJECTED, id=name)) for name in ("x.b", "x.a"))
    path = tmp_path / "ledger.json"
    write([first], path)
    write([second], path, keep_others=True)
    again = ledger.entries(path)
    assert [entry.id for entry in again] == ["x.a", "x.b"]
    assert again[1].checks[0] == GOOD
    assert np.isnan(again[1].checks[1].worst)
    assert (again[1].controls, again[1].seconds) == (first.controls, first.seconds)
    assert again[1].faults() == []
    write([second], path)
    assert [row["id"] for row in ledger.read(path)] == ["x.a"]


def test_an_entry_of_the_same_id_is_replaced(tmp_path):
    path = tmp_path / "ledger.json"
    write([verify(made(GOOD, REJECTED))], path)
    write([verify(made(BAD, REJECTED))], path, keep_others=True)
    assert [row["verdict"] for row in ledger.read(path)] == ["inconclusive"]
