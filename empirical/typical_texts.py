"""What is said of ancestral answers alone: tau, correlations, and how near its expectation their surprisal lies."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from empirical.corpora import correlation, moments, split
from empirical.intervals import percentiles, resampled
from empirical.measured import row
from theory.typicality import chebyshev_bound, is_typical

Floats = NDArray[np.float64]
SIZES = (1, 10, 100, 1000)
EPSILONS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # nats a text
RESAMPLES = 100  # of the prompts, for the interval of a share of corpora
CORPORA = 200  # drawn in each of them, and ten times as many for the share itself


def every_ancestral(rows: pd.DataFrame, corpus: pd.DataFrame) -> pd.DataFrame:
    """The ancestral answers among the study's rows, and those of another ancestral corpus of the same prompts.

    Both are draws of p_plus, so what is said of p_plus alone is measured on all of them.
    """
    own = rows[rows.scheme == "ancestral"]
    more = corpus.assign(scheme="ancestral", sample_id=corpus.sample_id + own.sample_id.max() + 1)
    return pd.concat([own, more], ignore_index=True)


def ancestral(rows: pd.DataFrame, name: str) -> Floats:
    """One column of the ancestral answers, [P, n], prompts and samples in order."""
    chosen = rows[rows.scheme == "ancestral"].sort_values(["prompt_id", "sample_id"])
    return chosen[name].to_numpy(float).reshape(chosen.prompt_id.nunique(), -1)


def prompt_tau(x: Floats, s: Floats) -> Floats:
    """Var S, Var X and Var R of each prompt's answers, S = X + R: [P, n] twice -> [P, 3], unbiased; NaN for n = 1."""
    if x.shape[1] == 1:
        return np.full((x.shape[0], 3), np.nan)
    return np.stack([side.var(axis=1, ddof=1) for side in (s, x, s - x)], axis=-1)


def tau_rows(rows: pd.DataFrame, prompts: Floats) -> list[dict[str, Any]]:
    """tau = Var S / (Var X + Var R) under ancestral sampling within prompts, R the secret reward; counts [B, P].

    Variances are averaged over prompts before the ratio is taken. tau < 1 iff X and R correlate negatively.
    """
    variances = prompt_tau(ancestral(rows, "log_prior"), ancestral(rows, "log_aligned"))
    drawn = prompts @ variances / len(variances)
    mean = variances.mean(axis=0)
    return [row("tau", "local", _ratio(mean), _ratio(drawn))]


def _ratio(variances: Floats) -> Floats:
    below = variances[..., 1] + variances[..., 2]
    return np.divide(variances[..., 0], below, out=np.full_like(below, np.nan), where=below > 0)


def tau_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a prompt: the variances behind tau and tau itself, with the number of answers it rests on."""
    variances = prompt_tau(ancestral(rows, "log_prior"), ancestral(rows, "log_aligned"))
    chosen = rows[rows.scheme == "ancestral"]
    names = sorted(chosen.prompt_id.unique())
    table = pd.DataFrame(variances, columns=["var_aligned", "var_prior", "var_secret"])
    return table.assign(prompt_id=names, answers=len(chosen) // len(names), tau=_ratio(variances))


def ancestral_corpora(texts: pd.DataFrame, prompts: Floats) -> dict[str, Any]:
    """Pearson's correlation over corpora of ancestral answers alone: that of the strings, for corpora of any size."""
    x, r = (ancestral(texts, name)[None] for name in ("log_prior", "reward"))
    cells = moments(np.stack([x, r], axis=-1), np.ones(r.shape) / r.shape[2])
    value = correlation(split(cells, np.ones(r.shape[1]), np.ones(1)).total)
    drawn = correlation(split(cells, prompts, np.ones((len(prompts), 1))).total)
    return row("ancestral_corpus_pearson", "local", float(value), drawn)


def secret_and_reward(texts: pd.DataFrame, prompts: Floats) -> dict[str, Any]:
    """Pearson's correlation, within a prompt's ancestral answers, of log p_plus - log p with the reward.

    It is 1 where p_plus is p e^(r / beta) / Z(x), whatever beta and Z(x) are.
    """
    x, s, r = (ancestral(texts, name)[None] for name in ("log_prior", "log_aligned", "reward"))
    cells = moments(np.stack([s - x, r], axis=-1), np.ones(r.shape) / r.shape[2])
    value = correlation(split(cells, np.ones(r.shape[1]), np.ones(1)).within_prompt)
    drawn = correlation(split(cells, prompts, np.ones((len(prompts), 1))).within_prompt)
    return row("secret_and_reward", "local", float(value), drawn)


def coverage(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """How often a corpus of N ancestral answers is typical: |mean of -log p_plus - its expectation| < eps, in nats.

    scope "over prompts": the corpus mixes the prompts and the expectation is that of the pool; "within prompt": one
    answer against the mean of the prompt's other answers, so that an answer is not compared with itself. `bound`:
    1 - V / (N eps^2), what Chebyshev's inequality promises with the pool's variance. Intervals: bootstrap over prompts.
    """
    surprisal = -ancestral(rows, "log_aligned")
    p, n = surprisal.shape
    rng = np.random.default_rng(seed)
    counts = resampled(rng, p, RESAMPLES)
    found = []
    for size in SIZES:
        shares = [_shares(surprisal, np.ones(p), size, 10 * CORPORA, rng)]
        shares += [_shares(surprisal, count, size, CORPORA, rng) for count in counts]
        bound = 1 - chebyshev_bound(surprisal.var(), size, np.array(EPSILONS))
        found += [
            _covered("over prompts", size, *line) for line in zip(EPSILONS, np.array(shares).T, bound, strict=True)
        ]
    if n > 1:
        others = (surprisal.sum(axis=1, keepdims=True) - surprisal) / (n - 1)
        for epsilon in EPSILONS:
            inside = is_typical(surprisal, others, epsilon).mean(axis=1)
            shares = np.concatenate([[inside.mean()], counts @ inside / p])
            found.append(_covered("within prompt", 1, epsilon, shares, np.nan))
    return pd.DataFrame(found)


def _shares(surprisal: Floats, counts: Floats, size: int, corpora: int, rng: np.random.Generator) -> list[float]:
    """The share of typical corpora for each eps, drawn from the pool of prompts that count as stated."""
    law = np.repeat(counts / counts.sum() / surprisal.shape[1], surprisal.shape[1])
    values = surprisal.ravel()
    if size == 1:  # no need to draw; the law's sum may round above 1
        return [min(1.0, float(law[is_typical(values, law @ values, epsilon)].sum())) for epsilon in EPSILONS]
    means = rng.choice(values, p=law, size=(corpora, size)).mean(axis=1)
    return [float(is_typical(means, law @ values, epsilon).mean()) for epsilon in EPSILONS]


def _covered(scope: str, size: int, epsilon: float, shares: Floats, bound: float) -> dict[str, Any]:
    low, high = percentiles(shares[1:])
    return {
        "scope": scope,
        "size": size,
        "epsilon": epsilon,
        "share": shares[0],
        "low": low,
        "high": high,
        "bound": bound,
    }
