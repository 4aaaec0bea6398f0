"""The vLLM back end against a stand-in for vLLM: protocol, law, records, refusals."""

import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from empirical.engines import vllm_process
from empirical.engines.jobs import Job, answers
from empirical.engines.vllm import VllmEngine, exported
from empirical.engines.vllm_process import VARIABLE, interpreter
from empirical.errors import InputError
from empirical.models import LanguageModel, load
from empirical.randomness import uniforms
from empirical.schemes import study_schemes
from theory.adaptors import Adaptor, ancestral, local

STEPS = 12


@pytest.fixture(scope="session")
def folder(tiny_folder, tmp_path_factory):
    """A model folder for the stand-in: a tokenizer, and logits by the last token; 0 is EOS and not rare."""
    made = tmp_path_factory.mktemp("table") / "model"
    shutil.copytree(tiny_folder / "prior", made)
    table = np.random.default_rng(0).normal(size=(257, 257)) * 2
    table[:, 0] += 4
    np.save(made / "table.npy", table.astype(np.float32))
    return made


def python_with(place, fault="", version="0.32.0"):
    """A python that finds the stand-in as `vllm` of a version, with a fault planted."""
    installed = place / f"vllm-{version}.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    shutil.copy(Path(__file__).with_name("fake_vllm.py"), place / "vllm.py")
    return script(place / "python", f'FAULT={fault} PYTHONPATH="$PYTHONPATH:{place}" exec {sys.executable} "$@"')


def script(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def engine(folder, tmp_path_factory):
    with VllmEngine(folder, python_with(tmp_path_factory.mktemp("fake")), longest=60, rows=8) as made:
        yield made


def jobs_of(samples=3, seed=0):
    return [
        Job((5, 7 + number), scheme.adaptor, uniforms(seed, "p", scheme.name, number, STEPS))
        for scheme in study_schemes()
        for number in range(samples)
    ]


def drawn_by_hand(table, job):
    """Tokens, log q, log kept and log p by the definitions, one token at a time in NumPy."""
    tokens, sums = [], np.zeros(3)
    for u in job.uniforms:
        line = table[(*job.prompt, *tokens)[-1]].astype(np.float64)
        log_p = line - np.logaddexp.reduce(line)
        log_q, log_kept = local(job.adaptor, log_p)
        token = int(np.searchsorted(np.cumsum(np.exp(log_q)), u, side="right"))
        tokens.append(token)
        sums += (log_q[token], log_kept, log_p[token])
        if token == 0:
            break
    return tokens, sums


def test_answers_are_those_of_the_definition(engine, folder):
    """31 schemes through 8 rows: texts leave, others move into their rows, some draws are thrown away."""
    table, jobs = np.load(folder / "table.npy"), jobs_of()
    found = dict(engine.stream(jobs))
    records = list(Path(engine._worker.scratch.name).glob("*.records"))
    assert [path.stat().st_size for path in records] == [0], "written, read, and emptied"
    assert sorted(found) == list(range(len(jobs)))
    assert len({len(answer.token_ids) for answer in found.values()}) > 5, "texts should end at different steps"
    for number, job in enumerate(jobs):
        tokens, sums = drawn_by_hand(table, job)
        answer = found[number]
        assert answer.token_ids == tokens
        assert answer.finished == (tokens[-1] == 0)
        # float64 sums of at most twelve terms near 5
        assert (answer.log_proposal, answer.log_kept, answer.log_model) == pytest.approx(tuple(sums), abs=1e-11)


def test_answers_come_as_they_are_done(engine):
    """A first answer is there while the rest is not; what an abandoned reader left behind reaches no other."""
    jobs, others = jobs_of(), jobs_of(seed=1)
    alone = answers(engine, others)
    stream = engine.stream(jobs)
    number, answer = next(stream)
    assert answer == answers(engine, [jobs[number]])[0]
    stream.close()
    assert answers(engine, others) == alone != answers(engine, jobs)


def test_a_timed_run_draws_every_step(engine):
    for sampler in ("kernel", "vllm"):
        timing = engine.timed(jobs_of(1), sampler)
        assert timing.tokens == 31 * STEPS
        assert 0 < timing.seconds < 60


@pytest.mark.parametrize("rule", [Adaptor("mine", lambda log_p: 2 * log_p), Adaptor("odd", abs, (("odd", 1.0),))])
def test_an_adaptor_that_cannot_travel_is_refused_before_anything_is_sent(engine, rule):
    with pytest.raises(InputError, match=f"does not know .*{rule.name}"):
        answers(engine, [Job((5,), rule, np.zeros(3))])
    assert answers(engine, jobs_of(1)[:2])


def test_a_text_that_is_too_long_is_refused(engine):
    with pytest.raises(InputError, match="longest=61"):
        answers(engine, [Job((5,), ancestral(), np.zeros(60))])
    assert list(engine.stream([])) == []


def test_tokens_that_nobody_drew_are_noticed(folder, tmp_path):
    with (
        VllmEngine(folder, python_with(tmp_path / "fake", "tokens"), longest=60) as engine,
        pytest.raises(InputError, match="other tokens than were drawn"),
    ):
        answers(engine, jobs_of(1))


def test_a_worker_that_dies_is_quoted(folder, tmp_path):
    engine = VllmEngine(folder, python_with(tmp_path / "fake", "crash"), longest=60)
    with pytest.raises(InputError, match="status 1; the last line it wrote: RuntimeError: the fake ran out of luck"):
        answers(engine, jobs_of(1))
    with pytest.raises(InputError, match="closed"):
        answers(engine, jobs_of(1))


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("echo no luck >&2; exit 3", "status 3; the last line it wrote: no luck"),
        ("kill -9 $$", "status -9; it may need more memory"),
        ("""echo '{"refused": "Not today."}'""", "Not today."),
        ("echo hello", "no python: it wrote 'hello'"),
    ],
)
def test_a_worker_that_does_not_start(folder, tmp_path, body, what):
    with pytest.raises(InputError, match=what):
        VllmEngine(folder, script(tmp_path / "python", body))


