"""Peers do the same work as we do, or a ratio means nothing."""

import numpy as np
import pytest
import torch

from empirical import bench
from empirical.benchmarks import decoding, drawing, scoring, suite
from empirical.benchmarks.measuring import said
from empirical.engines.jobs import answers
from empirical.engines.torch import engine
from empirical.schemes import study_schemes
from empirical.scoring import score


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(decoding, "STEPS", 4)
    monkeypatch.setattr(decoding, "ROWS", 6)
    monkeypatch.setattr(scoring, "TEXTS", 8)


def test_every_row_runs_to_its_last_step_in_both(brief, triple):
    model = triple.prior
    rows = decoding.jobs(model, study_schemes())
    assert len(rows) == 6
    ours = answers(engine(decoding.endless(model), rows[0].longest + 4, 6), rows)
    assert [len(answer.token_ids) for answer in ours] == [4] * 6
    longest = max(len(job.prompt) for job in rows)
    assert decoding.generate(model.network, rows, top_p=0.9).shape == (6, longest + 4)
    assert set(decoding.contenders(model, torch.bfloat16)) == {"plain", "mixed", "generate plain", "generate nucleus"}


def test_both_scorers_agree(brief, triple):
    for prompt, some in scoring.texts(triple.prior):
        ours, theirs = score(triple.prior, prompt, some).log_prob, scoring.forward(triple.prior, prompt, some)
        torch.testing.assert_close(ours, theirs.double(), atol=1e-2, rtol=0)  # float32 sums of 96 tokens
    assert 0 <= scoring.padding(triple.prior)["all"] <= scoring.padding(triple.prior)["attention"] < 1


def test_the_kept_sets_agree_and_a_planted_other_rule_does_not(monkeypatch):
    logits = torch.randn(20, 500, generator=torch.Generator().manual_seed(0))
    assert drawing.largest_difference(logits) < 1e-9  # sums of up to 500 doubles
    for way in drawing.contenders(logits).values():
        way()
    wrong = drawing.RULES | {"nucleus": (drawing.RULES["nucleus"][0], drawing.RULES["typical"][1])}
    monkeypatch.setattr(drawing, "RULES", wrong)
    assert drawing.largest_difference(logits) > 1e-3


def test_ratios_are_peer_over_ours():
    seconds = {f"decode {who} {dtype}": 1.0 for who in ("plain", "mixed") for dtype in suite.DTYPES}
    seconds |= {
        f"decode {who} {dtype}": 3.0 for who in ("generate plain", "generate nucleus") for dtype in suite.DTYPES
    }
    seconds |= {f"draw {rule}": 1.0 for rule in drawing.RULES}
    seconds |= {f"draw transformers {rule}": 7.0 for rule in drawing.RULES}
    found = suite.ratios(seconds | {"score forward": 4.0, "score reader": 2.0})
    assert found["plain_vs_generate.bfloat16"] == 3
    assert found["draw_vs_transformers.typical"] == 7
    assert found["scoring_vs_forward"] == 2
    assert set(found) <= set(suite.FIRST_STEPS)
    assert not any("vllm" in name for name in found)


def test_the_whole_command_on_a_tiny_model(brief, triple, monkeypatch):
    monkeypatch.setattr(suite, "memory", lambda *_: {"forward": 0.3, "score": 0.1})
    monkeypatch.setattr(suite, "roofline", lambda *_: 1e12)
    found = suite.measured(triple.prior, repeats=1, vllm=False)
    assert found["sampler_minus_scorer_nats_per_token"] < 1e-4
    assert np.isfinite(list(found["seconds"].values())).all()
    assert found["padding"] == scoring.padding(triple.prior)
    slow = {name for name, ratio in found["ratios"].items() if ratio < suite.FIRST_STEPS[name]}
    assert set(found["missed"]) == slow
    said(found | {"missed": []}, False, bench.shown)


def test_memory_is_measured_in_processes_of_their_own(monkeypatch):
    asked = []
    monkeypatch.setattr(suite, "peak_memory", lambda code, kind: asked.append((code, kind)) or 2**30)
    for device in ("cpu", "cuda:1"):
        assert suite.memory(torch.device(device)) == {"decode": 1, "generate": 1, "score": 1, "forward": 1}
    assert [kind for _, kind in asked] == 4 * ["cpu"] + 4 * ["cuda"]
    for code, kind in asked:
        compile(code, "memory", "exec")
        assert ("default_prior('cuda:1')" in code) == (kind == "cuda")


def test_a_missed_ratio_is_exit_code_one(monkeypatch, capsys):
    monkeypatch.setattr(bench, "default_prior", lambda device: None)
    monkeypatch.setattr(bench, "measured", lambda model, repeats, vllm: {"missed": ["plain_vs_mixed"]})
    with pytest.raises(bench.typer.Exit) as stopped:
        bench.main(as_json=True)
    assert stopped.value.exit_code == 1
    assert "plain_vs_mixed" in capsys.readouterr().out
    monkeypatch.setattr(bench, "measured", lambda model, repeats, vllm: {"missed": []})
    bench.main(as_json=True)


def test_what_is_to_be_reached_is_asked_of_processors_alone():
    found = {key: {} for key in ("roofline_gflops", "kept_mass_difference", "padding", "memory_gib")}
    found |= {"sampler_minus_scorer_nats_per_token": 0.0, "seconds": {}, "tokens_per_second": {}, "gflops": {}}
    name, goal = next(iter(suite.FIRST_STEPS.items()))
    for device, asked in (("cpu", f"{goal:.2f}"), ("NVIDIA H100", "")):
        _, goals, *_ = bench.shown(found | {"ratios": {name: 9.0}, "manifest": {"device": device}})
        assert [list(column.cells) for column in goals.columns] == [[name], ["9.00"], [asked]]
