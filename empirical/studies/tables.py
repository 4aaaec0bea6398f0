"""The trade-off study's numbers: weights -> corpora -> correlations -> tables, one row a scheme or a quantity."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

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
from empirical.intervals import Interval, cluster_intervals, slope
from empirical.presets import Settings
from empirical.schemes import Scheme

REPORTED = {"string_pearson": 0.23, "string_spearman": 0.38, "corpus_pearson": -0.93, "corpus_spearman": -0.83}
"""Read off the paper's Figure 2 (RLHF triple of 7B models), for comparison only."""
REPORTED_DPO = {"string_pearson": 0.45, "string_spearman": 0.41, "corpus_pearson": -0.97, "corpus_spearman": -0.97}
"""Read off its Figure 3 (DPO triple of 7B models), drawn by the released code with the reward's sign turned."""
LAWS = ("global", "local")


def tables(
    name: str,
    rows: pd.DataFrame,
    schemes: Sequence[Scheme],
    settings: Settings,
    per_scheme: bool = True,
    reported: Mapping[str, float] = REPORTED,
    texts: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Weights -> corpora -> correlations: every number of the study's figure and report.

    texts: every ancestral answer, if there are more than the rows hold.
    """
    strings = pool(rows)
    rng = np.random.default_rng(settings.seed)
    quantities, covariances, found = [], [], {}
    for law in LAWS:
        weights = strings.weights(law)
        means = draw_corpora(strings, weights, settings.corpus_size, settings.corpora, rng)
        measured = cluster_intervals(strings, weights, means, settings)
        measured |= {"slope_reward_on_log_prior": slope(strings, weights)}
        quantities += [_quantity(name, law, key, value, reported) for key, value in measured.items()]
        parts = asdict(
            split(cell_moments(strings, weights), np.ones(len(strings.prompts)), np.ones(len(strings.schemes)))
        )
        covariances.append({"triple": name, "law": law, **{key: part[0, 1] for key, part in parts.items()}})
        if per_scheme and law == "global":
            found["tan_schemes"] = scheme_table(name, strings, weights, means, schemes, rows)
    if per_scheme:
        found["tan_strings"] = string_table(name, rows, schemes)
    aligned = aligned_figures(rows if texts is None else texts)
    quantities += [_quantity(name, "ancestral", key, value, {}) for key, value in aligned.items()]
    return found | {"tan_tradeoff": pd.DataFrame(quantities), "tan_covariance": pd.DataFrame(covariances)}


def string_table(name: str, rows: pd.DataFrame, schemes: Sequence[Scheme]) -> pd.DataFrame:
    """One row a string: where it lies, its scheme, and its self-normalised weight among its prompt's strings."""
    marks = pd.DataFrame(
        [(s.name, s.family, s.temperature) for s in schemes], columns=["scheme", "adaptor", "temperature"]
    )
    cells = rows.groupby(["scheme", "prompt_id"]).log_kept
    weight = np.exp(rows.log_kept - cells.transform("max"))
    weight /= weight.groupby([rows.scheme, rows.prompt_id]).transform("sum")
    kept = rows[["prompt_id", "scheme", "sample_id", "log_prior", "reward", "finished"]].assign(
        triple=name, weight=weight
    )
    return kept.merge(marks, on="scheme")


def _quantity(name: str, law: str, key: str, interval: Interval, reported: Mapping[str, float]) -> dict[str, Any]:
    figure = reported.get(key) if law == "global" else None
    return {"triple": name, "law": law, "quantity": key, **asdict(interval), "reported": figure}


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
