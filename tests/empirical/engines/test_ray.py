"""Ray for real, on this machine: the same rows whatever the workers, one that dies, one that cannot load."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from empirical.engines.ray import ENVIRONMENT, RETRIES, Pool, Worker, _spread
from empirical.errors import InputError
from empirical.presets import PRESETS, Backend
from empirical.prompts import study_prompts
from empirical.recipes import Recipe
from empirical.schemes import study_schemes
from empirical.store import Shards, digest
from empirical.studies.collecting import collect, fingerprint, identity, made, shards_of

RECIPE = Recipe(PRESETS["smoke"])
SETTINGS = replace(PRESETS["smoke"].settings(0, Backend(strict=True)), max_new=4)
PROMPTS, SCHEMES = study_prompts(6), study_schemes()[::4]


@pytest.fixture(scope="module")
def exact():
    return RECIPE.load(strict=True)


@pytest.fixture(scope="module")
def cluster():
    """A cluster that stands already, with three places for workers."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        import ray

        ray.init(
            num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="ERROR", object_store_memory=10**8
        )
        yield ray
        ray.shutdown()


def run(exact, folder, maker):
    store = Shards(folder, "tiny", fingerprint(exact, SCHEMES, SETTINGS))
    return collect(exact, PROMPTS, SCHEMES, SETTINGS, store, maker), digest(folder)


def assert_same(one, other):
    """Number by number first, so that a failure says where; then every byte of every file."""
    pd.testing.assert_frame_equal(one[0], other[0], check_exact=True)
    assert one[1] == other[1]


@pytest.fixture(scope="module")
def whole(exact, tmp_path_factory):
    return run(exact, tmp_path_factory.mktemp("here"), made)


def workers_of_ours():
    """The process ids of Ray's actors among our own descendants."""
    names, parents = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            names[int(folder.name)] = (folder / "cmdline").read_bytes()
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it has ended meanwhile

    def ours(process):
        return process == os.getpid() or (process in parents and ours(parents[process]))

    return [process for process, name in names.items() if name.startswith(b"ray::Worker") and ours(process)]


def test_one_worker_on_a_ray_of_its_own_makes_the_same_rows(exact, whole, tmp_path):
    import ray

    assert_same(run(exact, tmp_path, Pool(RECIPE, workers=1).made), whole)
    assert not ray.is_initialized(), "what was started is stopped"


def test_three_workers_one_of_which_dies_make_the_same_rows(cluster, exact, whole, tmp_path):
    killed = []

    def dying(*arguments):
        for pair in Pool(RECIPE, workers=3).made(*arguments):
            if not killed:
                killed.append(workers_of_ours()[0])
                os.kill(killed[0], signal.SIGKILL)
            yield pair

    assert_same(run(exact, tmp_path, dying), whole)
    assert killed


def test_a_worker_that_cannot_load_is_one_sentence(cluster, exact):
    nowhere = Recipe(PRESETS["smoke"], ("", "/nowhere", "/nowhere", "secret"))
    shards = shards_of(PROMPTS[:1], SCHEMES, SETTINGS)
    with pytest.raises(InputError, match=r"^Cannot read a causal language model from /nowhere") as refused:
        list(Pool(nowhere, workers=1).made(exact, shards, SETTINGS))
    assert "\n" not in str(refused.value)


def test_no_room_is_one_sentence(cluster, exact):
    shards = shards_of(PROMPTS[:1], SCHEMES, SETTINGS)
    with pytest.raises(InputError, match="No node of the Ray cluster has a CPU and 8 GPUs"):
        list(Pool(RECIPE, gpus=8).made(exact, shards, SETTINGS))


def test_room():
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 4.0}},
        {"Alive": True, "Resources": {"CPU": 2.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
    ]
    rooms = {gpus: Pool(RECIPE, gpus=gpus)._room(nodes) for gpus in (0, 0.5, 1, 3)}
    assert rooms == {0: 10, 0.5: 8, 1: 4, 3: 1}


def test_a_worker_with_other_models_is_refused(exact):
    shards = shards_of(PROMPTS[:1], SCHEMES, SETTINGS)
    expected = identity(exact, SETTINGS)
    assert len(Worker(RECIPE, expected, shards, SETTINGS).make(0)) == len(shards[0].schemes) * SETTINGS.samples
    with pytest.raises(InputError, match="give every node the same files"):
        Worker(RECIPE, ["other", *expected[1:]], shards, SETTINGS).make(0)


class Mortal:
    """As much of Ray as `_spread` uses; the workers given to some shards die, as often as is said."""

    class exceptions:  # noqa: N801 (Ray's name)
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            pass

    def __init__(self, deaths):
        self.deaths, self.started = dict(deaths), 0

    def start(self):
        self.started += 1
        remote = SimpleNamespace(remote=lambda number: (self.started, number, object()))
        return SimpleNamespace(make=remote)

    def wait(self, references, num_returns):
        return references[:num_returns], references[num_returns:]

    def get(self, reference):
        number = reference[1]
        if self.deaths.get(number):
            self.deaths[number] -= 1
            raise self.exceptions.RayError("The actor died unexpectedly.\nMore lines.")
        return f"rows {number}"

    def kill(self, worker):
        pass


def test_deaths_are_forgiven_a_few_times_a_shard():
    shards = list("abcde")
    ray = Mortal({1: RETRIES, 3: RETRIES})
    assert sorted(_spread(ray, ray.start, 2, shards)) == [(name, f"rows {i}") for i, name in enumerate(shards)]
    assert ray.started == 2 + 2 * RETRIES
    ray = Mortal({1: RETRIES + 1})
    with pytest.raises(InputError, match=r"4 Ray workers died over one shard \(The actor died unexpectedly\.\)"):
        list(_spread(ray, ray.start, 2, shards))


def test_a_cluster_that_is_not_there_is_one_sentence(exact, monkeypatch):
    """Nothing listens at port 1; and Ray's own refusals, of many lines, are cut to one."""

    class Refusing:
        is_initialized = staticmethod(lambda: False)

        @staticmethod
        def init(address, **_):
            raise ConnectionError(f"Could not find any running Ray instance at {address}.\nMore lines.")

    monkeypatch.setitem(sys.modules, "ray", Refusing)
    for address, why in (("127.0.0.1:1", "refused"), ("ray://127.0.0.1:1", "refused"), ("auto", "Could not find")):
        with pytest.raises(InputError, match=rf"Cannot reach Ray at {address} \(.*{why}") as refused:
            list(Pool(RECIPE, address).made(exact, shards_of(PROMPTS[:1], SCHEMES, SETTINGS), SETTINGS))
        assert "\n" not in str(refused.value)


def test_where_ray_is_absent_it_is_one_sentence(exact, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    shards = shards_of(PROMPTS[:1], SCHEMES, SETTINGS)
    with pytest.raises(InputError, match=r"pip install .decoding-tradeoffs\[scale\]"):
        list(Pool(RECIPE).made(exact, shards, SETTINGS))
    assert list(Pool(RECIPE).made(exact, [], SETTINGS)) == [], "nothing to make: nothing is started"
