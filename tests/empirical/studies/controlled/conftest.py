"""The study on the tiny model, run once."""

import pytest
import torch

from empirical.models import with_adapter
from empirical.prefix_scorers import new_scorer
from empirical.results import Results
from empirical.rewards import LengthReward, PreferenceHead
from empirical.studies.controlled import run
from empirical.studies.controlled.cells import DPO, FUDGE, HH, IPO, LENGTH, PPO, SUMMARY, TASKS, Q
from empirical.studies.controlled.parts import Parts, Source, Task
from empirical.studies.controlled.sizes import Size
from empirical.tiny import HIDDEN, LAYERS, write_tiny_adapter

SIZE = Size(
    prompts=3, answers=2, pool=16, opponents=4, max_new=6, block=2, K=(1, 4), K_answers=(4, 8, 16), M=(2, 4),
    strengths=(1.0,), weights=(0.5,), betas=2, rows=32, resamples=100,
)  # fmt: skip
PROMPTS = ("one", "two or three", "four")


def head(seed, model):
    weight = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return PreferenceHead(weight, torch.zeros(HIDDEN), LAYERS, model.sha256)


def scorer(model, seed):
    names = ("length", "preference", "finegrained")
    made = new_scorer(model, dict.fromkeys(names, "made up"), SIZE.max_new, rank=4, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for layer in (made.level, made.query):
        layer.weight.data.normal_(std=0.1, generator=generator)
    return made.requires_grad_(False)


@pytest.fixture(scope="session")
def parts(triple, tmp_path_factory):
    base, folder = triple.prior, tmp_path_factory.mktemp("adapters")

    def source(seed):
        at = write_tiny_adapter(base, folder / str(seed), seed)
        return Source(f"adapter {seed}", str(seed), lambda: with_adapter(base, at, f"adapter {seed}"))

    betas = {(task, method, 0.1): source(3) for task in TASKS for method in (PPO, DPO, IPO)}
    betas |= {(task, DPO, 0.5): source(4) for task in (LENGTH, HH)}
    scorers = {(task, name): scorer(base, seed) for task in TASKS for seed, name in enumerate((Q, FUDGE))}
    tasks = (
        Task(LENGTH, PROMPTS, LengthReward(SIZE.max_new), None),
        Task(HH, PROMPTS, head(10, base), head(11, base)),
        Task(SUMMARY, PROMPTS, head(12, base), head(13, base)),
    )
    return Parts(base, tasks, scorers, betas, source(5))


@pytest.fixture(scope="session")
def study(parts, tmp_path_factory):
    results = Results.open(tmp_path_factory.mktemp("controlled"), "tiny")
    return results, run.whole(results, parts, SIZE, 0, real=False)
