"""From a setting to its scored answers: one row an answer, with all that KL, reward and win rate are computed from."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch

from empirical.control import Answer, Control, block_jobs, blockwise, token_jobs, tokenwise
from empirical.judging.block_kl import by_block_ranks
from empirical.models import LanguageModel
from empirical.policy_gradient import step_figures
from empirical.scored import Floats, Reward, Scored, rewards_of
from empirical.scoring import Scores, score
from empirical.studies.controlled.cells import BLOCKS, HH, LENGTH, ON_DPO, TOKENS
from empirical.studies.controlled.parts import Parts, Task
from empirical.studies.controlled.settings import OPPONENTS, POOL, Setting, count
from empirical.studies.controlled.sizes import Size

CHUNK = 8  # answers a pass of two laws over the vocabulary
SAMPLED = (POOL, ON_DPO + POOL, OPPONENTS)


@dataclass(frozen=True)
class Spread:
    """Standard deviations of rewards within a prompt, over the base's answers: what makes knobs free of units."""

    of: dict[str, float] = field(default_factory=dict)

    def strength(self, task: str, strength: float) -> float:
        """lambda."""
        return strength / self.of[task]

    def weight(self, weight: float) -> float:
        """The weight of the length's value beside that of helpfulness, to be taken off."""
        return weight * self.of[HH] / self.of[f"{LENGTH} in {HH}"]

    def learn(self, task: str, pool: pd.DataFrame, max_new: int) -> None:
        """Note a task's spread, and that of its answers' log-lengths, from the base's answers."""
        lengths = np.log(pool.token_ids.map(len) / max_new)
        for name, values in ((task, pool.reward), (f"{LENGTH} in {task}", lengths)):
            self.of[name] = float(np.sqrt(values.groupby(pool.prompt).var(ddof=1).mean())) or 1.0  # none: no matter


def answer(
    parts: Parts, task: Task, setting: Setting, size: Size, model: LanguageModel, spread: Spread
) -> list[list[Answer]]:
    """The answers to every prompt of a task; `model`: what is drawn from."""
    seed, steps, answers = size.seed, size.max_new, count(setting, size)
    base = None if model is parts.base else parts.base  # whose states the scorer reads
    method = setting.method.removeprefix(ON_DPO)
    if method == BLOCKS:
        weights, K, M = _weights(parts, setting, spread), setting.candidates, int(setting.M or steps)  # noqa: N806
        jobs = [block_jobs(model, one, answers, steps, K, M, weights, seed=seed) for one in task.prompts]
        scorer = parts.scorers[task.name, setting.scorer]
        drawn = blockwise(model, scorer, [job for some in jobs for job in some], base, rows=size.rows)
        return _grouped(drawn, answers)
    if method == TOKENS:
        control = Control(spread.strength(task.name, setting.value or 0.0), _weights(parts, setting, spread))
        plain = [token_jobs(model, one, answers, steps, control, seed=seed) for one in task.prompts]
        scorer = parts.scorers[task.name, setting.scorer]
        return _grouped(tokenwise(model, scorer, [job for some in plain for job in some], base, size.rows), answers)
    # Pools and opponents have uniforms of their own: no answer may meet itself as its opponent.
    scheme = {"scheme": method} if setting.method in SAMPLED else {}
    plain = [token_jobs(model, one, answers, steps, seed=seed, **scheme) for one in task.prompts]
    return _grouped(tokenwise(model, None, [job for some in plain for job in some], rows=size.rows), answers)


def _weights(parts: Parts, setting: Setting, spread: Spread) -> tuple[float, ...]:
    """Of the scorer's rewards: one for the task's own, and for the length that which a setting takes off."""
    names = parts.scorers[setting.task, setting.scorer].about.rewards
    weights = dict.fromkeys(names, 0.0) | {names[parts.place(setting.task, setting.scorer)]: 1.0}
    if setting.weight:
        if "length" not in weights:
            raise ValueError(f"The {setting.scorer} scorer of {setting.task} values no length to weigh against it.")
        weights["length"] -= spread.weight(setting.weight)
    return tuple(weights.values())


def _grouped(drawn: Sequence[Answer], count: int) -> list[list[Answer]]:
    return [list(drawn[first : first + count]) for first in range(0, len(drawn), count)]


def rows_of(
    parts: Parts, task: Task, setting: Setting, model: LanguageModel, drawn: list[list[Answer]]
) -> pd.DataFrame:
    """One row an answer.

    prompt (its number), sample_id, token_ids, finished, reward, judged (NaN without a judge); in nats log_model (of
    what it was drawn from), log_prior (of the base), kl (exact steps to the base, tokenwise and trained policies), and
    kl_blocks (by the ranks of the candidates of its blocks): NaN where it has none.
    """
    frames = []
    for number, (prompt, answers) in enumerate(zip(task.prompts, drawn, strict=True)):
        token_ids = [one.token_ids for one in answers]
        log_prior, reward, judged = gauged(parts.base, task, prompt, answers)
        frames.append(
            pd.DataFrame(
                {
                    "prompt": number,
                    "sample_id": range(len(answers)),
                    "token_ids": token_ids,
                    "finished": [one.finished for one in answers],
                    "reward": reward,
                    "judged": judged,
                    "log_model": [one.log_model for one in answers],
                    "log_prior": log_prior,
                    "kl": _exact(parts, setting, model, prompt, answers),
                    "kl_blocks": [blocks_kl(one) for one in answers],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def gauged(base: LanguageModel, task: Task, prompt: str, answers: Sequence[Answer]) -> tuple[Floats, Floats, Floats]:
    """log p under the base, the reward and the judge's score of each answer to a prompt, [n] each."""
    token_ids, layers = [one.token_ids for one in answers], dict[int | None, Scores]()
    log_model = np.array([one.log_model for one in answers])

    def scores(layer: int | None) -> Scores:
        if layer not in layers:
            layers[layer] = score(base, base.prompt_ids(prompt), token_ids, layer)
        return layers[layer]

    def of(head: Reward) -> Floats:
        found = scores(head.layer)
        log_prior = found.log_prob.double().cpu().numpy()
        return rewards_of(head, Scored(prompt, token_ids, found.features, log_prior, log_model))

    reward = of(task.reward)
    judged = of(task.judge) if task.judge is not None else np.full(len(reward), np.nan)
    return next(iter(layers.values())).log_prob.double().cpu().numpy(), reward, judged


def _exact(parts: Parts, setting: Setting, model: LanguageModel, prompt: str, answers: Sequence[Answer]) -> Floats:
    """Exact steps' KL summed along each answer: the engine's own under control, by another pass for an adapter's."""
    if setting.method == TOKENS:
        return np.array([one.kl if one.kl is not None else np.nan for one in answers])
    if setting.method in (BLOCKS, *SAMPLED, ON_DPO + BLOCKS):
        return np.full(len(answers), np.nan)
    ids, token_ids = model.prompt_ids(prompt), [one.token_ids for one in answers]
    with torch.inference_mode():
        parts_ = [
            step_figures(model.network, parts.base.network, ids, token_ids[first : first + CHUNK])[1].double().sum(1)
            for first in range(0, len(token_ids), CHUNK)
        ]
    return torch.cat(parts_).cpu().numpy()


def blocks_kl(one: Answer) -> float:
    """The KL of each block's choice by the ranks of its candidates, summed over the blocks; NaN without any."""
    scores = getattr(one, "scores", None)
    return by_block_ranks(scores, len(scores[0])) if scores else float("nan")
