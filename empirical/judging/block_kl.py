"""KL(pi || base) in nats of blockwise best-of-K, and of any policy on top of an adapter; intervals over prompts.

By the chain rule the KL of blockwise best-of-K is E_pi of the sum, over the blocks that an answer needs, of the KL of
best-of-K among blocks at that prefix. Everything here is an expectation under pi, over pi's own answers.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from empirical.intervals import Interval
from empirical.judging.best_of_kl import bound, by_ranks, top_atom
from empirical.judging.win_rates import over_prompts

Floats = NDArray[np.float64]


def block_bound(lengths: Sequence[NDArray[np.int64]], M: int, K: int, seed: int = 0) -> Interval:  # noqa: N803
    """(log K - (K - 1) / K) E_pi ceil(|y| / M) >= KL(pi || base), the expectation with its interval over prompts.

    lengths: the tokens of pi's answers, EOS among them, one array a prompt. The ceiling of an expected length, or the
    base's lengths, give no bound. Mudgal et al., section 4.4 of the later version. Raises ValueError unless M >= 1.
    """
    if not isinstance(M, int) or M < 1:
        raise ValueError(f"The block size M must be an integer >= 1, not {M}.")
    return over_prompts([bound(K) * float(np.ceil(np.asarray(one) / M).mean()) for one in lengths], seed)


def by_winning_blocks(log_p: Sequence[Sequence[Floats]], K: int, seed: int = 0) -> Interval:  # noqa: N803
    """E_pi of the sum of `top_atom` over the blocks of an answer: an estimate, no bound.

    log_p: for each prompt, for each answer, log p(block | what came before) of the blocks that were accepted, nats.
    At a prefix its error is that of `best_of_kl.by_winners`; errors of blocks add up.
    """
    return over_prompts([float(np.mean([top_atom(one, K).sum() for one in answers])) for answers in log_p], seed)


def by_block_ranks(scores: Sequence[Sequence[Floats]], K: int, seed: int = 0) -> Interval:  # noqa: N803
    """E_pi of the sum of `by_ranks` over the blocks of an answer: an estimate, no bound.

    scores: for each prompt, for each answer, the scores of the candidates of each block, [blocks, N], N >= K. With
    N = K, the candidates that blockwise decoding draws anyhow, it is coarse where candidates repeat.
    """
    sums = [float(np.mean([sum(by_ranks(row, K) for row in one) for one in answers])) for answers in scores]
    return over_prompts(sums, seed)


def composed(
    to_adapter: Sequence[Floats], log_adapter: Sequence[Floats], log_base: Sequence[Floats], seed: int = 0
) -> Interval:
    """KL(pi || p) = KL(pi || d) + E_pi log d / p for a policy pi drawn from an adapted model d of the base p.

    For each prompt, of pi's answers: to_adapter, whose mean estimates (or bounds) KL(pi || d): an answer's summed step
    KL, or its blocks'; log_adapter and log_base: log d(y), log p(y). Nats, natural tokens. The KL of d itself does not
    enter: KL obeys no triangle inequality, and KL(pi || d) + KL(d || p) is no bound.
    """
    rows = zip(to_adapter, log_adapter, log_base, strict=True)
    return over_prompts([float(np.mean(kl) + np.mean(np.subtract(d, p))) for kl, d, p in rows], seed)
