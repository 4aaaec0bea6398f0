"""Memory and disk: against real checkpoints, caches and Parquet files; and the advice where a run does not fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import DynamicCache

from empirical.models import load
from empirical.planning.cost import Run
from empirical.planning.footprint import disk, divides, memory, what_fits
from empirical.planning.hardware import DEVICES, SIZES, Hardware
from empirical.planning.shapes import NAMED, shape_of
from empirical.rows import SCHEMA
from empirical.schemes import study_schemes
from empirical.sealed import seal

LLAMA = NAMED["llama-2-7b"]
RUN = Run(100, 31, 20, 211, 45)


@torch.inference_mode()
def test_against_the_tiny_model(tiny_folder):
    """Its weights as loaded, and a cache of 3 rows of 5 + 4 tokens, byte for byte."""
    model, shape = load(tiny_folder / "prior"), shape_of(str(tiny_folder / "prior"))
    parts = memory(shape, Run(1, 3, 1, 4, 5, rows=3))
    assert parts["prior"] == parts["aligned"] == sum(one.nbytes for one in model.network.parameters())
    cache = DynamicCache(config=model.network.config)
    model.network(torch.zeros(3, 9, dtype=torch.long), past_key_values=cache)
    held = sum(part.nbytes for layer in cache.layers for part in (layer.keys, layer.values))
    assert parts["cache"] == held


def test_llama_by_hand():
    """6.74 G parameters: 27.0 GB in float32, 13.5 GB in bfloat16; 524,288 bytes of bfloat16 cache a token."""
    parts = memory(LLAMA, replace(RUN, dtype="bfloat16", score_dtype="bfloat16"), LLAMA)
    assert parts["prior"] == parts["reward model"] == 13_476_831_232
    assert parts["cache"] == 64 * 256 * 524_288
    # A copy has no embedding of its own, and its head in float32 is as large as both in bfloat16.
    assert parts["its copy"] == parts["prior's copy"] == parts["prior"]
    # 1,024 positions are read together: of five rows, as 1,024 = 4 x 211 + 180, each with the cache of one layer.
    assert parts["activations"] == 2 * 1024 * (3 * 11008 + 4 * 4096) + 5 * 256 * 524_288 / 32
    assert memory(LLAMA, RUN)["prior"] == 4 * 6_738_415_616
    assert memory(LLAMA, RUN)["reward model"] == 0


@given(
    st.sampled_from(list(NAMED)),
    st.sampled_from(["bfloat16", "float32"]),
    st.integers(1, 200),
    st.integers(1, 500),
    st.booleans(),
)
def test_peak(name, dtype, rows, new, rewarded):
    """The sum of its parts; smaller with more devices, larger with more rows, tokens and bytes a number."""
    shape, run = NAMED[name], Run(1, 1, 1, new, 45, rows, dtype)
    reward = shape if rewarded else None
    parts = memory(shape, run, reward)
    peak = parts.pop("peak")
    assert peak == pytest.approx(sum(parts.values()))
    assert memory(shape, run, reward, 2)["peak"] < peak
    for more in (replace(run, rows=rows + 1), replace(run, new=new + 1)):
        assert memory(shape, more, reward)["peak"] > peak
    assert memory(shape, replace(run, dtype="float64"), reward)["peak"] > peak


def test_the_advice_makes_it_fit():
    """Each change alone is enough, and half the change is not."""
    room = 72e9
    device = Hardware("card", DEVICES["a100"].flops, 1e12, room)
    run = replace(RUN, dtype="bfloat16", score_dtype="bfloat16")
    assert memory(LLAMA, run, LLAMA)["peak"] > room
    ways = what_fits(LLAMA, run, LLAMA, device, 1)
    assert [way.split()[0] for way in ways] == ["--rows", "--tensor-parallel"]
    rows, split = (int(way.split()[1]) for way in ways)
    assert memory(LLAMA, replace(run, rows=rows), LLAMA)["peak"] <= room
    assert memory(LLAMA, replace(run, rows=2 * rows), LLAMA)["peak"] > room or 2 * rows == run.rows
    assert memory(LLAMA, run, LLAMA, split)["peak"] <= room
    assert divides(LLAMA, split)
    half = replace(RUN, rows=1)
    assert "--dtype bfloat16 --score-dtype bfloat16" in what_fits(LLAMA, half, LLAMA, DEVICES["h100"], 1)
    assert what_fits(LLAMA, RUN, LLAMA, replace(device, memory=1e6), 1) == []


def test_heads_are_shared_evenly():
    assert [split for split in range(1, 10) if divides(NAMED["mistral-7b"], split)] == [1, 2, 4, 8]
    assert [split for split in range(1, 10) if divides(NAMED["smollm2-135m"], split)] == [1, 3]


@pytest.mark.parametrize(("samples", "new", "vocabulary"), [(4, 32, 49152), (20, 256, 32000), (2, 8, 97), (64, 1, 50)])
def test_the_store_is_at_most_what_is_priced(samples, new, vocabulary):
    """Uniform tokens and full-length answers, which compress worst; the price is at most thrice that.

    The thrice is for small shards, where the footer that is charged by its upper limit is most of the file.
    """
    random, schemes = np.random.default_rng(0), study_schemes()
    run = Run(1, len(schemes), samples, new, 45)
    size = -(-len(schemes) // run.shards)
    written = 0
    for first in range(0, len(schemes), size):
        names = [scheme.name for scheme in schemes[first : first + size] for _ in range(samples)]
        figures = {name: random.normal(size=len(names)) for name in SCHEMA.names[5:]}
        rows = pd.DataFrame(
            {
                "prompt_id": "0123456789ab",
                "scheme": names,
                "sample_id": np.arange(len(names), dtype=np.int32) % samples,
                "token_ids": list(random.integers(0, vocabulary, (len(names), new), dtype=np.int32)),
                "finished": random.random(len(names)) < 0.5,
                **figures,
            }
        )
        written += len(seal(rows, "x" * 600))
    assert written <= disk(run) <= 3 * written
    assert not written <= disk(run) / 4  # a slip of a factor of four would be noticed even here


def test_sizes_of_every_dtype_are_known():
    assert {memory(LLAMA, replace(RUN, dtype=dtype))["cache"] for dtype in SIZES} == {
        size * 2 * 32 * 4096 * 64 * 256 for size in (2, 4, 8)
    }
