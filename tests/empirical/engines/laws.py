"""Do draws follow a law? One test for all who ask."""

import numpy as np
from scipy.stats import chi2, chisquare, ncx2

SIZE = 1e-6


def fits(drawn, law):
    """Chi-square of size 1e-6 over the tokens expected at least five times, the rest pooled."""
    table = _table(len(drawn), law, np.bincount(drawn, minlength=len(law)))
    return chisquare(table[0], table[1] * table[0].sum() / table[1].sum()).pvalue > SIZE


def power(draws, law, other):
    """The probability that `fits` refuses `law` where the draws come from `other`, by the non-central chi-square."""
    truth, expected = _table(draws, law, draws * other / other.sum())
    some = expected > 0
    excess = ((truth - expected)[some] ** 2 / expected[some]).sum()
    freedom = some.sum() - 1
    return ncx2.sf(chi2.isf(SIZE, freedom), freedom, excess)


def _table(draws, law, counts):
    """Counts and their expectations, the rare ones pooled."""
    expected = draws * law / law.sum()
    common = expected >= 5
    return [np.append(v[common], v[~common].sum()) for v in (counts, expected)]
