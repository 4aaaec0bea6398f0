"""Strict mode: the SHA-256 of all rows is one and the same whatever the batch, the threads or the place of a kill."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from empirical.presets import PRESETS, Backend
from empirical.prompts import study_prompts
from empirical.recipes import Recipe
from empirical.results import Results
from empirical.schemes import study_schemes
from empirical.store import Shards, digest
from empirical.studies import collecting, prediction
from empirical.studies.collecting import collect, fingerprint, shards_of

SETTINGS = replace(PRESETS["smoke"].settings(0, Backend(strict=True)), max_new=4)
PROMPTS, SCHEMES = study_prompts(2), study_schemes()[::2]


@pytest.fixture(scope="module")
def exact():
    """The smoke preset's models in float64."""
    return Recipe(PRESETS["smoke"]).load(strict=True)


@pytest.fixture(scope="module")
def drawn(exact, tmp_path_factory):
    """The digest of a run with some settings, in a folder of its own."""

    def run(**changed):
        folder, settings = tmp_path_factory.mktemp("strict"), replace(SETTINGS, **changed)
        collect(exact, PROMPTS, SCHEMES, settings, Shards(folder, "tiny", fingerprint(exact, SCHEMES, settings)))
        return digest(folder)

    return run


@pytest.fixture(scope="module")
def whole(drawn):
    return drawn()


@pytest.mark.parametrize("rows", [1, 8, 64])
@pytest.mark.parametrize("threads", [1, 2])
def test_neither_batches_nor_threads_move_a_bit(drawn, whole, rows, threads):
    chosen = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert drawn(rows=rows) == whole
    finally:
        torch.set_num_threads(chosen)


def test_without_strict_mode_batches_do_move_bits(drawn):
    """The test above can fail: products of one row and of many are summed in another order."""
    assert len({drawn(backend=Backend(), rows=rows) for rows in (1, 8, 64)}) > 1


def test_threads_do_not_move_what_is_foretold(exact, tmp_path):
    """All texts of a prompt are weighed at once; without strict mode two threads sum otherwise."""
    settings = replace(SETTINGS, max_new=8)
    found = {}
    chosen = torch.get_num_threads()
    for strict, threads in product((True, False), (1, 2)):
        size = replace(settings, backend=Backend(strict=strict))
        torch.set_num_threads(threads)
        try:
            results = Results.open(tmp_path / f"{strict}-{threads}", "tiny")
            drawn = prediction.draw(results, exact, PROMPTS, SCHEMES, size, 8)
        finally:
            torch.set_num_threads(chosen)
        found[strict, threads] = drawn.log_w["global"].tobytes()
    assert found[True, 1] == found[True, 2]
    assert found[False, 1] != found[False, 2]


def test_the_digest_tells_runs_apart(drawn, whole):
    assert drawn(seed=1) != whole


def test_a_draw_from_a_global_generator_is_noticed(exact, tmp_path, monkeypatch):
    """Planted: uniforms that depend on what was drawn before. Seeded, a whole run repeats itself, a resumed one not."""
    monkeypatch.setattr(collecting, "uniforms", lambda *key: np.random.random(key[-1]))  # noqa: NPY002
    store = Shards(tmp_path, "tiny", fingerprint(exact, SCHEMES, SETTINGS))

    def run():
        np.random.seed(0)  # noqa: NPY002
        collect(exact, PROMPTS, SCHEMES, SETTINGS, store)
        return digest(tmp_path)

    first = run()
    assert run() == first
    store.path(shards_of(PROMPTS, SCHEMES, SETTINGS)[-1]).unlink()
    assert run() != first


def test_kill_points():
    """Five of the hundred points of `python -m tests.empirical.kill_points`, and files written in place are noticed."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.empirical.kill_points", "--points", "5", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert found["faults"] == []
    assert found["killed"] == 5
    assert found["planted_caught"]
