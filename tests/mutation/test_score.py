"""The score script on reports written by hand: an empty, garbled or unexplained one is a failure; no mutant is run."""

import csv
import json
from collections import Counter

import pytest

from tests.mutation import score
from tests.mutation.mutants import Outcome, changed, drawn, parse
from tests.mutation.score import main, passed, row, update, verdict
from tests.mutation.sources import ROOT, SLOW, files_of, modules_of, source_of, tiers_of
from tests.mutation.triage import read_triage

REPORT = """\
    theory.arrays.x_validated__mutmut_1: killed
    theory.arrays.x_validated__mutmut_2: survived
    theory.language_models.xǁTreeǁ__post_init____mutmut_3: timeout
    theory.arrays.x_never__mutmut_1: no tests
"""
DIFFERENCE = """\
--- theory/arrays.py
+++ theory/arrays.py
@@ -1,3 +1,3 @@
 def f(x):
-    return x + 1
+    return x - 1
"""
TRIAGE = """
[[everywhere]]
was = 'float("inf")'
now = 'float("INF")'
reason = "equivalent"

[[survivor]]
module = "arrays"
was = "a < b"
now = "a <= b"
reason = "tolerance only"
"""
NOTHING = read_triage("")


def outcome(module="arrays", mutants=10, sampled=None, **survivors):
    return Outcome(module, mutants, mutants if sampled is None else sampled, survivors)


def test_a_report_gives_every_verdict():
    assert list(parse(REPORT).values()) == ["killed", "survived", "timeout", "no tests"]


@pytest.mark.parametrize(
    "report",
    [
        "",
        "\n",
        "Traceback (most recent call last):",
        REPORT + "    theory.arrays.x_validated__mutmut_4: not checked\n",
        REPORT + "    theory.arrays.x_validated__mutmut_4: check was interrupted by user\n",
        REPORT + "    theory.arrays.x_validated__mutmut_4: suspicious\n",
        REPORT + "    theory.arrays.x_validated__mutmut_4:\n",
        REPORT + "    theory.arrays.x_validated__mutmut_1: survived\n",
        REPORT.replace(": ", " = "),
    ],
)
def test_an_empty_garbled_or_unfinished_report_is_refused(report):
    with pytest.raises(ValueError, match=r"^mutmut's report"):
        parse(report)


def test_a_difference_is_one_change():
    assert changed(DIFFERENCE) == ("return x + 1", "return x - 1")
    for nothing in ("", "--- a\n+++ b\n"):
        with pytest.raises(ValueError, match=r"^no change"):
            changed(nothing)


def test_a_survivor_needs_its_own_reason_or_one_that_holds_everywhere():
    triage = read_triage(TRIAGE)
    found = {
        "triaged": ("a < b", "a <= b"),
        "other line": ("a < c", "a <= c"),
        "fragment": ('if x == float("inf") or y == float("inf"):', 'if x == float("inf") or y == float("INF"):'),
        "fragment and more": ('x == float("inf")', 'x != float("INF")'),
    }
    assert triage.unexplained(outcome(**found)) == ["other line", "fragment and more"]
    assert triage.unexplained(outcome("other", **found)) == ["triaged", "other line", "fragment and more"]


