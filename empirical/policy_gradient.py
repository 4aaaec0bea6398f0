"""On-line policy gradient with a KL penalty: RLOO, with the penalty summed exactly over the vocabulary at every step.

The objective J(pi) = E_pi r - beta KL(pi || p) peaks at p e^(r / beta) / Z (Tan et al., equation 1). Its gradient is

    E_pi sum_t [ (R_t - b_t) grad log pi(y_t | y_<t) - beta grad D_t ],   R_t = r - beta sum_{s > t} D_s,
    D_t = KL(pi(. | y_<t) || p(. | y_<t)),                 KL(pi || p) = E_pi sum_t D_t,

where D_t needs no sample of y_t (Rao and Blackwell), and the baseline b_t is the mean of R_t over the other answers to
the prompt (leave one out: Ahmadian et al. 2024, arXiv 2402.14740), which keeps the estimate unbiased.

TRL 1.16 works beside this package's transformers and peft, but its RLOOTrainer draws by `generate` or vLLM and takes no
rollouts of one's own; its GRPOTrainer does, as an experiment, and adds an estimate of the KL at each drawn token to the
loss, which leaves out what a token does to the KL of later ones. Both would bring `datasets` as a dependency.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from empirical.alignment import Pool, ancestral_jobs, scored_answers
from empirical.engines.jobs import answers
from empirical.engines.torch import engine
from empirical.models import LanguageModel
from empirical.precision import at_least_float32
from empirical.scored import Reward
from empirical.scoring import answer_states
from empirical.training import Recipe, Step


def surrogate(log_pi: torch.Tensor, kl: torch.Tensor, reward: torch.Tensor, beta: float) -> torch.Tensor:
    """A loss whose gradient is an unbiased estimate of -grad J, from n >= 2 independent answers to one prompt.

    log_pi: of each drawn token, EOS included; kl: D_t in nats, [n, longest] both, 0 behind an answer's end;
    reward: [n]. Raises ValueError on one answer alone, which has no baseline.
    """
    return (beta * kl - advantages(kl, reward, beta) * log_pi).sum(1).mean()


def advantages(kl: torch.Tensor, reward: torch.Tensor, beta: float) -> torch.Tensor:
    """R_t - b_t of each token, [n, longest], without a gradient: what it earns beyond the mean of the other answers.

    kl, reward: as for `surrogate`. Raises ValueError on one answer alone.
    """
    n = len(reward)
    if n < 2:
        raise ValueError("The baseline of an answer is the mean of the others: draw at least two.")
    spent = kl.detach()
    later = spent.flip(1).cumsum(1).flip(1) - spent
    returns = reward[:, None] - beta * later
    return (returns - returns.mean(0)) * (n / (n - 1))  # R_t less the mean of the others


def step_figures(
    network: Any, prior: Any, prompt: Sequence[int], token_ids: Sequence[Sequence[int]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """log pi of each token and D_t = KL(pi || p) before it, [n, longest] in nats, 0 behind an answer's end.

    Differentiable in `network`; `prior` is a network of the same vocabulary.
    """
    states, ids, inside = answer_states(network, prompt, token_ids)
    log_pi = at_least_float32(network.get_output_embeddings()(states[inside])).log_softmax(-1)
    with torch.no_grad():
        reference = answer_states(prior, prompt, token_ids)[0][inside]
        log_p = at_least_float32(prior.get_output_embeddings()(reference)).log_softmax(-1)
    drawn = log_pi.gather(1, ids[inside][:, None])[:, 0]
    kl = (log_pi.exp() * (log_pi - log_p)).sum(-1)
    spread = torch.zeros(inside.shape, dtype=drawn.dtype, device=drawn.device)
    return spread.masked_scatter(inside, drawn), spread.masked_scatter(inside, kl)


class Sampler:
    """A plain twin of a network with an adapter: it shares all weights that no adapter moves, and draws fast."""

    def __init__(self, prior: LanguageModel, adapted: Sequence[str] = ("q_proj", "v_proj")) -> None:
        shared = {
            id(weight): weight
            for name, weight in prior.network.named_parameters()
            if name.split(".")[-2] not in adapted
        }
        self.model = replace(prior, name=f"{prior.name} in training", network=copy.deepcopy(prior.network, shared))

    @torch.no_grad()
    def follow(self, network: Any) -> None:
        """Set the twin's weights to W + (alpha / r) B A."""
        for name, module in network.base_model.model.named_modules():
            if hasattr(module, "get_delta_weight"):
                merged = module.base_layer.weight + module.get_delta_weight("default")
                self.model.network.get_submodule(name).weight.copy_(merged)


def on_policy(
    prior: LanguageModel, reward: Reward, prompts: Sequence[str], recipe: Recipe, purpose: str
) -> Callable[[Any, int], list[Pool]]:
    """(network, number) -> the answers of step `number`: fresh ones of the network as it is, to some of the prompts.

    purpose: a word that keeps the randomness of one method apart from the others'. Only the network's weights and the
    number decide what is drawn, so that a run that was killed goes on as if it had not been.
    """
    sampler = Sampler(prior)
    longest = max(len(prior.prompt_ids(prompt)) for prompt in prompts) + recipe.max_new
    count = recipe.answers_a_step

    def draw(network: Any, number: int) -> list[Pool]:
        sampler.follow(network)
        chosen = [prompts[i] for i in recipe.generator(number).choice(len(prompts), recipe.prompts_a_step, False)]
        jobs = [ancestral_jobs(prior, prompt, recipe, f"{purpose} {number}", count) for prompt in chosen]
        rows = engine(sampler.model, longest, recipe.prompts_a_step * count)
        drawn = answers(rows, [job for some in jobs for job in some])
        pools = []
        for place, prompt in enumerate(chosen):
            group = drawn[place * count : (place + 1) * count]
            token_ids = [answer.token_ids for answer in group]
            pools.append(Pool(prior.prompt_ids(prompt), token_ids, *scored_answers(prior, reward, prompt, group)))
        return pools

    return draw


def rloo(prior: LanguageModel, reward: Reward, prompts: Sequence[str], recipe: Recipe) -> Step:
    """A step of policy gradient: some prompts, fresh answers of the network as it is, and the surrogate's gradient."""
    draw = on_policy(prior, reward, prompts, recipe, "rloo")

    def step(network: Any, number: int) -> Mapping[str, float]:
        pools, gained, spent = draw(network, number), 0.0, 0.0
        for pool in pools:
            log_pi, kl = step_figures(network, prior.network, pool.prompt, pool.answers)
            (surrogate(log_pi, kl, pool.reward.to(log_pi), recipe.beta) / len(pools)).backward()
            gained += float(pool.reward.mean()) / len(pools)
            spent += float(kl.detach().sum(1).mean()) / len(pools)
        return {"reward": gained, "kl": spent, "objective": gained - recipe.beta * spent}

    return step
