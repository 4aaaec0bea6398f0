"""SHA-256 of every figure's PDF and PNG from the fixed tables.

`python -m tests.figures.hashes > hashes.json`, moved here: after a figure was changed on purpose, and its picture
looked at. FreeType and the fonts come with matplotlib, which is pinned.
"""

import hashlib
import json
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from figures import FIGURES, draw, style

FIXED = Path(__file__).parent / "tables"


def tables(name: str) -> list[pd.DataFrame]:
    """A figure's fixed tables: small runs of the exact worlds, a thinned default run, a made-up run of control."""
    return [pd.read_csv(FIXED / f"{table}.csv") for table in FIGURES[name].TABLES]


def hashes(names: list[str]) -> dict[str, str]:
    """File name -> SHA-256 of its bytes."""
    found = {}
    with TemporaryDirectory() as folder:
        for name in names:
            for path in style.save(draw(name, *tables(name)), Path(folder), name):
                found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="Of figures; else all.")
    print(json.dumps(hashes(parser.parse_args().names or list(FIGURES)), indent=1))
