"""The share of a whole that was sampled part by part, with its interval."""

from collections.abc import Iterable

from statsmodels.stats.proportion import proportion_confint


def weighted_share(parts: Iterable[tuple[int, int, int]]) -> tuple[float, float, float]:
    """Share of a whole made of parts (size, drawn of it, good of the drawn), and its 95 % interval.

    Each part counts by its size. Wilson's interval, for the sample size n with which a plain sample would be as good:
    share (1 - share) / n is the variance of the weighted share if every part has the same, each part drawn without
    replacement; all shares within [0, 1] and a bad one in a large part is seen, so this errs on the wide side unless
    the large parts are the bad ones. Raises ValueError where a part was not drawn from, or there is nothing.

    >>> weighted_share([(10, 10, 9), (30, 30, 30)])  # all was seen
    (0.975, 0.975, 0.975)
    """
    known = [part for part in parts if part[0]]
    whole = sum(size for size, _, _ in known)
    if not whole or not all(0 < drawn <= size and 0 <= good <= drawn for size, drawn, good in known):
        raise ValueError("a share needs something drawn from every part.")
    share = sum(size * good / drawn for size, drawn, good in known) / whole
    parted = [(size / whole) ** 2 * (size - drawn) / (size - 1) / drawn for size, drawn, _ in known if drawn < size]
    if not parted:
        return share, share, share
    n = 1 / sum(parted)
    low, high = proportion_confint(share * n, n, method="wilson")
    return share, float(low), float(high)
