"""Tokenwise control in one fused pass a row on the CPU: tilt, adapt, draw and record, and the step's KL.

The rule is `theory.guidance.controlled` in float64 on the same logits and values, the adaptor that of
`empirical.engines.kernel`, into which a row of lambda 0 goes as it is: it draws the same bits as without control.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from empirical.engines.kernel import Drawn, Floats, exponential, in_shares, line_of, pick, room, sum_of, truncate, weigh


@dataclass(frozen=True)
class Controlled(Drawn):
    """As `Drawn`, log_model under the model itself, and KL(pi || p) of each row's law against the model's, in nats."""

    kl: Floats


def draw(
    logits: NDArray[np.floating],
    values: NDArray[np.floating],
    lams: Floats,
    recipes: NDArray[np.float64],
    uniforms: Floats,
) -> Controlled:
    """Draw one token a row: logits and values [R, V], lambda [R], recipes [R, 3] as (T, kind, value), uniforms [R].

    Raises ValueError where the logits, or lambda times the values inside their support, hold NaN or +inf, or where no
    token is left.
    """
    rows = len(logits)
    tokens, counted, figures = np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty((rows, 4))
    arrays = (logits, values, lams, recipes, uniforms, tokens, figures, counted)
    in_shares(lambda first, end: _draw(*(array[first:end] for array in arrays)), rows)
    if np.any(tokens < 0):
        raise ValueError(
            "the logits or the scorer's values hold NaN, +inf or a row of -inf alone; check the model and the scorer."
        )
    return Controlled(tokens, figures[:, 0], figures[:, 1], figures[:, 2], counted, figures[:, 3])


@njit(nogil=True, cache=True, error_model="numpy")
def _draw(logits, values, lams, recipes, uniforms, tokens, figures, counted):  # pragma: no cover (compiled)
    V = logits.shape[1]  # noqa: N806
    memory = room(3, V)
    scaled, weight, tilted = line_of(memory, 0, V), line_of(memory, 1, V), line_of(memory, 2, V)
    for row in range(len(logits)):
        T, kind, value, lam = recipes[row, 0], int(recipes[row, 1]), recipes[row, 2], lams[row]  # noqa: N806
        log_mass = log_mass_of(logits[row])
        tokens[row], counted[row] = -1, 0
        if lam == 0:
            valid, base, mass, cross, least = weigh(logits[row], T, scaled, weight)
        else:
            tilt(logits[row], values[row], lam, tilted)
            valid, base, mass, cross, least = weigh(tilted, T, scaled, weight)
        if not valid or not np.isfinite(log_mass):
            continue
        counted[row] = truncate(kind, value, scaled, weight, mass, cross, least)
        total = sum_of(weight)
        token = pick(weight, uniforms[row] * total)
        tokens[row] = token
        figures[row, 0] = scaled[token] - np.log(total)
        figures[row, 1] = np.log(total) - np.log(base) / T
        figures[row, 2] = scaled[token] * T - np.log(base) if lam == 0 else np.float64(logits[row, token]) - log_mass
        figures[row, 3] = excess_of(logits[row], scaled, weight) / total - np.log(total) + log_mass


@njit(forceinline=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def log_mass_of(line):  # pragma: no cover (compiled)
    """log sum_a e^(line_a)."""
    top, mass = -np.inf, 0.0
    for a in range(len(line)):
        top = max(top, np.float64(line[a]))
    for a in range(len(line)):
        mass += exponential(np.float64(line[a]) - top)
    return top + np.log(mass)


@njit(forceinline=True)
def tilt(line, values, lam, tilted):  # pragma: no cover (compiled)
    """line + lambda V; a token that the model forbids stays so, whatever it is worth."""
    for a in range(len(line)):
        tilted[a] = line[a] + lam * np.float64(values[a]) if line[a] != -np.inf else -np.inf


@njit(forceinline=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def excess_of(line, scaled, weight):  # pragma: no cover (compiled)
    """sum_a w_a (log w_a - line_a) over the kept tokens."""
    total = 0.0
    for a in range(len(line)):
        total += weight[a] * (scaled[a] - np.float64(line[a])) if weight[a] > 0 else 0.0
    return total
