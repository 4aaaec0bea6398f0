"""Tables that the report shows and that are measured part by part: new rows take the place of old ones."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence


def updated(older: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]], by: Sequence[str]) -> str:
    """The older table (CSV, or empty) with these rows in the place of those that agree with one of them in `by`.

    New ones come last; who wants another order sorts the rows by their columns, see `in_order`.

    >>> updated("a,b\\n1,x\\n2,y\\n", ("a", "b"), [{"a": 1, "b": "z"}], ("a",)).splitlines()
    ['a,b', '2,y', '1,z']
    """
    new = [{name: str(row[name]) for name in columns} for row in rows]
    measured = {tuple(row[name] for name in by) for row in new}
    old = [row for row in csv.DictReader(io.StringIO(older)) if tuple(row[name] for name in by) not in measured]
    return written(columns, [*old, *new])


def in_order(table: str, by: Sequence[str]) -> str:
    """The table with its rows sorted by some columns; those that agree in these stay as they were."""
    rows = csv.DictReader(io.StringIO(table))
    return written(rows.fieldnames or (), sorted(rows, key=lambda row: [row[name] for name in by]))


def written(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as CSV."""
    writer = csv.DictWriter(text := io.StringIO(), columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
