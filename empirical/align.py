"""Make the shipped adapter: `python -m empirical.align --reward DIR --out DIR` (about half an hour on two cores)."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from empirical.alignment import Recipe, align, draw_pool
from empirical.engines.jobs import Job, answers
from empirical.engines.torch import engine
from empirical.models import LanguageModel, default_prior, with_adapter
from empirical.precision import use_fast_float32
from empirical.prompts import alignment_prompts, study_prompts
from empirical.randomness import uniforms
from empirical.rewards import PreferenceHead, load_head
from empirical.scoring import score
from theory.adaptors import ancestral


def main(
    reward: Annotated[Path, typer.Option(help="Folder of the preference head.")],
    out: Annotated[Path, typer.Option(help="Where the adapter goes.")],
    beta: Annotated[float, typer.Option(help="Strength of the KL penalty; smaller moves further.")] = 0.1,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 180,
    prompts: Annotated[int, typer.Option(help="Prompts to train on.")] = 40,
    evaluate: Annotated[int, typer.Option(help="Held-out prompts to measure KL and reward on.")] = 12,
    seed: int = 0,
) -> None:
    """Sample the prior, train the adapter on its own samples, measure it on prompts it has not seen."""
    start = time.perf_counter()
    precision = use_fast_float32()
    recipe = Recipe(beta=beta, steps=steps, seed=seed)
    prior, head = default_prior(), load_head(reward)
    pools = [draw_pool(prior, head, prompt, recipe) for prompt in alignment_prompts()[:prompts]]
    spread = float(np.mean([pool.reward.std().item() for pool in pools]))
    print(f"{len(pools)} pools, reward spread within a prompt {spread:.3f}", flush=True)
    losses = align(default_prior(), pools, recipe, out)
    aligned = with_adapter(prior, out, "aligned")
    before, after = (measure(model, prior, head, study_prompts(evaluate), seed) for model in (prior, aligned))
    log = {
        **asdict(recipe),
        "command": f"python -m empirical.align --beta {beta:g} --steps {steps} --seed {seed}",
        "prior_sha256": prior.sha256,
        "reward_spread_within_prompt": spread,
        "loss_first_last_20": [float(np.mean(losses[:20])), float(np.mean(losses[-20:]))],
        "held_out_prior": before,
        "held_out_aligned": after,
        "float32": precision,
        "minutes": round((time.perf_counter() - start) / 60, 1),
    }
    (out / "log.json").write_text(json.dumps(log, indent=1), encoding="utf-8")
    print(json.dumps(log))


def measure(
    model: LanguageModel, prior: LanguageModel, head: PreferenceHead, prompts: Sequence[str], seed: int
) -> dict[str, float]:
    """KL(model || prior) by the model's own samples, mean reward, share finished, and how far the secret reward agrees.

    secret_correlation: within-prompt Pearson correlation of log(model / prior) with the reward; 1 at p e^(r / beta).
    """
    ratios, rewards, finished = [], [], []
    ids = [tuple(model.prompt_ids(prompt)) for prompt in prompts]
    sampler = engine(model, max(map(len, ids)) + 32)
    for prompt, opening in zip(prompts, ids, strict=True):
        draws = [uniforms(seed, prompt, "measure", number, 32) for number in range(16)]
        drawn = answers(sampler, [Job(opening, ancestral(), draw) for draw in draws])
        scores = score(prior, prior.prompt_ids(prompt), [answer.token_ids for answer in drawn], head.layer)
        assert scores.features is not None
        ratios.append(torch.tensor([answer.log_model for answer in drawn]) - scores.log_prob)
        rewards.append(head(scores.features))
        finished.append(np.mean([answer.finished for answer in drawn]))
    by_prompt = torch.stack([ratio.mean() for ratio in ratios])
    a, b = (torch.cat([row - row.mean() for row in rows]) for rows in (ratios, rewards))
    return {
        "kl": float(by_prompt.mean()),
        "kl_standard_error": float(by_prompt.std() / len(by_prompt) ** 0.5),
        "reward": float(torch.cat(rewards).mean()),
        "finished": float(np.mean(finished)),
        "secret_correlation": float((a @ b) / (a.norm() * b.norm()).clamp(min=1e-12)),
    }


if __name__ == "__main__":
    typer.run(main)