@pytest.mark.parametrize(
    "text",
    [
        TRIAGE + TRIAGE,
        TRIAGE.replace('"tolerance only"', '" "'),
        TRIAGE.replace('reason = "equivalent"', ""),
        TRIAGE.replace('was = "a < b"', ""),
        TRIAGE.replace('"a <= b"', '"a < b"'),
        TRIAGE.replace("[[survivor]]", "[[survivors]]"),
        "[[survivor",
    ],
)
def test_a_triage_with_gaps_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 (some are TOML's own)
        read_triage(text)


def test_the_verdict_sums_over_modules():
    total = verdict([outcome(a=("x", "y")), outcome("other", 30)], NOTHING)
    sums = {"mutants": 40, "sampled": 40, "killed": 39, "unexplained": 1}
    assert total == sums | {"score": 0.975, "low": 0.975, "high": 0.975}
    for nothing in ([], [outcome(mutants=0)]):
        with pytest.raises(ValueError, match="no mutant"):
            verdict(nothing, NOTHING)


def test_a_sampled_module_counts_by_its_mutants():
    total = verdict([outcome("large", 300, 8), outcome("small", 20, 8, a=("x", "y")), outcome("none", 0)], NOTHING)
    assert total["score"] == pytest.approx((300 + 20 * 7 / 8) / 320, abs=1e-4)  # rounded to four digits
    assert total["score"] != pytest.approx(15 / 16, abs=1e-2)  # what the plain share would be
    assert total["low"] < total["score"] < total["high"]
    assert (total["mutants"], total["sampled"], total["killed"]) == (320, 16, 15)


def test_a_sample_is_keyed_by_its_seed_and_module():
    known = [f"m{number}" for number in range(100)]
    first = drawn(known, "toy.tilts", 8, 0)
    assert len(set(first)) == 8
    assert first == drawn(known, "toy.tilts", 8, 0)
    assert first != drawn(known, "toy.tilts", 8, 1)
    assert first != drawn(known, "toy.training", 8, 0)
    assert drawn(known, "toy.tilts", None, 0) == drawn(known, "toy.tilts", 100, 0) == known


@pytest.mark.parametrize(
    ("share", "unexplained", "expected"), [(0.95, 0, True), (0.9499, 0, False), (1.0, 1, False), (0.5, 3, False)]
)
def test_it_passes_only_with_a_high_score_and_every_reason(share, unexplained, expected):
    assert passed({"score": share, "unexplained": unexplained}, "theory") is expected


def test_each_room_has_its_own_threshold():
    total = {"score": 0.9, "unexplained": 0}
    assert [room for room in score.THRESHOLDS if passed(total, room)] == ["empirical"]


def test_rows_of_modules_measured_again_replace_the_old(tmp_path):
    path = tmp_path / "scores.csv"
    update(path, [row(outcome("b", a=("x", "y")), NOTHING), row(outcome("c"), NOTHING)], "theory")
    update(path, [row(outcome("a", 3), NOTHING), row(outcome("b", 4), NOTHING)], "theory")
    assert path.read_text().splitlines() == [
        "module,mutants,killed,score,triaged",
        "a,3,3,1.000,0",
        "b,4,4,1.000,0",
        "c,10,10,1.000,0",
    ]
    sampled = tmp_path / "sampled.csv"
    update(sampled, [row(outcome("toy.a", 30, 8, a=("x", "y")), NOTHING), row(outcome("toy.b", 0), NOTHING)], "toy")
    assert sampled.read_text().splitlines() == [
        "module,mutants,sampled,killed,score,triaged",
        "toy.a,30,8,7,0.875,0",
        "toy.b,0,0,0,,0",
    ]


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "survivors.toml").write_text(TRIAGE)
    monkeypatch.setattr(score, "HERE", tmp_path)
    monkeypatch.setattr(score, "TABLES", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("survivors", "code"),
    [
        ({}, 0),
        ({"x": ("a < b", "a <= b")}, 0),
        ({"x": ("a", "b")}, 1),
        ({"x": ("a < b", "a <= b"), "y": ("c", "d")}, 1),
    ],
)
def test_the_script_ends_with_its_verdict(home, monkeypatch, capsys, survivors, code):
    monkeypatch.setattr(score, "measure", lambda module, *_: outcome(module, 40, **survivors))
    assert main(["--modules", "arrays"]) == code
    *_, last = capsys.readouterr().out.splitlines()
    assert json.loads(last)["killed"] == 40 - len(survivors)
    assert (home / "mutation.csv").read_text().splitlines()[1].startswith(f"arrays,40,{40 - len(survivors)}")


@pytest.mark.parametrize("report", ["", "    what is this: killed"])
def test_the_script_fails_without_a_report(home, monkeypatch, capsys, report):
    monkeypatch.setattr(score, "measure", lambda module, *_: outcome(module, len(parse(report))))
    assert main(["--modules", "arrays"]) == 1
    assert "no score of arrays: mutmut's report" in capsys.readouterr().err
    assert not (home / "mutation.csv").exists()


