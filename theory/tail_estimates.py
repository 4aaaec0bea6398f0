"""Estimates of the tails of the mean surprisal, sharper than a bound on the exponent, and the normal law's error."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from theory.concentration import Surprisal, upper_rate

Floats = NDArray[np.float64]
SHEVTSOVA = 0.4748
"""Constant of the Berry-Esseen inequality for equal laws. Source: Shevtsova, 2011 (arXiv:1111.6554)."""


def bahadur_rao(
    law: Surprisal,
    size: int,
    epsilon: Floats | float,
    span: Floats | float = 0.0,
    rate: Callable[[Surprisal, Floats | float], Floats] = upper_rate,
) -> Floats:
    """P(mean I >= H + epsilon) ~ e^(-N I_+) / (t sqrt(2 pi N K'')) * (span t / (1 - e^(-span t))), [...].

    t = I_+'(epsilon) and K'' = 1 / I_+''(epsilon), by Legendre duality. span: the spacing of I where it lives on a
    lattice, the widest there is, N (H + epsilon) being one of its sums; 0 where it does not; shaped as epsilon or less.
    The relative error falls as 1 / N. 0 beyond the range of I; NaN within 2 % of epsilon of its end, where the
    differences that give t and K'' leave it.
    rate: `lower_rate` estimates P(mean I <= H - epsilon) by the same formula.
    Raises ValueError unless epsilon > 0 and size >= 1. Source: Bahadur and Rao, 1960.
    """
    if size < 1:
        raise ValueError(f"a corpus has at least one string, not {size}.")
    epsilon = np.asarray(epsilon, dtype=float)
    h = 1e-2 * epsilon  # differences of fourth order: relative error h^4, and rounding 1e-15 / (rate * 1e-4)
    two_below, below, here, above, two_above = (rate(law, epsilon + k * h) for k in range(-2, 3))
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf beyond the range, and an h^2 that is none
        t = (8 * (above - below) - (two_above - two_below)) / (12 * h)
        curvature = (16 * (above + below) - (two_above + two_below) - 30 * here) / (12 * h**2)
    steps = np.asarray(span * t)
    lattice = np.where(steps > 0, steps / -np.expm1(-np.where(steps > 0, steps, 1.0)), 1.0)
    estimate = lattice * np.exp(-size * here) * np.sqrt(curvature / (2 * np.pi * size)) / t
    return np.asarray(np.where(np.isinf(here), 0.0, estimate))


def berry_esseen(varentropy: Floats | float, third: Floats | float, size: int) -> Floats:
    """Bound on the distance of the law of the standardised mean from the normal one: C E|I - H|^3 / (V^1.5 sqrt N).

    varentropy: V > 0; third: E|I - H|^3. Raises ValueError unless both are positive and size >= 1.

    >>> float(berry_esseen(1.0, 1.0, 100).round(5))
    0.04748
    """
    if size < 1 or not (np.all(np.asarray(varentropy) > 0) and np.all(np.asarray(third) > 0)):
        raise ValueError("Berry-Esseen needs a corpus size >= 1 and positive moments.")
    return np.asarray(SHEVTSOVA * np.asarray(third) / np.asarray(varentropy) ** 1.5 / np.sqrt(size))
