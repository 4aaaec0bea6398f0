"""The probability-quality trade-off on a real (prior, aligned, reward) triple: Tan et al., section 6.2 and Figure 2."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.progress import Progress

from empirical.engines.jobs import Answer, Job
from empirical.engines.torch import engine
from empirical.models import LanguageModel
from empirical.presets import Settings
from empirical.prompts import prompt_id
from empirical.randomness import uniforms
from empirical.rewards import Reward, Scored
from empirical.rows import SCHEMA, Shards
from empirical.schemes import Scheme
from empirical.scoring import score

ROWS = 64  # texts a step, and a scoring pass


@dataclass(frozen=True)
class Triple:
    """A prior, the model aligned from it, and the reward it was aligned with."""

    name: str
    prior: LanguageModel
    aligned: LanguageModel
    reward: Reward


def rows_of(triple: Triple, prompt: str, schemes: Sequence[Scheme], answers: Sequence[Answer]) -> pd.DataFrame:
    """Score every answer to one prompt: one row an answer (see `empirical.rows.SCHEMA`), schemes one after another."""
    samples = len(answers) // len(schemes)
    parts = [_scored(triple, prompt, answers[i : i + ROWS]) for i in range(0, len(answers), ROWS)]
    names = {
        "prompt_id": prompt_id(prompt),
        "scheme": [scheme.name for scheme in schemes for _ in range(samples)],
        "sample_id": np.tile(np.arange(samples, dtype=np.int32), len(schemes)),
    }
    return pd.concat(parts, ignore_index=True).assign(**names)[SCHEMA.names]


def _scored(triple: Triple, prompt: str, answers: Sequence[Answer]) -> pd.DataFrame:
    token_ids = [answer.token_ids for answer in answers]
    scores = score(triple.prior, triple.prior.prompt_ids(prompt), token_ids, triple.reward.layer)
    log_aligned = np.array([answer.log_model for answer in answers])
    scored = Scored(prompt, token_ids, scores.features, scores.log_prob.cpu().numpy(), log_aligned)
    return pd.DataFrame(
        {
            "token_ids": token_ids,
            "finished": [answer.finished for answer in answers],
            "log_proposal": [answer.log_proposal for answer in answers],
            "log_kept": [answer.log_kept for answer in answers],
            "log_aligned": log_aligned,
            "log_prior": scored.log_prior,
            "reward": triple.reward.score(scored),
        }
    )


def jobs_of(triple: Triple, prompt: str, schemes: Sequence[Scheme], settings: Settings) -> list[Job]:
    """The jobs of one prompt: every scheme's samples, one scheme after another."""
    ids = tuple(triple.aligned.prompt_ids(prompt))
    return [
        Job(ids, scheme.adaptor, uniforms(settings.seed, prompt, scheme.name, number, settings.max_new))
        for scheme in schemes
        for number in range(settings.samples)
    ]


def fingerprint(triple: Triple, schemes: Sequence[Scheme], settings: Settings) -> str:
    """What the rows depend on, so that a resumed run never mixes rows of two triples, seeds or scheme lists."""
    described = {
        "models": [triple.prior.sha256, triple.aligned.sha256, triple.reward.describe()],
        "schemes": [[scheme.name, scheme.adaptor.name] for scheme in schemes],
        "draws": [settings.samples, settings.max_new, settings.seed],
    }
    return hashlib.blake2b(json.dumps(described).encode(), digest_size=16).hexdigest()


def collect(
    triple: Triple, prompts: Sequence[str], schemes: Sequence[Scheme], settings: Settings, shards: Shards
) -> pd.DataFrame:
    """All rows of the study, drawing only the prompts whose shard is missing."""
    missing = [prompt for prompt in prompts if shards.read(prompt_id(prompt)) is None]
    with Progress(transient=True) as progress:
        for prompt, answers in progress.track(
            drawn(triple, missing, schemes, settings), len(missing), description=f"{triple.name}: prompts"
        ):
            shards.write(prompt_id(prompt), rows_of(triple, prompt, schemes, answers))
    return pd.concat([shards.read(prompt_id(prompt)) for prompt in prompts], ignore_index=True)


def drawn(
    triple: Triple, prompts: Sequence[str], schemes: Sequence[Scheme], settings: Settings
) -> Iterator[tuple[str, list[Answer]]]:
    """Each prompt with its answers, as soon as they are all there; rows of all prompts share the engine's batches."""
    if not prompts:
        return
    jobs = [jobs_of(triple, prompt, schemes, settings) for prompt in prompts]
    cell, done = len(jobs[0]), [dict[int, Answer]() for _ in prompts]
    flat = [job for some in jobs for job in some]
    for number, answer in engine(triple.aligned, max(job.longest for job in flat), ROWS).stream(flat):
        mine = done[number // cell]
        mine[number % cell] = answer
        if len(mine) == cell:
            yield prompts[number // cell], [mine[place] for place in range(cell)]
            mine.clear()


def examples(triple: Triple, prompts: Sequence[str], rows: pd.DataFrame, count: int = 2) -> pd.DataFrame:
    """The first answer of every scheme to the first `count` prompts, as text that a person can read."""
    texts = {prompt_id(prompt): prompt for prompt in prompts[:count]}
    chosen = rows[rows.prompt_id.isin(texts) & (rows.sample_id == 0)].copy()
    decode = triple.prior.tokenizer.decode
    chosen["prompt"] = chosen.prompt_id.map(texts).map(_one_line)
    chosen["text"] = [_one_line(decode(list(map(int, ids)), skip_special_tokens=True)) for ids in chosen.token_ids]
    return chosen[["prompt", "scheme", "text", "finished", "log_prior", "reward"]]


def _one_line(text: str) -> str:
    """Control characters as spaces: a lone carriage return would break a row of CSV."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
