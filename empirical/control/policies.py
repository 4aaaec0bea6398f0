"""The three ways to answer under control: each takes jobs and gives their answers, in their order."""

from collections import defaultdict
from collections.abc import Sequence

import torch

from empirical.control.asking import BlockJob, Chosen, chosen
from empirical.control.block_engine import BlockEngine, needed
from empirical.control.choosing import by_reward, first_best
from empirical.control.rounds import Rounds
from empirical.engines.jobs import Answer, Job, answers
from empirical.engines.portable import PortableEngine
from empirical.engines.steering import Scorer, steering
from empirical.engines.torch import ROWS, decoder, engine
from empirical.models import LanguageModel
from empirical.scored import Reward


def tokenwise(
    model: LanguageModel,
    scorer: Scorer | None,
    jobs: Sequence[Job],
    base: LanguageModel | None = None,
    rows: int = ROWS,
    strict: bool = False,
    dtype: torch.dtype | None = None,
) -> list[Answer]:
    """Each job's answer under its own control, pi ~ p e^(lambda V) at every step, with the KL spent in `kl`.

    base: the model whose states the scorer reads, if it is not `model`: the scorer's own base where `model` is another
    one, or that base under an adapter. rows, dtype, strict: as `empirical.engines.torch.engine`.
    Raises ValueError on a scorer or weights that do not fit. Source: Mudgal et al., equation 6.
    """
    longest = max(job.longest for job in jobs)
    return answers(engine(model, longest, min(rows, len(jobs)), dtype, strict, scorer=scorer, base=base), jobs)


def blockwise(
    model: LanguageModel,
    scorer: Scorer,
    jobs: Sequence[BlockJob],
    base: LanguageModel | None = None,
    reward: Reward | None = None,
    rows: int = ROWS,
    strict: bool = False,
    dtype: torch.dtype | None = None,
) -> list[Chosen]:
    """Each job's answer by blockwise best-of-K: of K blocks the one of highest V goes on, the first among equals.

    A block ends after M tokens, at EOS or at T_max. reward: the true reward, in place of V, for candidates that are
    whole answers; it reads features of `base` or else `model`. The other arguments are as in `tokenwise`.
    Raises ValueError as that. Source: Mudgal et al., equation 7 (10 of the later version).
    """
    steered = steering(model, scorer, base)
    for job in jobs:
        steered.check_weights(job.weights)
    judge = None if reward is None else by_reward(base or model, reward)
    # No fewer slots than one text needs, no more than all need together.
    slots = max(max(map(needed, jobs)), min(rows, sum(map(needed, jobs))))
    made = decoder(model, slots, max(job.longest for job in jobs), dtype, strict, base=steered.base)
    if made is not None:
        done = dict(BlockEngine(model, made, slots, steered, judge).stream(jobs))
    else:
        done = dict(Rounds(model, PortableEngine(model, rows), steered, judge).stream(jobs))
    return [done[number] for number in range(len(jobs))]


def best_of(
    model: LanguageModel,
    reward: Reward,
    jobs: Sequence[BlockJob],
    prior: LanguageModel | None = None,
    rows: int = ROWS,
    strict: bool = False,
    dtype: torch.dtype | None = None,
) -> list[Chosen]:
    """Each job's best of K whole answers by the reward, the first among equals; a job's M is not read.

    prior: whose features the reward reads, `model` unless given. Raises RewardError if it is not finite.
    Source: Mudgal et al., section 3.2.
    """
    asked = [candidate for job in jobs for candidate in job.candidates]
    longest = max(job.longest for job in jobs)
    drawn = iter(answers(engine(model, longest, min(rows, len(asked)), dtype, strict), asked))
    groups = [[next(drawn) for _ in range(job.K)] for job in jobs]
    by_prompt: dict[str, list[int]] = defaultdict(list)
    for number, job in enumerate(jobs):
        by_prompt[job.text].append(number)
    judge, found = by_reward(prior or model, reward), dict[int, Chosen]()
    for prompt, numbers in by_prompt.items():
        rewards = iter(judge(prompt, [answer for number in numbers for answer in groups[number]]))
        for number in numbers:
            group = groups[number]
            scores = [float(next(rewards)) for _ in group]
            winner, spent = first_best(scores), sum(len(answer.token_ids) for answer in group)
            found[number] = chosen(group[winner], len(group), [scores], [winner], spent)
    return [found[number] for number in range(len(jobs))]
