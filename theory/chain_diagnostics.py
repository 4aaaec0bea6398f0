"""Is a chain of texts mixing: association of consecutive states, and how many independent draws it is worth."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def cramers_v(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Bias-corrected Cramer's V between two label sequences [N], in [0, 1]; 0 where either is constant.

    phi^2 = chi^2 / N less its mean under independence (k - 1)(r - 1) / (N - 1), over the corrected smaller table side.
    Without the correction, N independent draws over k states give about sqrt((k - 1) / N).
    Raises ValueError unless the sequences have one length, at least 2.
    Source: Bergsma, A bias-correction for Cramer's V and Tschuprow's T, 2013.

    >>> cramers_v(np.array([0, 1, 0, 1]), np.array([1, 0, 1, 0]))
    1.0
    """
    if first.shape != second.shape or first.ndim != 1 or first.size < 2:
        raise ValueError(f"Cramer's V needs two sequences of one length >= 2, not {first.shape} and {second.shape}.")
    n = first.size
    rows, row_counts = np.unique(first, return_inverse=True, return_counts=True)[1:]
    columns, column_counts = np.unique(second, return_inverse=True, return_counts=True)[1:]
    k, r = row_counts.size, column_counts.size
    # Only the cells that occur contribute, so a table over thousands of texts is never built.
    cells, cell_counts = np.unique(rows * r + columns, return_counts=True)
    phi2 = float(np.sum(cell_counts**2 / (row_counts[cells // r] * column_counts[cells % r]))) - 1
    phi2 = max(0.0, phi2 - (k - 1) * (r - 1) / (n - 1))
    smaller = min(side - (side - 1) ** 2 / (n - 1) for side in (k, r)) - 1
    return float(np.sqrt(min(1.0, phi2 / smaller))) if smaller > 0 else 0.0


def effective_sample_size(series: Floats) -> float:
    """Independent draws that a stationary series [n] is worth, in [1, n]: n / (1 + 2 sum_k rho_k).

    Geyer's initial monotone sequence ends the sum. A constant series counts as one draw: a stuck chain shows nothing
    else. The cap at n loses nothing here, as independence Metropolis-Hastings has no negative autocorrelation.
    Raises ValueError on NaN or an empty series. Source: Geyer, Practical Markov chain Monte Carlo, 1992, section 3.3.

    >>> effective_sample_size(np.full(100, 3.0))
    1.0
    """
    if series.ndim != 1 or series.size == 0 or not np.all(np.isfinite(series)):
        raise ValueError("the series must be one-dimensional, not empty, and finite.")
    n = series.size
    deviation = series - series.mean()
    # Subtracting the mean of a constant leaves rounding of about eps times its size, which is no variation.
    spread = np.abs(deviation).max()
    if spread <= 8 * np.finfo(float).eps * np.abs(series).max():
        return 1.0
    spectrum = np.fft.rfft(deviation / spread, 2 * n)
    autocovariance = np.fft.irfft(np.abs(spectrum) ** 2)[:n]
    rho = np.append(autocovariance / autocovariance[0], [0.0] * (n % 2))
    pairs = rho[0::2] + rho[1::2]
    stop = int(np.argmax(pairs <= 0)) if np.any(pairs <= 0) else pairs.size
    time = 2 * float(np.minimum.accumulate(pairs[:stop]).sum()) - 1
    return min(float(n), n / max(time, 1.0))
