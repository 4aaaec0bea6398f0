"""The probability-quality trade-off on a real (prior, aligned, reward) triple: Tan et al., section 6.2 and Figure 2."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import Progress

from empirical.corpora import (
    Pool,
    cell_moments,
    correlation,
    covariance_matrix,
    draw_corpora,
    pool,
    split,
    weighted_spearman,
)
from empirical.engines.torch import Request, sample
from empirical.intervals import Interval, cluster_intervals, slope
from empirical.models import LanguageModel
from empirical.prompts import prompt_id
from empirical.randomness import uniforms
from empirical.rewards import Reward, Scored
from empirical.rows import Shards
from empirical.schemes import Scheme
from empirical.scoring import score

REPORTED = {"string_pearson": 0.23, "string_spearman": 0.38, "corpus_pearson": -0.93, "corpus_spearman": -0.83}
"""Read off the paper's Figure 2 (RLHF triple of 7B models), for comparison only."""
LAWS = ("global", "local")


@dataclass(frozen=True)
class Triple:
    """A prior, the model aligned from it, and the reward it was aligned with."""

    name: str
    prior: LanguageModel
    aligned: LanguageModel
    reward: Reward


@dataclass(frozen=True)
class Settings:
    """The study's counts; corpora are drawn from the finite pool of `samples` strings a cell."""

    samples: int
    max_new: int
    seed: int = 0
    corpus_size: int = 2000
    corpora: int = 2000
    resamples: int = 1000


def rows_of(triple: Triple, prompt: str, schemes: Sequence[Scheme], settings: Settings) -> pd.DataFrame:
    """Draw and score every answer to one prompt: one row an answer (see `empirical.rows.SCHEMA`)."""
    requests = [
        Request(scheme.adaptor, uniforms(settings.seed, prompt, scheme.name, number, settings.max_new))
        for scheme in schemes
        for number in range(settings.samples)
    ]
    answers = sample(triple.aligned, triple.aligned.prompt_ids(prompt), requests, settings.max_new)
    token_ids = [answer.token_ids for answer in answers]
    scores = score(triple.prior, triple.prior.prompt_ids(prompt), token_ids, triple.reward.layer)
    log_aligned = np.array([answer.log_model for answer in answers])
    scored = Scored(prompt, token_ids, scores.features, scores.log_prob.cpu().numpy(), log_aligned)
    return pd.DataFrame(
        {
            "prompt_id": prompt_id(prompt),
            "scheme": [scheme.name for scheme in schemes for _ in range(settings.samples)],
            "sample_id": np.tile(np.arange(settings.samples, dtype=np.int32), len(schemes)),
            "token_ids": token_ids,
            "finished": [answer.finished for answer in answers],
            "log_proposal": [answer.log_proposal for answer in answers],
            "log_kept": [answer.log_kept for answer in answers],
            "log_aligned": log_aligned,
            "log_prior": scored.log_prior,
            "reward": triple.reward.score(scored),
        }
    )


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
    parts = []
    with Progress(transient=True) as progress:
        for prompt in progress.track(prompts, description=f"{triple.name}: prompts"):
            if (rows := shards.read(prompt_id(prompt))) is None:
                shards.write(prompt_id(prompt), rows_of(triple, prompt, schemes, settings))
                rows = shards.read(prompt_id(prompt))
            parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def tables(
    name: str, rows: pd.DataFrame, schemes: Sequence[Scheme], settings: Settings, per_scheme: bool = True
) -> dict[str, pd.DataFrame]:
    """Weights -> corpora -> correlations: every number of the study's figure and report."""
    strings = pool(rows)
    rng = np.random.default_rng(settings.seed)
    quantities, covariances, found = [], [], {}
    for law in LAWS:
        weights = strings.weights(law)
        means = draw_corpora(strings, weights, settings.corpus_size, settings.corpora, rng)
        measured = cluster_intervals(strings, weights, means, settings)
        measured |= {"slope_reward_on_log_prior": slope(strings, weights)}
        quantities += [_quantity(name, law, key, value) for key, value in measured.items()]
        parts = asdict(
            split(cell_moments(strings, weights), np.ones(len(strings.prompts)), np.ones(len(strings.schemes)))
        )
        covariances.append({"triple": name, "law": law, **{key: part[0, 1] for key, part in parts.items()}})
        if per_scheme and law == "global":
            found["tan_schemes"] = scheme_table(name, strings, weights, means, schemes, rows)
    quantities += [_quantity(name, "ancestral", key, value) for key, value in aligned_figures(rows).items()]
    return found | {"tan_tradeoff": pd.DataFrame(quantities), "tan_covariance": pd.DataFrame(covariances)}


def _quantity(name: str, law: str, key: str, interval: Interval) -> dict[str, Any]:
    reported = REPORTED.get(key) if law == "global" else None
    return {"triple": name, "law": law, "quantity": key, **asdict(interval), "reported": reported}


def aligned_figures(rows: pd.DataFrame) -> dict[str, Interval]:
    """From ancestral rows: KL(aligned || prior) in nats a string, and tau = VS / (VX + VR) within prompts.

    S = log p_plus, X = log p, R = S - X (the secret reward over beta). tau < 1 iff X and R are negatively correlated.
    """
    ancestral = rows[rows.scheme == "ancestral"]
    ratio = (ancestral.log_aligned - ancestral.log_prior).groupby(ancestral.prompt_id).mean()
    half = 1.96 * ratio.std(ddof=1) / np.sqrt(len(ratio)) if len(ratio) > 1 else np.nan  # normal, clustered by prompt
    kl = Interval(ratio.mean(), ratio.mean() - half, ratio.mean() + half)
    sums = ancestral.assign(secret=ancestral.log_aligned - ancestral.log_prior).groupby("prompt_id")
    var = sums[["log_aligned", "log_prior", "secret"]].var(ddof=1).mean()
    return {"kl_aligned_prior": kl, "tau_secret_reward": Interval(var.log_aligned / (var.log_prior + var.secret))}


def scheme_table(
    name: str,
    strings: Pool,
    weights: np.ndarray,
    means: tuple[np.ndarray, np.ndarray],
    schemes: Sequence[Scheme],
    rows: pd.DataFrame,
) -> pd.DataFrame:
    """One row a scheme: means and correlations under the global law (`_local`: under the law that drew the rows)."""
    known = {scheme.name: scheme for scheme in schemes}
    finished = rows.groupby("scheme").finished.mean()
    table = []
    for k, key in enumerate(strings.schemes):
        pooled = cell_moments(strings, weights)[k].mean(axis=0)
        plain = cell_moments(strings, strings.weights("local"))[k].mean(axis=0)
        flat = (strings.x[k].ravel(), strings.r[k].ravel(), weights[k].ravel())
        table.append(
            {
                "triple": name,
                "scheme": key,
                "adaptor": known[key].family,
                "temperature": known[key].temperature,
                "n": flat[0].size,
                "mean_log_prior": pooled[0],
                "mean_reward": pooled[1],
                "mean_log_prior_local": plain[0],
                "mean_reward_local": plain[1],
                "string_pearson": float(correlation(covariance_matrix(plain))),
                "string_pearson_weighted": float(correlation(covariance_matrix(pooled))),
                "string_spearman_weighted": weighted_spearman(*flat),
                "corpus_pearson": np.corrcoef(means[0][k], means[1][k])[0, 1],
                "ess": (1 / (weights[k] ** 2).sum(axis=1)).sum(),
                "finished": finished[key],
            }
        )
    return pd.DataFrame(table)


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
