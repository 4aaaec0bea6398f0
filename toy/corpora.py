"""Corpora of i.i.d. objects: drawn as counts, averaged, selected by typicality and spread evenly over bands."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from theory.arrays import logsumexp, normalised, shaped, validated
from theory.information import entropy
from toy.dirichlet import Floats, Triple

Counts = npt.NDArray[np.int64]


def replayed_counts(log_aligned: Floats, seeds: Iterable[int], size: int) -> Counts:
    """Counts of `size` draws with NumPy's legacy `choice`, one corpus for each seed, bit for bit as published.

    log_aligned: [V]. Returns [len(seeds), V]. The stream fixes every single draw, so nothing faster replays it.
    Raises ValueError as `multinomial_counts`, without a seed, and on one outside 0..2^32 - 1.
    """
    probability = np.exp(_law(log_aligned))
    objects, seeds = len(probability), list(seeds)
    if not seeds or size < 1:
        raise ValueError(f"there must be a seed and a size of at least 1, not {len(seeds)} seeds and {size}.")

    def corpus(seed: int) -> Counts:
        draws = np.random.RandomState(seed).choice(objects, size=size, p=probability)
        return np.bincount(draws, minlength=objects)

    return np.stack([corpus(seed) for seed in seeds])


def multinomial_counts(log_aligned: Floats, corpora: int, size: int, rng: np.random.Generator) -> Counts:
    """Counts of `size` draws in each of `corpora` corpora: n ~ Multinomial(size, p_+), the law of drawing one by one.

    log_aligned: [V]. Returns [corpora, V]; every row sums to `size`. Raises ValueError on a size or number below 1,
    and on probabilities that are not one law.

    >>> multinomial_counts(np.log([0.5, 0.5]), 3, 10, np.random.default_rng(0)).sum(axis=-1).tolist()
    [10, 10, 10]
    """
    if corpora < 1 or size < 1:
        raise ValueError(f"corpora and size must be at least 1, not {corpora} and {size}.")
    return rng.multinomial(size, np.exp(_law(log_aligned)), size=corpora)


def sampled_means(
    log_p: Floats, values: Floats, corpora: int, size: int, rng: np.random.Generator, at_once: int = 2_000
) -> Floats:
    """Means of each statistic over corpora of `size` draws from p: their exact law, in memory for `at_once` corpora.

    log_p: [V]; values: [d, V]. Returns [d, corpora]. Counts are sufficient; objects expected less than once a corpus
    share one count, whose few draws are dealt out one by one. Raises ValueError as `multinomial_counts`, on values that
    are not finite or have another shape, and unless at_once >= 1.

    >>> sampled_means(np.log([0.5, 0.5]), np.ones((1, 2)), 3, 10, np.random.default_rng(0)).tolist()
    [[1.0, 1.0, 1.0]]
    """
    p = np.exp(_law(log_p))
    if not np.all(np.isfinite(shaped(values, (None, len(p)), "values"))):
        raise ValueError("a mean over corpora needs a finite value of every object.")
    if at_once < 1:
        raise ValueError(f"at least one corpus must be held at once, not {at_once}.")
    often = p * size >= 1
    rare = (p > 0) & ~often
    common, others = values[:, often].T, values[:, rare]
    within = np.cumsum(p[rare])
    cells = normalised(np.log(np.append(p[often], within[-1:])))
    sums = []
    for start in range(0, max(corpora, 1), at_once):
        counts = multinomial_counts(cells, min(at_once, corpora - start), size, rng)
        # Floats: a product of integers and floats goes around BLAS and is ten times slower.
        part = counts[:, : len(common)].astype(float) @ common
        if rare.any():
            corpus = np.repeat(np.arange(len(counts)), counts[:, -1])
            found = np.searchsorted(within[:-1], rng.uniform(0, within[-1], len(corpus)), side="right")
            part += np.stack([np.bincount(corpus, value[found], len(counts)) for value in others], axis=-1)
        sums.append(part)
    return np.concatenate(sums).T / size


def corpus_means(triple: Triple, counts: Counts) -> pd.DataFrame:
    """Averages over each corpus: mean log p, mean r and mean log p_+, and the log-probability of the ordered sample.

    counts: [corpora, V]. Returns one row a corpus: mean_log_prior, mean_reward, mean_log_aligned, log_prob (nats);
    in every corpus mean_log_prior + mean_reward = mean_log_aligned, whatever was drawn. Raises ValueError on counts of
    another shape, below 0, or of an empty corpus.
    """
    size = shaped(counts, (None, len(triple.reward)), "counts").sum(axis=-1)
    if np.any(counts < 0) or np.any(size < 1):
        raise ValueError("counts must be >= 0, and each corpus must hold an object.")
    # einsum keeps the sum's order, hence its bits, independent of the number of corpora and of BLAS.
    log_prob = np.einsum("cv,v->c", counts, triple.log_aligned)
    return pd.DataFrame(
        {
            "mean_log_prior": np.einsum("cv,v->c", counts, triple.log_prior) / size,
            "mean_reward": np.einsum("cv,v->c", counts, triple.reward) / size,
            "mean_log_aligned": log_prob / size,
            "log_prob": log_prob,
        }
    )


def is_typical(corpora: pd.DataFrame, log_aligned: Floats, epsilon: float) -> pd.Series:
    """Mark the corpora of the typical set: |-(1/N) log p_+(corpus) - H(p_+)| < epsilon.

    Raises ValueError unless epsilon > 0, and on probabilities that are not one law. Source: Tan et al., section 5.1.
    """
    if not epsilon > 0:
        raise ValueError(f"epsilon must be a positive number of nats, not {epsilon}.")
    return (-corpora["mean_log_aligned"] - float(entropy(_law(log_aligned)))).abs() < epsilon


def banded(
    corpora: pd.DataFrame, random_state: int | np.random.Generator, bands: int = 10, per_band: int = 100
) -> pd.DataFrame:
    """Resample corpora evenly over equal-width bands of mean log p: `per_band` draws with replacement from each.

    The bands span the corpora's own range; an empty band gives nothing. An integer `random_state` seeds the legacy
    stream. This is what the released code does under the name of causal bootstrapping. Raises ValueError if there is
    no corpus, or no spread to cut into bands.
    """
    level = corpora["mean_log_prior"]
    if level.nunique() < 2:
        raise ValueError("bands need at least two corpora with different mean log-probabilities under the prior.")
    band = pd.cut(level, bins=bands)
    return corpora.groupby(band, observed=True).sample(n=per_band, replace=True, random_state=random_state)


def _law(log_p: Floats) -> Floats:
    """The law [V] unchanged, or a ValueError: of what does not sum to 1 the last object would take the rest."""
    # Sums of exponentials of float64 log-probabilities as low as -700 err by 700 ulp, about 1e-13.
    if abs(float(logsumexp(validated(shaped(log_p, (None,), "log_p"))))) > 1e-9:
        raise ValueError("the probabilities of the objects do not sum to 1.")
    return log_p
