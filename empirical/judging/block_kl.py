"""KL(pi || base) in nats of blockwise best-of-K, and of any policy on top of an adapter, from one prompt's answers.

By the chain rule the KL of blockwise best-of-K is E_pi of the sum, over the blocks that an answer needs, of the KL of
best-of-K among blocks at that prefix. Everything here is an expectation under pi, over pi's own answers; a mean over
prompts and its interval are `empirical.judging.win_rates.over_prompts`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from empirical.judging.best_of_kl import bound, by_ranks

Floats = NDArray[np.float64]


def block_bound(lengths: ArrayLike, M: int, K: int) -> float:  # noqa: N803
    """(log K - (K - 1) / K) E_pi ceil(|y| / M) >= KL(pi || base).

    lengths: [n], the tokens of pi's answers, EOS among them. The ceiling of an expected length, or the base's lengths,
    give no bound. Mudgal et al., section 4.4 of the later version. Raises ValueError unless M >= 1.

    >>> round(block_bound([4, 5], M=4, K=4), 4)
    0.9544
    """
    if not isinstance(M, int) or M < 1:
        raise ValueError(f"The block size M must be an integer >= 1, not {M}.")
    return bound(K) * float(np.ceil(np.asarray(lengths) / M).mean())


def by_block_ranks(scores: Sequence[ArrayLike], K: int) -> float:  # noqa: N803
    """The sum of `by_ranks` over the blocks of one answer, whose mean over answers estimates the KL: no bound.

    scores: of the N >= K candidates of each block, [blocks, N]. With N = K, the candidates that blockwise decoding
    draws anyhow, it is coarse where candidates repeat.
    """
    return sum(by_ranks(np.asarray(row, dtype=float), K) for row in scores)


def drift(log_adapter: Floats, log_base: Floats, odds: Floats | None = None) -> float:
    """E_pi log d / p, in KL(pi || p) = KL(pi || d) + E_pi log d / p for a pi drawn from an adapted model d of p.

    log_adapter, log_base: [n], log d(y) and log p(y) of pi's answers, nats, natural tokens; odds: their weights, if not
    equal. The KL of d itself does not enter: KL obeys no triangle inequality, and KL(pi || d) + KL(d || p) is no bound.
    """
    return float(np.average(np.subtract(log_adapter, log_base), weights=odds))
