"""The command line: targets, exit codes, one sentence an error, and what a run leaves behind."""

import errno
import io
import json
import re
import sys
from types import SimpleNamespace

import pytest

import paper_repro
from empirical import presets
from empirical.doctor import Probe
from theory import ledger, verification
from theory.ledger import Claim, at_most, rejects


def call(monkeypatch, *arguments):
    """Run the command line; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["paper_repro.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        paper_repro.main()
    return ended.value.code or 0


@pytest.mark.parametrize("arguments", [["list"], ["explain", "chang.thm3.5"]])
def test_a_terminal_without_greek_letters_does_not_end_a_run(monkeypatch, tmp_path, arguments):
    def answered():
        out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, "stdout", out)
        return call(monkeypatch, *arguments, "--out", tmp_path), out.buffer.getvalue()

    code, said = answered()
    assert code == 0
    assert b"chang.thm3.5" in said
    assert b"?" in said
    monkeypatch.setattr(paper_repro, "io", SimpleNamespace(TextIOWrapper=type(None)))  # planted: left as it is
    assert answered()[0] == 2


@pytest.mark.parametrize("option", [("--out", "elsewhere"), ("--preset", "default"), ("--strict",)])
def test_an_option_before_a_command_is_refused_and_not_ignored(monkeypatch, tmp_path, capsys, option):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, *option, "report") == 2
    said = f"Options stand behind their command: python paper_repro.py report {option[0]} ...\n"
    assert capsys.readouterr().err == said
    assert not list(tmp_path.iterdir())


def test_targets():
    chosen = paper_repro.selected
    assert chosen(["tan.fig2"]) == ["tan.fig2"]
    assert set(chosen(["chang", "cd", "tan", "new", "toy"])) == set(paper_repro.IDS)
    assert set(chosen(["theory", "toy", "empirical"])) == set(paper_repro.IDS)
    assert chosen(["chang.thm3.1-frozen", "chang.thm3.1-frozen"]) == ["chang.thm3.1-frozen"]
    assert {"tan.fig1", "tan.toy.claim", "toy.simpson"} <= set(chosen(["toy"]))
    assert all(paper_repro.REGISTRY[name].evidence.__module__.startswith("theory") for name in chosen(["theory"]))


def test_every_claim_of_the_first_milestone_is_there():
    asked = [
        "chang.thm3.1-literal",
        "chang.thm3.1-frozen",
        "chang.thm3.2",
        "chang.thm3.3",
        "chang.thm3.4",
        "chang.thm3.5",
        "cd.thm2.1",
        "cd.eq12",
        "tan.eq11",
        "tan.prop1",
        "tan.ex1",
        "tan.eq13-41",
        "tan.alg1",
        "tan.fig1",
        "tan.fig2",
    ]
    assert set(asked) <= set(paper_repro.IDS)


def test_a_target_leaves_ledger_report_and_manifest(monkeypatch, tmp_path, capsys):
    assert call(monkeypatch, "run", "chang.thm3.5", "--preset", "smoke", "--out", tmp_path) == 0
    folder = tmp_path / "smoke"
    [row] = json.loads((folder / "ledger.json").read_text())
    assert row["id"] == "chang.thm3.5"
    assert all(check["passed"] for check in row["checks"])
    assert all(control["rejected"] for control in row["controls"])
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert 'id="chang.thm3.5"' in page
    assert set(re.findall(r"http://[^\"\s<]+", page)) <= {"http://www.w3.org/1998/Math/MathML"}, "a name, no request"
    assert "https://" not in page, "the report must work offline"
    assert json.loads((folder / "manifest.json").read_text())["seed"] == 0
    assert "index.html" in capsys.readouterr().out
    assert call(monkeypatch, "run", "figures", "--preset", "smoke", "--out", tmp_path) == 0
    assert call(monkeypatch, "report", "--preset", "smoke", "--out", tmp_path) == 0
    assert json.loads((folder / "ledger.json").read_text()) == [row]


def test_the_study_on_random_models(monkeypatch, tmp_path):
    monkeypatch.setitem(presets.PRESETS, "smoke", presets.Preset(2, 2, 4, real=False, corpora=50, resamples=20))
    assert call(monkeypatch, "run", "tan.fig2", "--preset", "smoke", "--out", tmp_path) == 0
    folder = tmp_path / "smoke"
    [row] = json.loads((folder / "ledger.json").read_text())
    assert row["verdict"] == "not-testable-here"
    assert (folder / "figures" / "tan_fig2.pdf").is_file()
    assert len(list((folder / "samples").glob("tiny-*.parquet"))) == 2 + 2, "two prompts: rows, and a corpus to predict"
    before = {path.name: path.read_bytes() for path in (folder / "tables").iterdir()}
    assert call(monkeypatch, "run", "tan.fig2", "--preset", "smoke", "--out", tmp_path) == 0
    assert {path.name: path.read_bytes() for path in (folder / "tables").iterdir()} == before


def test_guidance_on_random_models(monkeypatch, tmp_path):
    assert {"chang.emp.information", "chang.emp.tradeoff"} <= set(paper_repro.selected(["chang"]))
    assert call(monkeypatch, "run", "chang.emp", "--preset", "smoke", "--out", tmp_path) == 0
    folder = tmp_path / "smoke"
    rows = json.loads((folder / "ledger.json").read_text())
    assert {row["verdict"] for row in rows} == {"not-testable-here"}
    assert {row["id"] for row in rows} == set(paper_repro.selected(["chang.emp"]))
    assert {"chang_tradeoffs", "chang_relevance"} <= {path.stem for path in (folder / "figures").glob("*.pdf")}
    assert not list((folder / "samples").glob("tiny-*")), "no row of the trade-off study is asked for"


def test_controlled_decoding_on_random_models(monkeypatch, tmp_path):
    assert {"cd.exp1", "cd.exp8", "cd.table1"} <= set(paper_repro.selected(["cd"]))
    assert call(monkeypatch, "run", "cd.exp1", "--preset", "smoke", "--out", tmp_path) == 0
    folder = tmp_path / "smoke"
    rows = json.loads((folder / "ledger.json").read_text())
    assert {row["verdict"] for row in rows} == {"not-testable-here"}
    assert {row["id"] for row in rows} == set(paper_repro.selected(["cd.exp1"]))
    assert {f"cd_fig{number}" for number in range(3, 14)} <= {path.stem for path in (folder / "figures").glob("*.pdf")}
    assert not list((folder / "samples").glob("tiny-*")), "no row of the trade-off study is asked for"


def test_the_first_prompts_alone_and_then_all(monkeypatch, tmp_path):
    """A part of a preset is a beginning of it: its rows are read again, not made again."""
    monkeypatch.setitem(presets.PRESETS, "smoke", presets.Preset(3, 2, 4, real=False, corpora=50, resamples=20))
    kept, samples = {}, tmp_path / "smoke" / "samples"
    for first, prompts in (("2", 2), ("0", 3), ("9", 3)):
        assert call(monkeypatch, "run", "tan.fig2", "--preset", "smoke", "--first", first, "--out", tmp_path) == 0
        made = {path.name: path.stat().st_mtime_ns for path in samples.glob("tiny-*.parquet")}
        assert len(made) == 2 * prompts
        assert kept.items() <= made.items()
        kept = made
    assert call(monkeypatch, "run", "tan.fig2", "--preset", "smoke", "--first", "-1", "--out", tmp_path) == 2


def test_every_empirical_sentence_is_a_target(monkeypatch, tmp_path):
    chosen = paper_repro.selected(["tan.emp"])
    assert {"tan.emp.anticorrelation", "tan.emp.dpo.simpson", "tan.emp.dpo.identical"} <= set(chosen)
    assert not {"tan.fig2", "tan.sec6-7"} & set(chosen)
    monkeypatch.setitem(presets.PRESETS, "smoke", presets.Preset(2, 2, 4, real=False, corpora=50, resamples=20))
    assert call(monkeypatch, "run", "tan.emp", "--preset", "smoke", "--out", tmp_path) == 0
    ledger = json.loads((tmp_path / "smoke" / "ledger.json").read_text())
    assert {row["id"] for row in ledger} == set(chosen) - {"tan.emp.prediction.short"}, "no answer is longer"
    drawn = {path.stem for path in (tmp_path / "smoke" / "figures").glob("*.pdf")}
    assert {"tan_fig2", "tan_fig3", "tan_decomposition", "tan_prediction"} <= drawn


def test_a_second_run_keeps_verdicts_and_an_explicit_one_checks_again(monkeypatch, tmp_path):
    monkeypatch.setattr(paper_repro, "IDS", ["tan.ex1"])
    monkeypatch.setattr(paper_repro, "REGISTRY", {"tan.ex1": ledger.REGISTRY["tan.ex1"]})
    verified = []
    monkeypatch.setattr(
        verification, "verify", lambda claim, seed: verified.append(claim.id) or ledger.verify(claim, seed)
    )
    common = ["--preset", "smoke", "--out", tmp_path]
    for arguments, times in (([], 1), ([], 1), (["verify"], 2), (["--seed", "1"], 3)):
        assert call(monkeypatch, *arguments, *common) == 0
        assert len(verified) == times


def test_own_models(monkeypatch, tmp_path, tiny_folder):
    monkeypatch.setitem(presets.PRESETS, "smoke", presets.Preset(2, 2, 4, corpora=50, resamples=20))
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("one\ntwo\n", encoding="utf-8")
    models = ["--prior", tiny_folder / "prior", "--aligned", tiny_folder / "adapter", "--reward", "secret"]
    common = ["--prompts", prompts, "--preset", "smoke", "--out", tmp_path]
    assert call(monkeypatch, "tradeoff", *models, *common) == 0
    assert (tmp_path / "tradeoff-smoke" / "tables" / "tan_schemes.csv").is_file()


def test_list(monkeypatch, capsys, tmp_path):
    assert call(monkeypatch, "list", "--out", tmp_path) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["target", "where", "verdict", "cost", "statement"]
    assert {line[0] for line in lines} >= set(paper_repro.IDS)
    assert {len(line) for line in lines} == {5}
    assert not list(tmp_path.iterdir()), "a list makes no folder"


def test_explain_checks_now_or_reads_the_ledger(monkeypatch, capsys, tmp_path):
    assert call(monkeypatch, "explain", "chang.thm3.5", "--preset", "smoke", "--out", tmp_path) == 0
    now = capsys.readouterr().out
    assert "checked now" in now
    assert "rejected" in now
    assert not list(tmp_path.iterdir())
    assert call(monkeypatch, "run", "chang.thm3.5", "--preset", "smoke", "--out", tmp_path) == 0
    path = tmp_path / "smoke" / "ledger.json"
    [row] = json.loads(path.read_text())
    path.write_text(json.dumps([row | {"statement": "as the ledger has it"}]))
    capsys.readouterr()
    assert call(monkeypatch, "explain", "chang.thm3.5", "--preset", "smoke", "--out", tmp_path) == 0
    assert "as the ledger has it" in capsys.readouterr().out


def test_explain_an_experiment_that_was_not_run(monkeypatch, capsys, tmp_path):
    assert call(monkeypatch, "explain", "tan.fig2", "--out", tmp_path) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "not run here yet" in said
    assert "python paper_repro.py run tan.fig2" in said


def test_doctor(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(
        paper_repro, "probes", lambda out: iter([Probe("a", "there", True), Probe("b", "2", True, "x")])
    )
    assert call(monkeypatch, "doctor") == 0
    monkeypatch.setattr(
        paper_repro, "probes", lambda out: iter([Probe("a", "there", True), Probe("b", "2", False, "do")])
    )
    assert call(monkeypatch, "doctor") == 1
    assert "WRONG" in capsys.readouterr().out


def test_latex_tables_beside_the_report(monkeypatch, tmp_path):
    assert call(monkeypatch, "run", "chang.thm3.5", "--preset", "smoke", "--out", tmp_path, "--latex") == 0
    assert "chang.thm3.5" in (tmp_path / "smoke" / "latex" / "ledger.tex").read_text(encoding="utf-8")


def test_a_contradicted_claim_exits_with_1(monkeypatch, tmp_path, capsys):
    def evidence(rng):
        yield at_most("fails", oracle="none", residuals=[1.0], tolerance=0.0)
        yield rejects("also fails", at_most("planted", oracle="none", residuals=[1.0], tolerance=0.0))

    wrong = Claim("tan.ex1", "tan", "w", "k", "s", "holds", "", evidence)
    monkeypatch.setitem(ledger.REGISTRY, "tan.ex1", wrong)
    assert call(monkeypatch, "run", "tan.ex1", "--preset", "smoke", "--out", tmp_path) == 1
    assert "contradicted" in capsys.readouterr().out
    assert json.loads((tmp_path / "smoke" / "ledger.json").read_text())[0]["verdict"] == "inconclusive"


def test_a_full_disk_is_one_sentence(monkeypatch, tmp_path, capsys):
    def full(folder, pgf):
        raise OSError(errno.ENOSPC, "No space left on device", "figure.pdf")

    monkeypatch.setattr(paper_repro, "redraw", full)
    assert call(monkeypatch, "run", "chang.thm3.5", "--preset", "smoke", "--out", tmp_path) == 2
    assert "figure.pdf (No space left on device); free some space" in capsys.readouterr().err


TINY = ["tradeoff", "--prior", "{tiny}/prior", "--aligned", "{tiny}/adapter"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "tan.nothing"], "no target 'tan.nothing'"),
        (["--preset", "huge"], "no preset 'huge'"),
        (["run", "chang.thm3.5", "--device", "cuda:99"], "device 'cuda:99'"),
        (["run", "tan.fig2", "--preset", "smoke", "--ray", "127.0.0.1:1"], "Cannot reach Ray at 127.0.0.1:1"),
        (["run", "chang.thm3.5", "--out", "{blocked}"], "choose another --out"),
        (["tradeoff", "--prior", "/nowhere", "--aligned", "/nowhere", "--reward", "secret"], "/nowhere"),
        (["tradeoff", "--prior", "{tiny}/prior", "--aligned", "{tiny}/prior", "--reward", "/none"], "'secret'"),
        (["tradeoff", "--prior", "{tiny}/prior"], "Pass --aligned"),
        ([*TINY, "--prompts", "{blocked}", "--first", "1", "--preset", "smoke"], "reads 512 tokens but the prompt"),
        (["tradeoff", "--prior", "{tiny}/prior", "--aligned", "{tiny}/prior"], "nothing was aligned"),
        (["tradeoff", "--triple", "rlhf"], "meta-llama/Llama-2-7b-hf"),
        (["tradeoff", "--triple", "rlhf", "--reward", "secret"], "--triple alone"),
        (["nonsense"], "nonsense"),
        (["explain", "tan.thm22"], "the nearest are tan.thm2"),
        (["explain", "toy.simpson"], "an exact world and no claim"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(monkeypatch, tmp_path, tiny_folder, capsys, arguments, sentence):
    monkeypatch.setattr("empirical.memory.free_memory", lambda: 1e12)  # refused for what each row is about
    blocked = tmp_path / "file"
    blocked.write_text("long " * 100)
    filled = [argument.format(blocked=blocked, tiny=tiny_folder) for argument in arguments]
    if "--out" not in filled and filled != ["nonsense"]:
        filled += ["--out", str(tmp_path / "out")]
    assert call(monkeypatch, *filled) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
