"""Every fault at a few points, and for each a planted wrong program that the same check must not pass.

Few points have little power: a fault that strikes at one moment in fifty is for `python -m tests.faults`.
"""

import contextlib
import csv
import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import paper_repro
from empirical import fetch, sealed, store
from empirical.studies import prediction
from tests.empirical.fuse import Fuse
from tests.empirical.kill_points import in_place
from tests.faults.__main__ import COLUMNS, TABLE, table
from tests.faults.clocks import clock_jumps, little_memory
from tests.faults.damage import SOURCE, downloads, stored
from tests.faults.disks import full_disk, no_writing
from tests.faults.killing import kills
from tests.faults.together import two_at_once
from tests.faults.world import Row, World, run
from theory import files


@pytest.fixture(scope="module")
def world():
    made = World.undisturbed()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("fault", "points"),
    [
        (kills, 2),
        (full_disk, 1),
        (no_writing, 5),
        (downloads, 200),
        (stored, 1),
        (two_at_once, 2),
        (clock_jumps, 1),
        (little_memory, 1),
    ],
)
def test_nothing_is_lost_and_nothing_wrong_taken(world, fault, points):
    found = fault(world, points, seed=1)
    assert found.sound, found
    assert found.what


def test_files_written_in_place_are_noticed(world):
    """The control of kill -9, at the step in the middle of a write; the writer we have stands the same step."""
    row = Row("killed in a write")
    for plant in (lambda: None, lambda: setattr(files, "replacing", in_place)):
        folder = world.fresh()
        assert run(folder, lambda plant=plant: (plant(), Fuse(2, ("write",)).lit())).status == -9
        assert row.sound or not row.points
        row.judge(world, folder)
    assert row.wrong == 1


def careless():
    """Writers in place that say nothing of a full disk."""

    @contextlib.contextmanager
    def replacing(target):
        with contextlib.suppress(OSError), in_place(target):
            yield target

    files.replacing = store.replacing = prediction.replacing = replacing


def no_sentence():
    def raise_it(target, problem):
        raise AssertionError from problem

    fetch._unwritable = raise_it


def no_lock():
    store._hold = lambda file, folder: None


def trusts_dates():
    """A store that takes files with a date it cannot believe for missing."""
    read = store.Shards.read

    def dated(shards, shard):
        if shards.path(shard).exists() and not 1e9 < shards.path(shard).stat().st_mtime < 4e9:
            raise FileNotFoundError
        return read(shards, shard)

    store.Shards.read = dated


def no_look_at_memory():
    paper_repro._refuse_without_memory = lambda *given, **more: None


@pytest.mark.parametrize(
    ("fault", "plant"),
    [
        (full_disk, careless),
        (no_writing, no_sentence),
        (two_at_once, no_lock),
        (clock_jumps, trusts_dates),
        (little_memory, no_look_at_memory),
    ],
)
def test_a_planted_wrong_program_is_noticed(world, fault, plant):
    assert not fault(world, 1, plant=plant).sound


def test_unhashed_downloads_are_noticed(world, monkeypatch):
    monkeypatch.setattr(fetch, "sha256", lambda path: SOURCE.sha256)
    assert downloads(world, 30).wrong


def test_unsealed_rows_are_noticed(world):
    """Rows of another reward in a file that is a good Parquet file, and a reader that does not look at the seal."""

    def altered(data, rng):
        if data[:4] != b"PAR1":
            return data
        found = pq.read_table(io.BytesIO(data))
        rows = found.to_pandas().assign(reward=lambda rows: rows.reward + rng.random())
        changed = pa.Table.from_pandas(rows, sealed.SCHEMA, preserve_index=False).replace_schema_metadata(None)
        pq.write_table(changed.replace_schema_metadata(found.schema.metadata), written := io.BytesIO())
        return written.getvalue()

    def trusting():
        def read(data):
            found = pq.read_table(io.BytesIO(data))
            return found.to_pandas(), found.schema.metadata[b"stamp"].decode()

        store.unseal = read

    assert not stored(world, 2, seed=5, plant=trusting, spoil=altered).sound


def test_the_stored_table_is_of_a_sound_run():
    found = pd.read_csv(TABLE)
    assert list(found) == list(COLUMNS)
    assert len(found) == 8
    assert not found.lost.any()
    assert not found.wrong.any()
    assert found.same_tables.all()
    assert found.points[found.fault == "kill -9"].item() >= 100
    assert table([Row("a", 1, what="x, y")]) == 'fault,points,lost,wrong,same_tables,what\na,1,0,0,true,"x, y"\n'
    assert next(csv.reader(io.StringIO(TABLE.read_text()))) == list(COLUMNS)
