"""The first tokens of answers, scored anew: under a sampler's law a prefix is an answer that was cut earlier."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from empirical.progress import counted
from empirical.prompts import prompt_id
from empirical.rewards import SecretReward
from empirical.scored import Scored, rewards_of
from empirical.scoring import score
from empirical.sealed import rows_kept
from empirical.studies.tradeoff import Triple


def prefixes(
    triple: Triple, prompts: Sequence[str], rows: pd.DataFrame, tokens: int, path: Path, aligned: bool = True
) -> pd.DataFrame:
    """The rows with every answer cut to its first `tokens` tokens; kept at `path` once scored.

    log_prior, reward, finished and, if `aligned`, log_aligned are the prefix's own. log_proposal and log_kept are NaN:
    they are sums over the whole answer. Raises ValueError unless tokens >= 1.
    """
    if tokens < 1:
        raise ValueError(f"A prefix has at least one token, not {tokens}.")
    ids = [list(map(int, answer[:tokens])) for answer in rows.token_ids]
    about = [triple.prior.sha256, triple.aligned.sha256, triple.reward.describe(), list(rows.scheme), ids, aligned]
    stamp = hashlib.blake2b(json.dumps(about).encode(), digest_size=16).hexdigest()

    def cut() -> pd.DataFrame:
        short = rows.reset_index(drop=True).assign(token_ids=ids, log_proposal=np.nan, log_kept=np.nan)
        short["finished"] &= rows.token_ids.map(len).to_numpy() <= tokens
        texts = {prompt_id(text): text for text in prompts}
        for name, some in counted(short.groupby("prompt_id"), f"{triple.name}: prompts, first {tokens} tokens"):
            figures = _scored(triple, texts[str(name)], some, aligned)
            short.loc[some.index, ["log_prior", "log_aligned", "reward"]] = figures
        return short

    return rows_kept(path, cut, stamp)


def _scored(triple: Triple, prompt: str, rows: pd.DataFrame, aligned: bool) -> np.ndarray:
    """log_prior, log_aligned and reward of each row: [n, 3]; answers that begin alike are read once."""
    distinct: dict[tuple[int, ...], int] = {}
    places = [distinct.setdefault(tuple(answer), len(distinct)) for answer in rows.token_ids]
    answers = [list(answer) for answer in distinct]
    read = score(triple.prior, triple.prior.prompt_ids(prompt), answers, triple.reward.layer)
    log_aligned = np.full(len(answers), np.nan)
    if aligned or isinstance(triple.reward, SecretReward):
        log_aligned = score(triple.aligned, triple.aligned.prompt_ids(prompt), answers).log_prob.cpu().numpy()
    scored = Scored(prompt, answers, read.features, read.log_prob.cpu().numpy(), log_aligned)
    return np.stack([scored.log_prior, log_aligned, rewards_of(triple.reward, scored)], axis=1)[places]
