"""The kernels' bits do not depend on who compiled them, nor on which of them a process called first.

A helper that stays a function of its own is compiled once for itself and once inside each caller; which copy a process
runs then depends on what its cache held. So every helper is inlined, and a process that compiles gives the bits of one
that reads the cache.
"""

import importlib
import os
import subprocess
import sys

import pytest
from numba.core.registry import CPUDispatcher

MODULES = ["engines.attention", "engines.forced", "engines.kernel", "engines.tilted", "guidance.kernel"]
ENTRIES = {"_attend", "_force", "_draw"}
SCRIPT = """
import hashlib, sys
import numpy as np, torch
from empirical.engines import kernel, tilted
from empirical.engines.attention import SharedPrompts
from empirical.engines.forced import forced
from empirical.engines.slots import Prefix
from empirical.schemes import study_schemes

random = np.random.default_rng(0)
rows, V = 31, 500
logits, values = random.normal(size=(rows, V)) * 3, random.normal(size=(rows, V))
uniforms, tokens = random.random(rows), torch.as_tensor(random.integers(V, size=rows))
rules = [scheme.adaptor for scheme in study_schemes()]
recipes = np.array([kernel.recipe(rule) for rule in rules])
cache, heads, turns = (torch.as_tensor(random.normal(size=size)) for size in ((1, 2, 2, 9, 24), (3, 8, 24), (2, 3, 24)))


def drawn():
    return vars(kernel.draw(logits, recipes, uniforms)).values()


def steered():
    return vars(tilted.draw(logits, values, np.ones(rows), recipes, uniforms)).values()


def scored():
    return forced(torch.as_tensor(logits), tokens, rules)


def attended():
    kept = SharedPrompts((1, 2, 24), 3, 20, torch.float64)
    kept.place(Prefix(cache, torch.zeros(1)), [0, 1, 2])
    steps = [kept.attend(0, heads, *turns, torch.full((3,), 9 + step)) for step in range(7)]
    return steps


works = [drawn, steered, scored, attended]
order = range(4) if sys.argv[1] == "forwards" else range(3, -1, -1)
found = {k: b"".join(np.ascontiguousarray(part).tobytes() for part in works[k]()) for k in order}
print(hashlib.sha256(b"".join(found[k] for k in range(4))).hexdigest())
"""


def bits(cache, order, script=SCRIPT):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", script, order], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_process_that_compiles_gives_the_bits_of_one_that_reads_the_cache(tmp_path):
    compiled = bits(tmp_path / "one", "forwards")
    assert len(compiled) == 64
    assert bits(tmp_path / "one", "forwards") == compiled, "the same kernels, read from the cache"
    assert bits(tmp_path / "one", "backwards") == compiled
    assert bits(tmp_path / "two", "backwards") == compiled, "compiled in another order"


@pytest.mark.parametrize("name", MODULES)
def test_every_helper_is_inlined(name):
    module = importlib.import_module(f"empirical.{name}")
    found = {key: one for key, one in vars(module).items() if isinstance(one, CPUDispatcher)}
    assert set(found) & ENTRIES, "each module has an entry"
    for key, one in found.items():
        options = one.targetoptions
        assert key in ENTRIES or options.get("forceinline") or options.get("inline") == "always", key
