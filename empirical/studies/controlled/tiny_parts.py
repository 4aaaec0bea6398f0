"""Parts on a tiny random model: every method of the study in seconds, for smoke runs and tests; they show nothing."""

from pathlib import Path

import torch

from empirical.models import LanguageModel, with_adapter
from empirical.prefix_scorers import PrefixScorer, new_scorer
from empirical.rewards import LengthReward, PreferenceHead
from empirical.studies.controlled.cells import DPO, FUDGE, HH, IPO, LENGTH, PPO, SUMMARY, TASKS, Q
from empirical.studies.controlled.parts import REWARD_OF, Parts, Source, Task
from empirical.tiny import HIDDEN, LAYERS, write_tiny_adapter

PROMPTS = ("one", "two or three", "four")


def tiny_parts(base: LanguageModel, folder: Path, max_new: int) -> Parts:
    """Random heads, scorers and adapters of a tiny base; the adapters are written to `folder`."""

    def source(seed: int) -> Source:
        at = write_tiny_adapter(base, folder / str(seed), seed)
        return Source(f"adapter {seed}", str(seed), lambda: with_adapter(base, at, f"adapter {seed}"))

    policies = {(task, method, 0.1): source(3) for task in TASKS for method in (PPO, DPO, IPO)}
    policies |= {(task, DPO, 0.5): source(4) for task in (LENGTH, HH)}
    scorers = {(task, name): _scorer(base, max_new, seed) for task in TASKS for seed, name in enumerate((Q, FUDGE))}
    tasks = (
        Task(LENGTH, PROMPTS, LengthReward(max_new), None),
        Task(HH, PROMPTS, _head(10, base), _head(11, base)),
        Task(SUMMARY, PROMPTS, _head(12, base), _head(13, base)),
    )
    return Parts(base, tasks, scorers, policies, source(5))


def _head(seed: int, base: LanguageModel) -> PreferenceHead:
    weight = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return PreferenceHead(weight, torch.zeros(HIDDEN), LAYERS, base.sha256)


def _scorer(base: LanguageModel, max_new: int, seed: int) -> PrefixScorer:
    made = new_scorer(base, dict.fromkeys(REWARD_OF.values(), "made up"), max_new, rank=4, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for layer in (made.level, made.query):
        layer.weight.data.normal_(std=0.1, generator=generator)
    return made.requires_grad_(False)
