"""What each way of choosing corpora makes of one sample: as drawn, typical, in bands, causally bootstrapped.

x = mean log p, r = mean reward and s = mean log p_+ = x + r of corpora drawn from p_+. The causal bootstrap takes
log p <- typicality -> r for granted. If typicality is the mark |s + H| < epsilon, it shows
P(T) E[r | x, T] + P(not T) E[r | x, not T]; if it is s itself, r = s - x leaves E[r | do(x)] = E s - x, slope -1 for
every reward whatever. (Neither is an effect of x on r: s is computed from both of them, a collider, no confounder.)
Of a finite sample the outermost bands hold a corpus or two, which no weight can mend; slopes stay nearer to E[r | x].
The released code's bands among typical corpora show E[r | x, T], with no sum over typicality at all.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from theory.covariance import covariance
from theory.information import entropy
from theory.typicality import is_typical
from toy.causal_bootstrap import (
    backdoor_weights,
    band_labels,
    frequencies,
    indicator_kernel,
    normal_density,
    resampling_law,
)
from toy.corpora import sampled_means
from toy.correlations import pearson, spearman
from toy.dirichlet import Floats, Triple

BANDS = 10


class Corpora(NamedTuple):
    """x, r and s of each corpus, and whether it is typical, all [corpora]."""

    x: Floats
    r: Floats
    s: Floats
    typical: npt.NDArray[np.bool_]


def drawn(triple: Triple, corpora: int, size: int, epsilon: float, rng: np.random.Generator) -> Corpora:
    """Corpora of `size` objects drawn from p_+. Raises ValueError unless corpora, size >= 1 and epsilon > 0."""
    statistics = np.stack([triple.log_prior, triple.reward, triple.log_aligned])
    x, r, s = sampled_means(triple.log_aligned, statistics, corpora, size, rng)
    return Corpora(x, r, s, is_typical(-s, float(entropy(triple.log_aligned)), epsilon))


def weights(triple: Triple, found: Corpora, size: int) -> dict[str, Floats]:
    """The weights [bands, corpora] of each banded resampling; rows are bands of mean log p, wanted equally often."""
    ones = np.ones(len(found.x))
    kernel = indicator_kernel(labels := band_labels(found.x, BANDS), BANDS)
    inside = np.zeros_like(kernel)
    inside[:, found.typical] = indicator_kernel(band_labels(found.x[found.typical], BANDS), BANDS)
    p = np.exp(triple.log_aligned)
    parts = covariance(triple.log_aligned, triple.log_prior, triple.log_aligned)
    per_corpus = type(parts)(*(np.asarray(part / size) for part in parts))
    mean = (float(p @ triple.log_prior), float(p @ triple.log_aligned))
    width = np.ptp(found.x) / BANDS
    return {
        "bands": backdoor_weights(kernel, ones),
        "bands, typical": backdoor_weights(inside, ones),
        "causal, u = typical": backdoor_weights(kernel, frequencies(labels, found.typical.astype(np.int64))),
        "causal, u = mean log p₊": backdoor_weights(kernel / width, normal_density(found.x, found.s, mean, per_corpus)),
    }


def measures(triple: Triple, found: Corpora, size: int) -> Iterator[tuple[str, str, float]]:
    """Rows (law, quantity, value): pearson, spearman and the slope dr/dx of strings and of every kind of corpora.

    Resamplings are measured under their own law, the limit of many resamples. For the causal ones, `overlap` is the
    least share of typicality's law that a band covers: 1 where every kind of corpus occurs in every band.
    """
    p, x, r = np.exp(triple.log_aligned), triple.log_prior, triple.reward
    yield from _measured("strings, once each", x, r, np.full(len(x), 1 / len(x)))
    yield from _measured("strings, weighted by p₊", x, r, p)
    yield from _measured("corpora, as drawn", found.x, found.r, np.ones(len(found.x)))
    yield from _measured("corpora, typical", found.x, found.r, found.typical.astype(float))
    for name, each in weights(triple, found, size).items():
        yield from _measured(name, found.x, found.r, resampling_law(each))
        if name.startswith("causal"):
            yield name, "overlap", float(each.sum(axis=-1).min())


def over_replications(
    worlds: dict[str, Iterator[tuple[Triple, np.random.Generator]]], corpora: int, size: int, epsilon: float
) -> pd.DataFrame:
    """Median and 2.5 % and 97.5 % quantiles over each kind's replications: world, law, quantity, value, low, high.

    worlds: by kind, the worlds and the generators that draw their corpora.
    """
    rows = [
        (kind, *row)
        for kind, replications in worlds.items()
        for triple, rng in replications
        for row in measures(triple, drawn(triple, corpora, size, epsilon, rng), size)
    ]
    keys = ["world", "law", "quantity"]
    grouped = pd.DataFrame(rows, columns=[*keys, "value"]).groupby(keys, sort=False)["value"]
    columns = {"value": grouped.median(), "low": grouped.quantile(0.025), "high": grouped.quantile(0.975)}
    return pd.DataFrame(columns | {"replications": grouped.size()}).reset_index()


def _measured(law: str, x: Floats, r: Floats, weight: Floats) -> Iterator[tuple[str, str, float]]:
    yield law, "pearson", pearson(x, r, weight)
    yield law, "spearman", spearman(x, r, weight)
    share = weight / weight.sum()
    dx, dr = x - share @ x, r - share @ r  # corpora differ by 1e-3: uncentred rewards would cost the slope three digits
    yield law, "slope", float(share @ (dx * dr) / (share @ dx**2))
