"""From prompts and schemes to the study's rows: what is missing is drawn, scored and written, shard by shard."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import pandas as pd
from rich.progress import Progress

from empirical.engines.jobs import Answer, Engine, Job
from empirical.engines.llama import supports
from empirical.engines.torch import engine
from empirical.engines.vllm import VllmEngine, exported
from empirical.models import refuse_long
from empirical.precision import one_thread
from empirical.presets import Settings
from empirical.randomness import uniforms
from empirical.schemes import Scheme
from empirical.store import Shard, Shards
from empirical.studies.tradeoff import Triple, rows_of

SHARD_ROWS = 64  # at least so many answers a shard, schemes permitting: a worker that draws one fills its batch


class Maker(Protocol):
    """Makes the rows of some shards, here (`made`) or elsewhere, in whatever order they end."""

    def __call__(
        self, triple: Triple, shards: Sequence[Shard], settings: Settings
    ) -> Iterator[tuple[Shard, pd.DataFrame]]: ...


def shards_of(prompts: Sequence[str], schemes: Sequence[Scheme], settings: Settings) -> list[Shard]:
    """Every prompt under every group of schemes, prompt by prompt. The groups depend on the counts alone."""
    size = -(-SHARD_ROWS // settings.samples)
    groups = [tuple(schemes[first : first + size]) for first in range(0, len(schemes), size)]
    return [Shard(prompt, number, group, settings.samples) for prompt in prompts for number, group in enumerate(groups)]


def jobs_of(triple: Triple, shard: Shard, settings: Settings) -> list[Job]:
    """The jobs of one shard: every scheme's samples, one scheme after another."""
    ids = tuple(triple.aligned.prompt_ids(shard.prompt))
    return [
        Job(ids, scheme.adaptor, uniforms(settings.seed, shard.prompt, scheme.name, number, settings.max_new))
        for scheme in shard.schemes
        for number in range(shard.samples)
    ]


def identity(triple: Triple, settings: Settings) -> list[str]:
    """The models, how they open an answer, the reward and the engine: what a worker elsewhere must agree on."""
    network, models = triple.aligned.network, (triple.prior, triple.aligned)
    how = "vllm" if settings.backend.engine == "vllm" else "llama" if supports(network) else "portable"
    back_end = f"{how}:{network.dtype}"
    opened = [str(model.prompt_ids("a")) for model in models]
    return [
        *(model.sha256 for model in models),
        *opened,
        triple.reward.describe(),
        f"{back_end}:strict" if settings.strict else back_end,
    ]


def fingerprint(triple: Triple, schemes: Sequence[Scheme], settings: Settings) -> str:
    """What the rows depend on: a resumed run never mixes those of two triples, engines, seeds or scheme lists."""
    described = {
        "from": identity(triple, settings),
        "schemes": [[scheme.name, scheme.adaptor.name] for scheme in schemes],
        "draws": [settings.samples, settings.max_new, settings.seed],
    }
    return hashlib.blake2b(json.dumps(described).encode(), digest_size=16).hexdigest()


@contextmanager
def engine_for(triple: Triple, shards: Sequence[Shard], settings: Settings) -> Iterator[Engine]:
    """An engine that has room for the longest answer of any of the shards, for as long as it is needed."""
    longest = max(len(triple.aligned.prompt_ids(shard.prompt)) for shard in shards) + settings.max_new
    if settings.backend.engine == "torch":
        yield engine(triple.aligned, longest, settings.rows, strict=settings.strict)
        return
    with TemporaryDirectory() as scratch:
        size = {"longest": longest, "rows": settings.rows, "tensor_parallel": settings.backend.tensor_parallel}
        with VllmEngine(exported(triple.aligned, Path(scratch)), **size) as drawer:
            yield drawer


def made(
    triple: Triple, shards: Sequence[Shard], settings: Settings, drawer: Engine | None = None
) -> Iterator[tuple[Shard, pd.DataFrame]]:
    """Each shard with its rows, as soon as they are all there. Rows of all shards share the engine's batches."""
    if not shards:
        return
    cells = [jobs_of(triple, shard, settings) for shard in shards]
    places = [(place, row) for place, cell in enumerate(cells) for row in range(len(cell))]
    done = [dict[int, Answer]() for _ in shards]
    with nullcontext(drawer) if drawer else engine_for(triple, shards, settings) as drawing:
        for number, answer in drawing.stream([job for cell in cells for job in cell]):
            place, row = places[number]
            done[place][row] = answer
            if len(done[place]) == len(cells[place]):
                shard, answers = shards[place], [done[place].pop(row) for row in range(len(cells[place]))]
                with one_thread() if settings.strict else nullcontext():  # the reward's sums too
                    rows = rows_of(triple, shard.prompt, shard.schemes, answers, settings.strict)
                yield shard, rows


def collect(
    triple: Triple,
    prompts: Sequence[str],
    schemes: Sequence[Scheme],
    settings: Settings,
    store: Shards,
    maker: Maker = made,
) -> pd.DataFrame:
    """All rows of the study; only missing shards are made.

    Raises InputError if another run has the store, and where a prompt and its answer pass a model's context.
    """
    for model in (triple.prior, triple.aligned):
        refuse_long(model, prompts, settings.max_new)
    shards = shards_of(prompts, schemes, settings)
    with store.locked():
        missing = store.missing(shards)
        if missing:
            store.begin()
            with Progress(transient=True) as progress:
                making = maker(triple, missing, settings)
                for shard, rows in progress.track(making, len(missing), description=f"{triple.name}: shards"):
                    store.write(shard, rows)
        return store.finish(shards)
