"""Algorithm 1 of Tan et al., run per prompt over the drawn answers: does it accept, does it mix, where does it end?

The finite pool's own law is exact (`empirical.corpora`), so the chain is a check and not the method.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from empirical.corpora import Pool
from theory.chain_diagnostics import cramers_v, effective_sample_size
from theory.metropolis import run

Floats = NDArray[np.float64]
STEPS = 200_000  # proposals a scheme, shared among its prompts (Tan et al., section 6.2)
MOST = 10_000  # proposals a prompt: with fewer than 20 prompts more would tell nothing new
LAG = 100  # moves between the two states whose association is measured: a two-thousandth of the paper's chain
MIXED = 0.1  # the registered threshold of Cramer's V


@dataclass(frozen=True)
class Chains:
    """What the chains of K schemes x P prompts did, each [K, P].

    acceptance: the exact stationary rate over proposals of another text; accepted: the same rate as observed;
    cramers_v: bias-corrected, LAG moves apart; ess: of the log prior along the chain; distance: total variation
    between the states visited and the law prod_t Z_t asks for.
    """

    acceptance: Floats
    accepted: Floats
    cramers_v: Floats
    ess: Floats
    distance: Floats
    steps: int


def chains(strings: Pool, log_w: Floats, rng: np.random.Generator, steps: int = STEPS) -> Chains:
    """Run a chain in each cell through uniform resamples of its texts, with log-weights log_w [K, P, n].

    The law each should end in is the pool's global one, whatever log_w is: a wrong weight shows in `distance`.
    """
    k, p, n = strings.x.shape
    steps = min(max(steps // p, 10 * LAG), MOST)
    target = strings.weights("global").reshape(-1, n)
    proposed = rng.integers(n, size=(k * p, steps))
    chain = run(np.take_along_axis(log_w.reshape(-1, n), proposed, 1), rng.random((k * p, steps - 1)))
    states = np.take_along_axis(proposed, chain.states, 1)
    other = proposed[:, 1:] != states[:, :-1]
    visited = np.stack([(states == text).mean(axis=1) for text in range(n)], axis=1)
    x = np.take_along_axis(strings.x.reshape(-1, n), states, 1)
    found = {
        "acceptance": acceptance(log_w.reshape(-1, n)),
        "accepted": (chain.accepted & other).sum(axis=1) / np.where(other.any(axis=1), other.sum(axis=1), np.nan),
        "cramers_v": np.array([cramers_v(line[:-LAG], line[LAG:]) for line in states]),
        "ess": np.array([effective_sample_size(line) for line in x]),
        "distance": np.abs(visited - target).sum(axis=1) / 2,
    }
    return Chains(**{name: values.reshape(k, p) for name, values in found.items()}, steps=steps)


def acceptance(log_w: Floats) -> Floats:
    """sum_{i != j} min(w_i, w_j) / ((n - 1) sum_i w_i): the stationary acceptance of proposals of another text.

    log_w: [..., n] -> [...]; NaN for n = 1. Twice the sum over sorted weights of each times the number above it.

    >>> float(acceptance(np.log(np.array([1.0, 0.25]))).round(6))
    0.4
    """
    n = log_w.shape[-1]
    if n == 1:
        return np.full(log_w.shape[:-1], np.nan)
    w = np.sort(np.exp(log_w - log_w.max(axis=-1, keepdims=True)), axis=-1)
    return np.asarray(2 * (w * np.arange(n - 1, -1, -1)).sum(axis=-1) / ((n - 1) * w.sum(axis=-1)))


def most_association(texts: int) -> float:
    """(1 - 1 / n)^LAG: Cramer's V of states LAG moves apart is no more over n texts, whatever their weights.

    V^2 is the mean of the n - 1 eigenvalues' powers 2 LAG, each at most 1 - 1 / (n max pi) <= 1 - 1 / n (Liu 1996).
    """
    return float((1 - 1 / texts) ** LAG)


def without_proposal_ratio(log_proposal: Floats, log_kept: Floats) -> Floats:
    """The planted slip: weights that are the target's own density log q + log prod Z_t, not divided by the proposal."""
    return log_proposal + log_kept
