"""The law p(a^n) = 1 / ((n + 1)(n + 2)) at temperature T: cold leaks where locally normalised, heat diverges globally.

After a^n the string ends with probability 1 / (n + 2), so that local temperature T goes on at step k = n + 1 with
probability k^a / (k^a + 1), a = 1 / T, and never ends with probability prod_k k^a / (k^a + 1), positive iff T < 1.
Globally Z = sum_n p(a^n)^a, finite iff T < 2, and then no mass is lost.
"""

import numpy as np
import pandas as pd
from scipy.special import binom, zeta

CRITICAL_TEMPERATURE = 2.0
"""1 / alpha_c: the terms fall as n^(-2 a), whose sum is finite iff a > 1/2."""
SUMMED = 20  # factors taken one by one, so that the series of the tail converges fast
TERMS = 60  # of each series, whose terms shrink like 21^(-a j), a > 1, and 25^(-j)


def endless_mass(T: float) -> float:  # noqa: N803 (the field's symbol)
    """P(the string never ends) = prod_{k >= 1} k^a / (k^a + 1), a = 1/T, under local temperature; 0 for T >= 1.

    The tail of -log is sum_j (-1)^(j+1) zeta(j a, K + 1) / j. Raises ValueError unless 0 < T < inf.

    >>> float(round(endless_mass(0.5) / (np.pi / np.sinh(np.pi)), 12))
    1.0
    """
    alpha = _power(T)
    if T >= 1:
        return 0.0
    if alpha > 500:  # all factors but the first, 1/2, are 1 to 150 digits, and the series would not be a number
        return 0.5
    k, j = np.arange(1.0, SUMMED + 1), np.arange(1.0, TERMS + 1)
    tail = np.sum((-1) ** (j + 1) * zeta(j * alpha, SUMMED + 1) / j)
    return float(np.exp(-np.sum(np.log1p(k**-alpha)) - tail))


def log_normaliser(T: float) -> float:  # noqa: N803
    """log Z = log sum_{k >= 1} (k (k + 1))^-a, a = 1/T, of global temperature, in nats.

    As k (k + 1) = (k + 1/2)^2 - 1/4, the sum from k = 2 on is sum_j binom(a + j - 1, j) 4^-j zeta(2 a + 2 j, 5/2).
    Raises ValueError, with the critical temperature, unless 0 < T < 2.

    >>> round(log_normaliser(1.0), 12)
    0.0
    """
    alpha = _power(T)
    if T >= CRITICAL_TEMPERATURE:
        raise ValueError(
            f"the global normaliser is infinite at T = {T:g}: T must lie below this law's critical temperature "
            f"{CRITICAL_TEMPERATURE:g}."
        )
    j = np.arange(TERMS)
    if alpha > 500:  # the first term is 3^500 times the second: nothing else counts, and 2^a would overflow
        return -alpha * float(np.log(2))
    terms = binom(alpha + j - 1, j) * 4.0**-j * zeta(2 * alpha + 2 * j, 2.5)  # all but the first term
    return float(-alpha * np.log(2) + np.log1p(2**alpha * np.sum(terms)))


def masses(temperatures: tuple[float, ...]) -> pd.DataFrame:
    """One row a temperature: mass on finite strings, local and global, and log Z (nats).

    At and above T_c = 2 log Z is inf and the global mass NaN. Raises ValueError unless 0 < T < inf.
    """
    rows = [
        (T, 1 - endless_mass(T), *((1.0, log_normaliser(T)) if T < CRITICAL_TEMPERATURE else (np.nan, np.inf)))
        for T in temperatures
    ]
    return pd.DataFrame(rows, columns=["temperature", "finite_local", "finite_global", "log_z"])


def _power(T: float) -> float:  # noqa: N803
    if not 0 < T < np.inf:
        raise ValueError(f"temperature T must be a positive number, not {T}.")
    return 1 / T
