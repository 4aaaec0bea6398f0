"""P-values that are right at every sample size: under the stated law, P(p <= a) <= a for all a, with no limit theorem.

Each takes what was drawn and what is claimed, and gives one p-value, or an array of them to be taken together.
"""

import numpy as np
from scipy import stats
from scipy.special import gammaln, logsumexp, rel_entr, xlogy

CONCENTRATIONS = 4.0 ** np.arange(1, 9)


def binomial(hits, of, low, high=None):
    """Exact: each of `of` independent draws hits with a probability in [low, high]; without `high`, equal to `low`.

    As Clopper and Pearson: the two tails, doubled unless one of them claims nothing (low = 0 or high = 1).
    """
    low, high = np.asarray(low, dtype=float), np.asarray(low if high is None else high, dtype=float)
    few, many = stats.binom.cdf(hits, of, low), stats.binom.sf(np.asarray(hits) - 1, of, high)
    sides = 1 + ((low > 0) & (high < 1))
    return np.minimum(1, sides * np.minimum(few, many))


def cells(counts, law, off=0.0):
    """Exact: counts of independent draws of a law on cells, each cell as a binomial; the law errs relatively by `off`.

    The sums of a law may pass 1 by rounding; that moves no p-value beyond its last digits.
    """
    law = np.asarray(law, dtype=float)
    return binomial(np.asarray(counts), np.sum(counts), law * (1 - off), np.minimum(law * (1 + off), 1))


def mixture(counts, law, off=0.0):
    """One p-value for a law on many cells: how much better other laws explain the counts, on average.

    The other laws are Dirichlet with the claimed law as their mean. Under the claim the ratio of likelihoods has
    mean 1, so by Markov's inequality it passes 1 / a with probability a at most. Laws that err relatively by `off` have
    a mean of at most (1 + off)^n.
    """
    counts, law = np.asarray(counts, dtype=float), np.asarray(law, dtype=float)
    law = law / law.sum()
    if counts[law == 0].any():
        return np.array(0.0)
    counts, law = counts[law > 0], law[law > 0]
    a, n = CONCENTRATIONS[:, None], counts.sum()
    each = gammaln(counts + a * law) - gammaln(a * law) - xlogy(counts, law)
    ratios = each.sum(axis=1) + gammaln(a[:, 0]) - gammaln(a[:, 0] + n)
    return np.exp(np.minimum(0, np.log(len(CONCENTRATIONS)) - logsumexp(ratios) + n * np.log1p(off)))


def bounded(values, low, high, mean):
    """Independent values within [low, high] of the given mean: Hoeffding (1963), Theorem 1, the form by KL."""
    m, mu = ((one - low) / (high - low) for one in (np.mean(values, axis=-1), mean))
    m = np.clip(m, 0, 1)
    p = 2 * np.exp(-np.shape(values)[-1] * (rel_entr(m, mu) + rel_entr(1 - m, 1 - mu)))
    return np.where(_inside(values, low, high), np.minimum(1, p), 0)


def bennett(values, reach, variance, mean):
    """Independent values of the given mean, within `reach` of it and of at most the given variance: Bennett (1962)."""
    reach, variance, mean = (np.asarray(one, dtype=float) for one in (reach, variance, mean))
    ratio = reach * np.abs(np.mean(values, axis=-1) - mean) / variance
    p = 2 * np.exp(-np.shape(values)[-1] * variance / reach**2 * ((1 + ratio) * np.log1p(ratio) - ratio))
    return np.where(_inside(values, mean - reach, mean + reach), np.minimum(1, p), 0)


def bernstein(values, low, high, mean):
    """Independent values within [low, high] of the given mean: Maurer and Pontil (2009), Theorem 4, solved for d.

    With probability 1 - d the mean passes the sample's by less than sqrt(2 V L / n) + 7 L / (3 (n - 1)), where
    L = log(2 / d) and V is the sample's variance, all in units of high - low; so on either side.
    """
    n = np.shape(values)[-1]
    gap = np.abs(np.mean(values, axis=-1) - mean) / (high - low)
    slope, bend = np.sqrt(2 * np.var(values, axis=-1, ddof=1) / n) / (high - low), 7 / (3 * (n - 1))
    root = (np.sqrt(slope**2 + 4 * bend * gap) - slope) / (2 * bend)
    return np.where(_inside(values, low, high), np.minimum(1, 4 * np.exp(-(root**2))), 0)


def distribution(values, cdf):
    """Independent values of a continuous law: Dvoretzky, Kiefer and Wolfowitz, with Massart's constant."""
    n, at = len(values), cdf(np.sort(values))
    gap = max(np.max(np.arange(1, n + 1) / n - at), np.max(at - np.arange(n) / n))
    return np.minimum(1, 2 * np.exp(-2 * n * gap**2))


def one_distribution(x, y):
    """Two samples of one law: each lies near it by that inequality, and the gap is split so that the bounds agree."""
    points = np.sort(np.concatenate([x, y]))
    gap = np.abs(np.subtract(*(np.searchsorted(np.sort(one), points, "right") / len(one) for one in (x, y)))).max()
    return np.minimum(1, 4 * np.exp(-2 * (gap / (len(x) ** -0.5 + len(y) ** -0.5)) ** 2))


def normal(value, mean, deviation):
    """Exact: a figure that is linear in independent normal draws, so normal itself, of known mean and deviation."""
    return 2 * stats.norm.sf(np.abs((np.asarray(value) - mean) / deviation))


def _inside(values, low, high):
    """A value that cannot be refutes the claim by itself; rounding is forgiven."""
    slack = 1e-9 * (np.asarray(high) - low)
    return (np.min(values, axis=-1) >= low - slack) & (np.max(values, axis=-1) <= high + slack)
