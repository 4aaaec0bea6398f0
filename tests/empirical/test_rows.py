"""Shards: whole or absent, and never mixed between runs."""

import numpy as np
import pandas as pd
import pytest

from empirical.errors import InputError
from empirical.rows import SCHEMA, Shards


def rows():
    return pd.DataFrame(
        {
            "prompt_id": "p",
            "scheme": ["a", "b"],
            "sample_id": np.array([0, 1], dtype=np.int32),
            "token_ids": [[1, 2], [3]],
            "finished": [True, False],
            **{name: [0.5, -1.5] for name in ("log_proposal", "log_kept", "log_aligned", "log_prior", "reward")},
        }
    )


def test_round_trip(tmp_path):
    shards = Shards(tmp_path / "new", "tiny", "f1")
    shards.write("p", rows())
    again = shards.read("p")
    assert list(again.columns) == SCHEMA.names
    assert [list(ids) for ids in again.token_ids] == [[1, 2], [3]]
    pd.testing.assert_frame_equal(again.drop(columns="token_ids"), rows().drop(columns="token_ids"))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["tiny-p.parquet"]


def test_another_fingerprint_is_not_read(tmp_path):
    Shards(tmp_path, "tiny", "f1").write("p", rows())
    assert Shards(tmp_path, "tiny", "f2").read("p") is None


def test_a_damaged_shard_is_not_read(tmp_path):
    shards = Shards(tmp_path, "tiny", "f1")
    assert shards.read("p") is None
    shards.write("p", rows())
    path = shards.path("p")
    path.write_bytes(path.read_bytes()[:-20])
    assert shards.read("p") is None


def test_unwritable(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match="--out"):
        Shards(blocked, "tiny", "f1").write("p", rows())
