"""The exact worlds by target name; each gives its tables."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

import pandas as pd

from toy import adaptor_control, concentration, controlled, guidance_tradeoffs, reversal, simpson

Tables = dict[str, pd.DataFrame]

EXPERIMENTS: dict[str, Callable[[int, bool], Tables]] = {
    "toy.controlled": controlled.run,
    "toy.reversal": reversal.run,
    "toy.simpson": simpson.run,
    "toy.evidence": guidance_tradeoffs.run,
    "toy.adaptors": adaptor_control.run,
    "toy.concentration": concentration.run,
}
"""Target -> run(seed, small), the longest first; `small` is the size of a test, a few seconds at most."""


def run_all(names: Sequence[str], seed: int, small: bool) -> Iterator[tuple[str, Tables]]:
    """Each experiment's name and tables, as it is done, in as many processes as there are processors."""
    with ProcessPoolExecutor() as pool:
        running = {pool.submit(EXPERIMENTS[name], seed, small): name for name in names}
        for done in as_completed(running):
            yield running[done], done.result()
