"""How fast corpora are drawn: counts and sufficient statistics against the draw-by-draw recipe, in one process.

`python -m toy.benchmark` prints the table. Times depend on the machine and on what else runs; no test asserts them.
"""

import time

import numpy as np
import pandas as pd

from toy.corpora import corpus_means, replayed_counts, sampled_means
from toy.dirichlet import replayed_triple

COMMAND = "python -m toy.benchmark"
SLICE = 50


def benchmark(corpora: int = 1_000, size: int = 100_000, many: int = 100_000, recipe: int = SLICE) -> pd.DataFrame:
    """Wall time of the published recipe, of counts, and of many corpora: one row each.

    Columns: method, corpora, size, strings, seconds, measured_corpora (how many were really timed; `seconds` scales up
    from them), speed_up over the recipe per string, command. Raises ValueError on a size or a number below 1.
    """
    if min(corpora, size, many, recipe) < 1:
        raise ValueError("corpora, size, many and recipe must be at least 1.")
    triple = replayed_triple()
    statistics = np.stack([triple.log_prior, triple.reward])

    def one_by_one(number: int) -> None:
        corpus_means(triple, replayed_counts(triple.log_aligned, range(number), size))

    def counted(number: int) -> None:
        sampled_means(triple.log_aligned, statistics, number, size, np.random.Generator(np.random.Philox(0)))

    rows = []
    for method, draw, asked, timed in (
        ("draw by draw, as published", one_by_one, corpora, min(recipe, corpora)),
        ("counts", counted, corpora, corpora),
        ("counts", counted, many, many),
    ):
        start = time.perf_counter()
        draw(timed)
        seconds = (time.perf_counter() - start) * asked / timed
        rows.append((method, asked, size, asked * size, seconds, timed))
    columns = ["method", "corpora", "size", "strings", "seconds", "measured_corpora"]
    table = pd.DataFrame(rows, columns=columns)
    per_string = table["seconds"] / table["strings"]
    return table.assign(speed_up=per_string.iloc[0] / per_string, command=COMMAND)


if __name__ == "__main__":
    print(benchmark(recipe=1_000).to_string(index=False))
