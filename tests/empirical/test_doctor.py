"""Each probe says what is wrong when it is, and nothing when it is not."""

import importlib.util
from dataclasses import replace
from importlib.metadata import PackageNotFoundError

import pytest

from empirical import doctor
from empirical.errors import InputError
from empirical.fetch import SMOLLM2
from empirical.memory import CONTROLLED
from empirical.planning.cost import Run
from empirical.planning.footprint import memory
from empirical.planning.shapes import NAMED
from empirical.presets import PRESETS
from empirical.schemes import study_schemes


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty model cache."""
    monkeypatch.setenv("DECODING_TRADEOFFS_CACHE", str(tmp_path))
    return tmp_path


def test_the_model_is_hashed(cache):
    assert not doctor.model(SMOLLM2).ok
    assert "downloads it" in doctor.model(SMOLLM2).advice
    path = cache / SMOLLM2.name / SMOLLM2.hub_file
    path.parent.mkdir()
    path.write_bytes(b"cut short")
    found = doctor.model(SMOLLM2)
    assert not found.ok
    assert found.advice == f"delete {path}"
    right = replace(SMOLLM2, sha256=doctor.sha256(path))
    assert doctor.model(right).ok


def test_packages_are_held_to_the_pins(monkeypatch):
    pins = ["numpy~=2.4.0", "torch==2.13.0", 'pytest~=9.2; extra == "test"']
    versions = {"numpy": "2.4.9", "torch": "2.13.0"}
    monkeypatch.setattr(doctor, "requires", lambda name: pins)
    monkeypatch.setattr(doctor, "version", lambda name: versions[name])
    monkeypatch.setattr(doctor, "_there", lambda name: True)
    [found] = doctor.packages()
    assert (found.what, found.ok, found.found) == ("packages", True, "2 of 2 as pinned")
    versions["numpy"] = "2.5.0"
    wrong, found = doctor.packages()
    assert (wrong.ok, found.ok, wrong.advice) == (False, False, 'run `pip install "numpy~=2.4.0"`')
    monkeypatch.setattr(doctor, "_there", lambda name: name != "torch")
    _, torch, _ = doctor.packages()
    assert "models do not" in torch.advice

    def nothing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "requires", nothing)
    [found] = doctor.packages()
    assert "pip install -e ." in found.advice


def test_the_cache_of_kernels(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new"))
    assert doctor.numba_cache().ok
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert "NUMBA_CACHE_DIR" in doctor.numba_cache().advice
    assert not doctor.numba_cache().ok


@pytest.mark.parametrize(
    ("bound", "busy", "advice"), [("", 0.0, ""), ("9999", 0.0, "set OMP_NUM"), ("", 1e4, "others")]
)
def test_threads(monkeypatch, bound, busy, advice):
    monkeypatch.setenv("OMP_NUM_THREADS", bound)
    monkeypatch.setattr(doctor.os, "getloadavg", lambda: (busy, 0, 0))
    found = doctor.threads()
    assert found.ok
    assert found.advice.startswith(advice)
    assert bool(found.advice) == bool(advice)


def test_memory_and_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "free_memory", lambda: 3.9e9)
    assert not doctor.memory().ok
    monkeypatch.setattr(doctor, "free_memory", lambda: 4.1e9)
    assert doctor.memory().ok
    assert doctor.disk("disk", tmp_path / "not" / "there", 1.0).ok
    assert "free some space" in doctor.disk("disk", tmp_path, 1e18).advice
    (tmp_path / "file").write_text("")
    assert "another --out" in doctor.disk("disk", tmp_path / "file" / "below", 1.0).advice
    monkeypatch.undo()
    assert doctor.free_memory() > 0


def test_the_memory_asked_for_is_what_the_largest_study_needs():
    """Of the trade-off study we know what the plan prices: half a gigabyte of libraries beside it, 3 GB in all."""
    size = PRESETS["default"]
    run = Run(size.prompts, len(study_schemes()), size.samples, size.max_new, prompt_tokens=45)
    peak = memory(NAMED["smollm2-135m"], run)["peak"]
    assert peak + 0.4e9 < 3e9 < peak + 1e9
    assert doctor.MEMORY == CONTROLLED


def test_python(monkeypatch):
    assert doctor.python().ok
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.9.1")
    assert "Python >=3.11" in doctor.python().advice


def test_models_are_refused_by_name(monkeypatch):
    doctor.refuse_without_models("tan.fig2")
    find = importlib.util.find_spec
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name in ("torch", "numba") else find(name))
    with pytest.raises(
        InputError, match=r"tan.fig2 needs real models, and torch, numba cannot be found; run `pip install torch"
    ):
        doctor.refuse_without_models("tan.fig2")
