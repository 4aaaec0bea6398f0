"""The study from a recipe to the ledger's entry: strict runs repeat themselves, and Ray draws where it is asked to."""

from dataclasses import replace

import pandas as pd
import pytest

from empirical.engines.ray import Pool
from empirical.engines.torch import engine
from empirical.presets import PRESETS, Backend
from empirical.prompts import study_prompts
from empirical.recipes import Recipe
from empirical.results import Results
from empirical.schemes import study_schemes
from empirical.store import digest
from empirical.studies import collecting
from empirical.studies.collecting import made
from empirical.studies.run import run

SIZE = replace(PRESETS["smoke"], max_new=3, corpora=20, resamples=10)
PROMPTS = study_prompts(2)


def test_two_strict_runs_end_with_the_same_bytes(tmp_path):
    digests = set()
    for name in ("one", "other"):
        results = Results.open(tmp_path, name)
        entries = run(results, Recipe(SIZE), PROMPTS, SIZE, 0, False, Backend(strict=True))
        digests.add((digest(results.samples), digest(results.folder / "tables")))
        assert [entry.id for entry in entries if entry.faults()] == []
        assert results.manifest()["fingerprint"]
    assert len(digests) == 1


@pytest.mark.parametrize(("device", "gpus"), [("cpu", 0), ("cuda", 1)])
def test_rays_workers_get_the_device_and_the_driver_the_cpu(monkeypatch, tmp_path, device, gpus):
    asked = []

    def here(pool, triple, shards, settings):
        asked.append((pool.address, pool.recipe.device, pool.gpus, triple.aligned.device.type, settings.strict))
        return made(triple, shards, settings)

    monkeypatch.setattr(Pool, "made", here)
    backend = Backend(ray="head:6379", strict=True)
    run(Results.open(tmp_path, "run"), Recipe(SIZE, device=device), PROMPTS, SIZE, 0, False, backend)
    assert asked == [("head:6379", device, gpus, "cpu", True)] * 2, (
        "the schemes' rows, and the corpus that predicts them"
    )


def test_vllms_rows_are_asked_of_vllm(monkeypatch, tmp_path):
    """The engine that is opened gets the merged folder, room for the longest text, and is closed again."""
    triple, opened = Recipe(SIZE).load(), []

    class Recorded:
        def __init__(self, folder, **size):
            opened.append((sorted(path.name for path in folder.glob("*.safetensors")), size))
            self.drawer = engine(triple.aligned, size["longest"], size["rows"])

        def __enter__(self):
            return self.drawer

        def __exit__(self, *_):
            opened.append("closed")

    monkeypatch.setattr(collecting, "VllmEngine", Recorded)
    backend = Backend(engine="vllm", tensor_parallel=2)
    shards = collecting.shards_of(PROMPTS[:1], study_schemes()[:2], SIZE.settings(0, backend))
    [(_, rows)] = made(triple, shards, SIZE.settings(0, backend))
    [(_, same)] = made(triple, shards, SIZE.settings(0))
    pd.testing.assert_frame_equal(rows, same)
    longest = len(triple.aligned.prompt_ids(PROMPTS[0])) + SIZE.max_new
    assert opened == [(["model.safetensors"], {"longest": longest, "rows": 64, "tensor_parallel": 2}), "closed"]


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"engine": "sglang"}, "no engine"),
        ({"engine": "vllm", "strict": True}, "strict"),
        ({"engine": "vllm", "ray": "local"}, "--ray"),
        ({"tensor_parallel": 2}, "vLLM"),
    ],
)
def test_back_ends_that_do_not_go_together(wrong, what):
    with pytest.raises(ValueError, match=what):
        Backend(**wrong)
