"""The probability-quality trade-off on a real (prior, aligned, reward) triple: Tan et al., section 6.2 and Figure 2."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from empirical.engines.jobs import Answer
from empirical.models import LanguageModel
from empirical.prompts import prompt_id
from empirical.rewards import Reward
from empirical.rows import SCHEMA
from empirical.schemes import Scheme
from empirical.scored import Scored, rewards_of
from empirical.scoring import score


@dataclass(frozen=True)
class Triple:
    """A prior, the model aligned from it, and the reward it was aligned with."""

    name: str
    prior: LanguageModel
    aligned: LanguageModel
    reward: Reward


def rows_of(
    triple: Triple, prompt: str, schemes: Sequence[Scheme], answers: Sequence[Answer], strict: bool = False
) -> pd.DataFrame:
    """Score every answer to one prompt: one row an answer (see `empirical.rows.SCHEMA`), schemes one after another."""
    samples = len(answers) // len(schemes)
    names = {
        "prompt_id": prompt_id(prompt),
        "scheme": [scheme.name for scheme in schemes for _ in range(samples)],
        "sample_id": np.tile(np.arange(samples, dtype=np.int32), len(schemes)),
    }
    return _scored(triple, prompt, answers, strict).assign(**names)[SCHEMA.names]


def _scored(triple: Triple, prompt: str, answers: Sequence[Answer], strict: bool) -> pd.DataFrame:
    token_ids = [answer.token_ids for answer in answers]
    scores = score(triple.prior, triple.prior.prompt_ids(prompt), token_ids, triple.reward.layer, strict)
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
            "reward": rewards_of(triple.reward, scored),
        }
    )


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
