"""Win rates of a policy against the base, prompt by prompt, and the interval of any mean over prompts.

Everywhere scores are given as one array of answers a prompt, policy's and base's prompts in the same order. A prompt
counts once, however many answers it has. The base's answers must be drawn apart from the policy's: answers from which
best-of-K chose are no fair opponents of its choice.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from empirical.intervals import Interval, percentiles, resampled

Floats = NDArray[np.float64]
Scores = Sequence[Floats]
RESAMPLES = 2000


def win_rate(policy: Scores, base: Scores, seed: int = 0) -> Interval:
    """P(judge prefers the policy's answer) + P(tie) / 2, over prompts, with its 95 % interval.

    A prompt's estimate is the mean over all n m pairs of its answers: the two-sample U-statistic (Mann and Whitney),
    without bias. Raises ValueError as `over_prompts`.

    >>> win_rate([np.array([1.0, 2.0])], [np.array([0.0, 1.0])]).value
    0.875
    """
    _check(policy, base)
    return over_prompts([pair_wins(mine, theirs) for mine, theirs in zip(policy, base, strict=True)], seed)


def pair_wins(mine: Floats, theirs: Floats) -> float:
    """The mean over all pairs of 1 for a win, 1/2 for a tie, 0 for a loss."""
    ordered = np.sort(theirs)
    wins = np.searchsorted(ordered, mine, "left") + np.searchsorted(ordered, mine, "right")
    return float(wins.mean() / (2 * len(theirs)))


def over_prompts(values: Sequence[float] | Floats, seed: int = 0) -> Interval:
    """The mean of one number a prompt with its 95 % percentile interval, prompts resampled with replacement.

    With few prompts it is too narrow: the variance is that of P prompts times (P - 1) / P, and there are no tails of
    Student's; of one there is none (NaN). Raises ValueError on none, or on NaN.
    """
    column = np.asarray(values, dtype=float)
    if not len(column) or not np.isfinite(column).all():
        raise ValueError("An interval over prompts needs one finite number for each of at least one prompt.")
    if len(column) == 1:
        return Interval(float(column[0]))
    return Interval(float(column.mean()), *percentiles(resamples(len(column), seed) @ column / len(column)))


@lru_cache(maxsize=8)
def resamples(prompts: int, seed: int) -> Floats:
    """How often each prompt is drawn in each resample, [RESAMPLES, prompts]; one array for everything about them."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, prompts])))
    counts = resampled(rng, prompts, RESAMPLES)
    counts.flags.writeable = False
    return counts


def _check(policy: Scores, base: Scores) -> None:
    if len(policy) != len(base):
        raise ValueError(f"The policy has answers to {len(policy)} prompts and the base to {len(base)}; pair them.")
    if any(len(one) == 0 or not np.isfinite(one).all() for scores in (policy, base) for one in scores):
        raise ValueError(
            "Every prompt needs at least one answer with a finite score from the policy and from the base."
        )
