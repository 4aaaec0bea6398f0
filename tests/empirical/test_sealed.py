"""Sealed bytes: equal rows give equal bytes, and no damage goes unseen."""

import io
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from empirical.errors import InputError
from empirical.rows import SCHEMA
from empirical.sealed import MARK, UnusableError, framed, rows_kept, seal, unframed, unseal


def rows(count=2):
    """Some rows with every column of the schema; one scheme is named like the seal's own mark."""
    rng = np.random.default_rng(count)
    return pd.DataFrame(
        {
            "prompt_id": "p",
            "scheme": [MARK.decode() if row % 2 else "a" for row in range(count)],
            "sample_id": np.arange(count, dtype=np.int32),
            "token_ids": [rng.integers(0, 9, 1 + row % 3).astype(np.int32) for row in range(count)],
            "finished": [row % 2 == 0 for row in range(count)],
            **{
                name: rng.standard_normal(count)
                for name in ("log_proposal", "log_kept", "log_aligned", "log_prior", "reward")
            },
        }
    )


SEALED = seal(rows(), '{"run": "sha256:"}')


@pytest.mark.parametrize("count", [1, 2, 70])
def test_round_trip(count):
    again, stamp = unseal(seal(rows(count), "made of this"))
    assert stamp == "made of this"
    assert list(again.columns) == SCHEMA.names
    assert [list(ids) for ids in again.token_ids] == [list(ids) for ids in rows(count).token_ids]
    pd.testing.assert_frame_equal(again.drop(columns="token_ids"), rows(count).drop(columns="token_ids"))


def test_it_is_plain_parquet():
    """Any reader opens it, and the types are those of the schema."""
    table = pq.read_table(io.BytesIO(SEALED))
    assert table.schema.names == SCHEMA.names
    assert [table.schema.field(name).type for name in ("sample_id", "finished", "reward")] == [
        SCHEMA.field(name).type for name in ("sample_id", "finished", "reward")
    ]


def test_equal_rows_give_equal_bytes_in_another_process():
    code = (
        "from hashlib import sha256; from tests.empirical.test_sealed import SEALED; print(sha256(SEALED).hexdigest())"
    )
    again = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == sha256(SEALED).hexdigest()
    assert seal(rows(), "another stamp") != SEALED


@given(st.integers(0, 8 * len(SEALED) - 1))
@example(8 * SEALED.rfind(MARK))
@example(8 * (SEALED.rfind(MARK) + len(MARK)))
@example(8 * len(SEALED) - 1)
def test_one_flipped_bit_is_seen(bit):
    """Anywhere: in a page, in the footer's statistics that no reader looks at, in the seal itself."""
    flipped = bytearray(SEALED)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(UnusableError, match="do not match"):
        unseal(bytes(flipped))


@given(st.integers(0, len(SEALED) - 1))
def test_a_cut_file_is_seen(length):
    for damaged in (SEALED[:length], SEALED[:length] + bytes(len(SEALED) - length), SEALED + bytes(1 + length)):
        with pytest.raises(UnusableError, match="do not match"):
            unseal(damaged)


def test_what_was_not_sealed_is_not_read():
    plain = io.BytesIO()
    rows().to_parquet(plain)
    for foreign in (b"", b"PAR1", plain.getvalue(), MARK, MARK + b"0" * 64):
        with pytest.raises(UnusableError, match="was not written here"):
            unseal(foreign)


def test_rows_are_made_once_and_again_where_they_are_spoilt(tmp_path, capsys):
    """Columns of any kind; a file under another's name is another's, and one without a seal nobody's."""
    path, made = tmp_path / "a" / "rows.parquet", []

    def make():
        made.append(
            pd.DataFrame({"word": ["x", None], "ids": [[1, 2], [3]], "value": [0.5, np.nan], "ok": [True, False]})
        )
        return made[-1]

    first = rows_kept(path, make)
    pd.testing.assert_frame_equal(rows_kept(path, make), first)
    assert first.word[0] == "x"
    assert [list(ids) for ids in first.ids] == [[1, 2], [3]]
    assert len(made) == 1
    assert capsys.readouterr().err == ""
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    first.to_parquet(plain := io.BytesIO())
    for spoilt in (bytes(flipped), whole[:-1], b"", plain.getvalue()):
        path.write_bytes(spoilt)
        pd.testing.assert_frame_equal(rows_kept(path, make), first)
        assert capsys.readouterr().err.startswith("rows.parquet is damaged or was not written here")
        assert path.read_bytes() == whole
    path.rename(tmp_path / "a" / "others.parquet")
    pd.testing.assert_frame_equal(rows_kept(tmp_path / "a" / "others.parquet", make), first)
    assert capsys.readouterr().err == "others.parquet holds other rows: made again.\n"
    assert len(made) == 6


def test_rows_that_cannot_be_written_are_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"^Cannot write .*rows.parquet \(.*\); free some space\.$"):
        rows_kept(tmp_path / "file" / "rows.parquet", rows)


@given(st.binary(max_size=200), st.data())
def test_a_flipped_bit_of_framed_bytes_is_seen(data, draw):
    whole = framed(data)
    assert unframed(whole) == data
    place = draw.draw(st.integers(0, 8 * len(whole) - 1))
    spoilt = bytearray(whole)
    spoilt[place // 8] ^= 1 << place % 8
    for wrong in (bytes(spoilt), whole[:-1], whole + b"0", data[:70], b""):
        with pytest.raises(UnusableError, match=r"do not match its SHA-256$"):
            unframed(wrong)
