"""The corpus row: one drawn answer with every log-probability a study needs, kept as Parquet, one shard a prompt."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from empirical.errors import InputError
from theory.files import replacing

SCHEMA = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("scheme", pa.string()),
        ("sample_id", pa.int32()),
        ("token_ids", pa.list_(pa.int32())),  # the answer's natural tokens, EOS included where it was drawn
        ("finished", pa.bool_()),  # False: cut at the length limit, and scored as the prefix it is
        ("log_proposal", pa.float64()),  # sum of log q under the locally normalised scheme that drew it
        ("log_kept", pa.float64()),  # sum of log Z_t: the log-weight towards the global scheme
        ("log_aligned", pa.float64()),  # sum of log p_plus(. | prompt) at temperature 1
        ("log_prior", pa.float64()),  # sum of log p(. | prompt)
        ("reward", pa.float64()),
    ]
)
KEY = b"fingerprint"


@dataclass(frozen=True)
class Shards:
    """The shards of one run: `<folder>/<triple>-<prompt_id>.parquet`, each stamped with what it was made from."""

    folder: Path
    triple: str
    fingerprint: str

    def path(self, prompt_id: str) -> Path:
        """Where the rows of one prompt are kept."""
        return self.folder / f"{self.triple}-{prompt_id}.parquet"

    def read(self, prompt_id: str) -> pd.DataFrame | None:
        """The rows of one prompt, or None where they are missing, damaged or made from something else."""
        try:
            table = pq.read_table(self.path(prompt_id))
        except (OSError, pa.ArrowException):
            return None
        stamped = (table.schema.metadata or {}).get(KEY, b"").decode()
        if stamped != self.fingerprint or table.schema.names != SCHEMA.names:
            return None
        return table.to_pandas()

    def write(self, prompt_id: str, rows: pd.DataFrame) -> None:
        """Write one prompt's rows so that a reader sees all of them or none."""
        table = pa.Table.from_pandas(rows, SCHEMA.with_metadata({KEY: self.fingerprint.encode()}), preserve_index=False)
        path = self.path(prompt_id)
        try:
            with replacing(path) as temporary:
                pq.write_table(table, temporary)
        except OSError as problem:
            raise InputError(
                f"Cannot write {path} ({problem.strerror or problem}); free some space or choose another --out."
            ) from problem