def test_a_worker_that_does_not_end_is_killed(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(vllm_process, "GRACE", 0.1)
    body = """trap '' PIPE; echo '{"ready": "0"}'; sleep 100 & echo $! > CHILD; wait"""
    engine = VllmEngine(folder, script(tmp_path / "python", body.replace("CHILD", str(tmp_path / "child"))))
    process = engine._worker.process
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().strip():
        time.sleep(0.01)
    engine.close()
    assert process.returncode == -9
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")

    def ended():
        try:
            return child.read_text().split()[2] == "Z"
        except OSError:
            return True

    until = time.monotonic() + 30  # a killed process of a busy machine ends when it is next scheduled
    while not ended() and time.monotonic() < until:
        time.sleep(0.01)
    assert ended(), "what it started has ended, too"


def test_a_file_that_cannot_run(folder, tmp_path):
    (tmp_path / "python").write_bytes(b"\x7fELF")
    (tmp_path / "python").chmod(0o755)
    with pytest.raises(InputError, match=r"Cannot run .*Exec format error"):
        VllmEngine(folder, tmp_path / "python")


def test_no_vllm_or_an_untested_one(folder, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(InputError, match="vLLM is not installed"):
        interpreter()
    with pytest.raises(InputError, match="There is no vLLM for"):
        VllmEngine(folder, sys.executable)
    with pytest.raises(InputError, match=r"tested with vLLM 0\.32\.0, not 0\.31\.0"):
        VllmEngine(folder, python_with(tmp_path, version="0.31.0"))


def test_the_interpreter_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "python"))
    with pytest.raises(InputError, match="There is no python at"):
        interpreter()
    script(tmp_path / "python", "")
    assert interpreter() == str(tmp_path / "python")
    assert interpreter(sys.executable) == sys.executable, "an argument goes before the variable"
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(vllm_process, "find_spec", lambda name: name == "vllm" or None)
    assert interpreter() == sys.executable


def test_a_folder_without_a_model_or_a_tokenizer(folder, tmp_path):
    with pytest.raises(InputError, match="holds no model"):
        VllmEngine(tmp_path, sys.executable)
    shutil.copy(folder / "config.json", tmp_path)
    with pytest.raises(InputError, match="Cannot read a tokenizer"):
        VllmEngine(tmp_path, sys.executable)


def test_the_worker_sees_our_rooms_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    folder = vllm_process.rooms()
    with pytest.raises(InputError, match=f"^{folder}$"):
        vllm_process.Worker(str(script(tmp_path / "python", """echo '{"refused": "'$PYTHONPATH'"}'"""))).receive()
    assert vllm_process.rooms() == folder
    assert {path.name for path in folder.iterdir()} - {"numba"} >= {"theory", "empirical"}
    assert not (folder / "torch").exists()
    assert not (folder / "toy").exists()


def test_a_merged_model_is_exported_whole(triple, tmp_path):
    model = triple.aligned
    back = load(exported(model, tmp_path))
    ids = torch.tensor([model.prompt_ids("Name a fruit.")])
    with torch.inference_mode():
        assert torch.equal(back.network(ids).logits, model.network(ids).logits)
        assert not torch.allclose(back.network(ids).logits, triple.prior.network(ids).logits, atol=0.1)
    assert not (tmp_path / "generation_config.json").exists()


def test_an_export_that_loses_the_adapter_is_noticed(triple, tmp_path, monkeypatch):
    model = triple.aligned
    monkeypatch.setattr(model.network, "save_pretrained", triple.prior.network.save_pretrained)
    with pytest.raises(InputError, match="does not hold the weights"):
        exported(model, tmp_path)


def test_an_unmerged_adapter_and_a_full_disk(triple, tmp_path, monkeypatch):
    model = triple.prior
    carrying = LanguageModel("mine", type("Carrying", (), {"peft_config": {}})(), model.tokenizer, "")
    with pytest.raises(InputError, match="merge it"):
        exported(carrying, tmp_path)

    def full(_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(model.network, "save_pretrained", full)
    with pytest.raises(InputError, match="No space left"):
        exported(model, tmp_path)
