"""Direct preference optimisation of a prior on its own answers.

The loss is DPO's with the Bradley-Terry probabilities themselves as labels, over all pairs of a prompt's answers:

    - sum_{i<j} [ s_ij log sigmoid(beta d_ij) + (1 - s_ij) log sigmoid(-beta d_ij) ],
    s_ij = sigmoid(r_i - r_j),  d_ij = log(pi/p)(y_i) - log(pi/p)(y_j),

whose unconstrained minimiser is pi = p e^(r / beta) / Z (Rafailov et al. 2023; Tan et al., equations 1 and 4). It is
the mean of DPO's usual loss over labels drawn from Bradley and Terry's law, without the noise of drawing them. TRL's
DPOTrainer (1.16) takes texts: it tokenises them again, which need not give the tokens that were drawn, and appends EOS
to each, also to one that was cut; and its labels are hard, or smoothed by one number for all pairs. Here ids go in.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from empirical.engines.jobs import Answer, Job
from empirical.engines.torch import sample
from empirical.models import LanguageModel
from empirical.randomness import uniforms
from empirical.scored import Reward, Scored, rewards_of
from empirical.scoring import answer_log_prob, score
from empirical.sealed import UnusableError, framed, unframed
from empirical.training import Recipe, Step
from theory.adaptors import ancestral
from theory.files import replacing


@dataclass(frozen=True)
class Pool:
    """A prompt's answers under the prior: token ids, log p [n] and reward [n]."""

    prompt: list[int]
    answers: list[list[int]]
    log_prior: torch.Tensor
    reward: torch.Tensor


def ancestral_jobs(model: LanguageModel, prompt: str, recipe: Recipe, purpose: str, count: int) -> list[Job]:
    """Jobs for `count` plain samples of a prompt's answer; purpose keeps their randomness apart from all others'."""
    ids = tuple(model.prompt_ids(prompt))
    draws = (uniforms(recipe.seed, prompt, purpose, number, recipe.max_new) for number in range(count))
    return [Job(ids, ancestral(), draw) for draw in draws]


def scored_answers(
    prior: LanguageModel, reward: Reward, prompt: str, drawn: Sequence[Answer]
) -> tuple[torch.Tensor, torch.Tensor]:
    """log p(answer | prompt) under the prior, and the reward, float64 [n] each."""
    token_ids = [answer.token_ids for answer in drawn]
    scores = score(prior, prior.prompt_ids(prompt), token_ids, reward.layer)
    log_prior, log_model = scores.log_prob.double().cpu(), torch.tensor([answer.log_model for answer in drawn])
    values = rewards_of(reward, Scored(prompt, token_ids, scores.features, log_prior.numpy(), log_model.numpy()))
    return log_prior, torch.as_tensor(values, dtype=torch.float64)


def draw_pools(
    model: LanguageModel, reward: Reward, prompts: Sequence[str], recipe: Recipe, kept: Path | None = None
) -> list[Pool]:
    """Sample the prior ancestrally on some prompts and score the answers.

    kept: a file that holds the answers from one run to the next, whatever its beta and its reward.
    """
    key = [model.sha256, list(prompts), recipe.seed, recipe.answers, recipe.max_new]
    found = _kept(kept)
    if found["key"] == key:
        drawn = [Answer(token_ids, log_model=log_model) for token_ids, log_model in found["answers"]]
    else:
        jobs = [ancestral_jobs(model, prompt, recipe, "alignment", recipe.answers) for prompt in prompts]
        drawn = sample(model, [job for some in jobs for job in some])
        if kept:
            rows = [(answer.token_ids, answer.log_model) for answer in drawn]
            with replacing(kept) as temporary:  # two runs may write at once
                temporary.write_bytes(framed(json.dumps({"key": key, "answers": rows}).encode()))
    pools = []
    for number, prompt in enumerate(prompts):
        group = drawn[number * recipe.answers : (number + 1) * recipe.answers]
        token_ids = [answer.token_ids for answer in group]
        pools.append(Pool(model.prompt_ids(prompt), token_ids, *scored_answers(model, reward, prompt, group)))
    return pools


def _kept(file: Path | None) -> dict[str, Any]:
    """What a file of answers holds; nothing if it is not there or damaged."""
    try:
        return json.loads(unframed(file.read_bytes())) if file else {"key": None}
    except (FileNotFoundError, UnusableError):
        return {"key": None}


def pairwise_loss(log_ratio: torch.Tensor, reward: torch.Tensor, beta: float) -> torch.Tensor:
    """The loss above for one prompt, a mean over its pairs, less its minimum (the labels' entropy): 0 iff optimal.

    log_ratio, reward: [n]. Zero exactly where beta log(pi / p) = reward + constant.
    """
    left, right = torch.triu_indices(len(reward), len(reward), offset=1, device=reward.device)
    label = reward[left] - reward[right]
    logit = beta * (log_ratio[left] - log_ratio[right])
    log_sigmoid = torch.nn.functional.logsigmoid
    preferred = torch.sigmoid(label)
    cross = preferred * (log_sigmoid(label) - log_sigmoid(logit))
    return (cross + (1 - preferred) * (log_sigmoid(-label) - log_sigmoid(-logit))).mean()


def dpo(pools: Sequence[Pool], recipe: Recipe) -> Step:
    """A step of direct preference optimisation: some answers of some pools, all their pairs."""

    def step(network: Any, number: int) -> Mapping[str, float]:
        rng = recipe.generator(number)
        total = 0.0
        for chosen in rng.choice(len(pools), recipe.prompts_a_step, replace=False):
            pool = pools[chosen]
            some = rng.choice(len(pool.answers), recipe.answers_a_step, replace=False)
            log_pi = answer_log_prob(network, pool.prompt, [pool.answers[i] for i in some])
            loss = pairwise_loss(log_pi - pool.log_prior[some].to(log_pi.device), pool.reward[some], recipe.beta)
            (loss / recipe.prompts_a_step).backward()
            total += float(loss.detach()) / recipe.prompts_a_step
        return {"loss": total}

    return step
