"""Many claims at once, in as many processes as there are processors; each entry is what a run alone would give."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module

from theory.ledger import REGISTRY, Claim, Entry, verify

FEW = 8
"""Below this many claims a second process costs more than it saves."""


def verify_all(claims: Sequence[Claim], seed: int = 0) -> Iterator[Entry]:
    """Each claim's entry, as it is done; claims of one module share a process, and with it what they have cached.

    The draws of a claim depend on (seed, id) alone, so the entries are those of `theory.ledger.verify`, in any order.
    """
    modules: dict[str, list[str]] = {}
    for claim in claims:
        modules.setdefault(claim.evidence.__module__, []).append(claim.id)
    if len(claims) < FEW or (os.cpu_count() or 1) == 1:
        yield from (verify(claim, seed) for claim in claims)
        return
    with ProcessPoolExecutor() as pool:
        for done in as_completed([pool.submit(_verify_module, name, ids, seed) for name, ids in modules.items()]):
            yield from done.result()


def _verify_module(name: str, ids: Sequence[str], seed: int) -> list[Entry]:
    """The entries of one module's claims, which travel by name: their evidence functions cannot be pickled."""
    import_module(name)
    return [verify(REGISTRY[id], seed) for id in ids]