def test_a_module_that_fails_is_named_and_the_others_are_measured(home, monkeypatch, capsys):
    def fails_once(module, work, sample, seed):
        if module == "toy.simpson":
            raise ValueError("no tests")
        return outcome(module, 40, sample)

    monkeypatch.setattr(score, "measure", fails_once)
    assert main(["--room", "toy", "--modules", "toy.simpson", "toy.tilts", "--sample", "8"]) == 1
    said = capsys.readouterr()
    assert "no score of toy.simpson: no tests" in said.err
    total = json.loads(said.out.splitlines()[-1])
    assert (total["score"], total["sampled"]) == (1.0, 8)
    assert (home / "mutation_toy.csv").read_text().splitlines()[1:] == ["toy.tilts,40,8,8,1.000,0"]
    assert main(["--room", "toy", "--modules", "toy.tilts", "--sample", "8"]) == 0  # the control: nothing fails


def test_a_sample_of_theory_is_not_stored_and_no_module_is_of_two_rooms(home, monkeypatch, capsys):
    monkeypatch.setattr(score, "measure", lambda module, work, sample, seed: outcome(module, 40, sample))
    assert main(["--modules", "arrays", "--sample", "8"]) == 0
    assert not (home / "mutation.csv").exists()
    for arguments in (["--room", "toy", "--modules", "arrays"], ["--sample", "0"], ["--modules", "toy.tilts"]):
        with pytest.raises(SystemExit):
            main(arguments)
    assert "no such modules in theory: toy.tilts" in capsys.readouterr().err


def test_every_triaged_survivor_has_a_module_and_a_line_that_exist():
    triage = read_triage((score.HERE / "survivors.toml").read_text(encoding="utf-8"))
    for module, (was, _) in triage.reasons:
        source = " ".join((score.ROOT / source_of(module)).read_text(encoding="utf-8").split())
        assert " ".join(was.split()) in source, (module, was)


def test_the_parts_of_a_modules_tests_count_for_it_alone():
    contract = "tests/theory/test_array_contract.py"
    assert files_of("adaptors") == ["tests/theory/test_adaptors.py", "tests/theory/test_adaptors_contract.py", contract]
    modules = [path.stem for path in (ROOT / "theory").glob("*.py")]
    counted = Counter(test for module in modules for test in files_of(module) if test != contract)
    assert set(counted.values()) == {1}


def test_a_module_of_another_room_answers_to_its_mirror_or_to_those_that_use_it():
    assert files_of("toy.dirichlet") == ["tests/toy/test_dirichlet.py"]  # though four more import it
    assert files_of("toy.findings") == ["tests/toy/test_controlled.py"]  # has no mirror, is imported by name
    assert files_of("toy.transfer_findings") == ["tests/toy/test_controlled.py"]  # that of its only user
    with pytest.raises(ValueError, match="no test file answers"):
        files_of("toy.no_such_module")
    assert all(files_of(module) for module in modules_of("toy"))
    assert not [module for room in score.THRESHOLDS for module in modules_of(room) if "claims" in module]


def test_in_empirical_other_fast_files_that_use_a_module_are_asked_second():
    by_name, of_its_user = ("tests/empirical/judging/test_fit.py", "tests/empirical/studies/guided/test_run.py")
    assert tiers_of("empirical.judging.heads") == [["tests/empirical/judging/test_heads.py"], [by_name]]
    assert tiers_of("empirical.guidance.weak") == [["tests/empirical/guidance/test_weak.py"], [of_its_user]]
    assert tiers_of("empirical.alone")[1] == []  # test_findings.py, which answers for its user, is slow
    assert all((ROOT / file).is_file() for file in SLOW)
    rooms = {room: [tiers_of(module) for module in modules_of(room)] for room in score.THRESHOLDS}
    assert {room: max(map(len, tiers)) for room, tiers in rooms.items()} == {"theory": 1, "toy": 1, "empirical": 2}
    for first, second in rooms["empirical"]:
        assert first
        assert not set(first) & set(second)


def test_a_module_that_its_package_passes_on_is_used_by_those_that_import_the_package():
    assert "tests/empirical/control/test_best_of.py" in files_of("empirical.control.policies")


@pytest.mark.parametrize(("room", "sample"), [("toy", 8), ("empirical", 2)])
def test_the_stored_sample_is_of_its_room_and_explained(room, sample):
    with score.table_of(room).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [one["module"] for one in rows] == sorted({one["module"] for one in rows})
    assert {one["module"] for one in rows} <= set(modules_of(room))
    for one in rows:
        mutants, sampled, killed, triaged = (int(one[name]) for name in ("mutants", "sampled", "killed", "triaged"))
        assert sampled == min(mutants, sample), one
        assert sampled - killed == triaged, one
