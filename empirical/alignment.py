"""Align a prior with a reward by direct preference optimisation on its own samples, as a LoRA adapter.

The loss is DPO's with the Bradley-Terry probabilities themselves as labels, over all pairs of a prompt's answers:

    - sum_{i<j} [ s_ij log sigmoid(beta d_ij) + (1 - s_ij) log sigmoid(-beta d_ij) ],
    s_ij = sigmoid(r_i - r_j),  d_ij = log(pi/p)(y_i) - log(pi/p)(y_j),

whose unconstrained minimiser is pi = p e^(r / beta) / Z (Rafailov et al. 2023; Tan et al., equations 1 and 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from rich.progress import track

from empirical.engines.jobs import Job
from empirical.engines.torch import sample
from empirical.models import LanguageModel
from empirical.randomness import uniforms
from empirical.rewards import PreferenceHead
from empirical.scoring import answer_log_prob, score
from theory.adaptors import ancestral


@dataclass(frozen=True)
class Recipe:
    """Everything that decides an alignment run."""

    beta: float
    seed: int = 0
    answers: int = 32
    max_new: int = 32
    steps: int = 180
    prompts_a_step: int = 2
    answers_a_step: int = 8
    learning_rate: float = 1.5e-3
    rank: int = 8


@dataclass(frozen=True)
class Pool:
    """A prompt's answers under the prior: token ids, log p [n] and reward [n]."""

    prompt: list[int]
    answers: list[list[int]]
    log_prior: torch.Tensor
    reward: torch.Tensor


def draw_pool(model: LanguageModel, reward: PreferenceHead, prompt: str, recipe: Recipe) -> Pool:
    """Sample the prior ancestrally on one prompt and score the answers."""
    ids = model.prompt_ids(prompt)
    draws = [uniforms(recipe.seed, prompt, "alignment", number, recipe.max_new) for number in range(recipe.answers)]
    answers = [answer.token_ids for answer in sample(model, [Job(tuple(ids), ancestral(), draw) for draw in draws])]
    scores = score(model, ids, answers, reward.layer)
    assert scores.features is not None
    return Pool(ids, answers, scores.log_prob, reward(scores.features))


def pairwise_loss(log_ratio: torch.Tensor, reward: torch.Tensor, beta: float) -> torch.Tensor:
    """The loss above for one prompt, a mean over its pairs, less its minimum (the labels' entropy): 0 iff optimal.

    log_ratio, reward: [n]. Zero exactly where beta log(pi / p) = reward + constant.
    """
    left, right = torch.triu_indices(len(reward), len(reward), offset=1)
    label = reward[left] - reward[right]
    logit = beta * (log_ratio[left] - log_ratio[right])
    log_sigmoid = torch.nn.functional.logsigmoid
    preferred = torch.sigmoid(label)
    cross = preferred * (log_sigmoid(label) - log_sigmoid(logit))
    return (cross + (1 - preferred) * (log_sigmoid(-label) - log_sigmoid(-logit))).mean()


def align(model: LanguageModel, pools: Sequence[Pool], recipe: Recipe, out: Path) -> list[float]:
    """Train the adapter on the pools, write it to `out` in PEFT's format (bfloat16), return the losses."""
    torch.manual_seed(recipe.seed)  # PEFT initialises from torch's global generator
    lora = LoraConfig(r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules=["q_proj", "v_proj"])
    network = get_peft_model(model.network, lora)
    network.peft_config["default"].base_model_name_or_path = model.name  # a name, not this machine's path
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=recipe.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _warm_then_decay(step, recipe.steps))
    rng = np.random.default_rng(recipe.seed)
    losses = []
    for step in track(range(recipe.steps), "aligning"):
        total = 0.0
        for number in rng.choice(len(pools), recipe.prompts_a_step, replace=False):
            pool = pools[number]
            some = rng.choice(len(pool.answers), recipe.answers_a_step, replace=False)
            log_p = answer_log_prob(network, pool.prompt, [pool.answers[i] for i in some])
            loss = pairwise_loss(log_p - pool.log_prior[some], pool.reward[some], recipe.beta)
            (loss / recipe.prompts_a_step).backward()
            total += float(loss.detach()) / recipe.prompts_a_step
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
        losses.append(total)
        if step % 10 == 9:
            print(step + 1, np.mean(losses[-10:]), flush=True)
    network.to(torch.bfloat16).save_pretrained(out, save_embedding_layers=False)
    (out / "README.md").unlink()  # PEFT's empty card; ours lies beside the folder
    return losses


def _warm_then_decay(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / (0.05 * steps)) * (1 - step / steps)
