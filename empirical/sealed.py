"""Bytes that carry their own SHA-256, Parquet's within its footer, so that no damage goes unseen."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from empirical.errors import InputError
from empirical.rows import SCHEMA
from theory.files import replacing

MARK = b"sha256:"
BLANK = b"0" * hashlib.sha256().digest_size * 2


class UnusableError(Exception):
    """What is wrong with a file that was read, as the end of a sentence that begins with its name."""


def seal(rows: pd.DataFrame, stamp: str, schema: pa.Schema | None = SCHEMA) -> bytes:
    """The rows as Parquet, stamped with what they were made from; equal rows and stamps give equal bytes.

    schema: the columns and their types; None: those that the rows have.
    The seal is the SHA-256 of the whole file with its own 64 digits blank. Neither a date nor pandas' versions go in.
    """
    table = pa.Table.from_pandas(rows, schema, preserve_index=False).replace_schema_metadata(None)
    sink = pa.BufferOutputStream()
    fixed = {"version": "2.6", "data_page_version": "1.0", "compression": "zstd", "store_schema": False}
    with pq.ParquetWriter(sink, table.schema, **fixed) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"stamp": stamp, "seal": (MARK + BLANK).decode()})
    blank = sink.getvalue().to_pybytes()
    return _filled(blank, _digits(blank))


def unseal(data: bytes) -> tuple[pd.DataFrame, str]:
    """The rows and their stamp; raises UnusableError where one bit differs from what `seal` gave."""
    blank = _filled(data, BLANK)
    if MARK not in data or _filled(blank, _digits(blank)) != data:
        raise UnusableError("is damaged or was not written here: its bytes do not match its seal")
    table = pq.read_table(pa.BufferReader(data))
    return table.to_pandas(), table.schema.metadata[b"stamp"].decode()


def rows_kept(path: Path, make: Callable[[], pd.DataFrame], stamp: str = "") -> pd.DataFrame:
    """The rows in a sealed file; those of `make` where there is none, which are then kept there.

    stamp: what they are made from; the file's name, if that says it. A file that is damaged, unsealed or of another
    stamp is named and made again. Raises InputError where it cannot be written.
    """
    stamp = stamp or path.name
    try:
        rows, found = unseal(path.read_bytes())
        if found == stamp:
            return rows
        wrong = "holds other rows"
    except FileNotFoundError:
        wrong = ""
    except UnusableError as problem:
        wrong = str(problem)
    except OSError as problem:
        wrong = f"cannot be read ({problem.strerror or problem})"
    if wrong:
        Console(stderr=True).print(f"{path.name} {wrong}: made again.", soft_wrap=True, highlight=False)
    data = seal(make(), stamp, None)
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as problem:
        raise InputError(f"Cannot write {path} ({problem.strerror or problem}); free some space.") from problem
    return unseal(data)[0]


def framed(data: bytes) -> bytes:
    """Bytes of any kind with their SHA-256 behind them; readers of .npy do not look so far."""
    return data + MARK + _digits(data)


def unframed(data: bytes) -> bytes:
    """The bytes that `framed` was given; raises UnusableError where one bit differs."""
    bare = data[: -len(MARK + BLANK)]
    if framed(bare) != data:
        raise UnusableError("is damaged or was not written here: its bytes do not match its SHA-256")
    return bare


def _digits(blank: bytes) -> bytes:
    return hashlib.sha256(blank).hexdigest().encode()


def _filled(data: bytes, digits: bytes) -> bytes:
    """The bytes with these digits behind the last mark: the seal is the last of the footer's entries."""
    place = data.rfind(MARK) + len(MARK)
    return data[:place] + digits + data[place + len(digits) :]
