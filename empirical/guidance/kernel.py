"""A guided step in one fused pass a row on the CPU: combine the two laws, draw, and record what the step is worth.

The rules are `empirical.guidance.Guidance.law`'s, in float64 on the same logits, up to rounding. Both laws enter by
their logits alone: what normalises them cancels, but in the figures.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from empirical.engines.kernel import Floats, exponential, in_shares, line_of, pick, room, sum_of, weigh
from empirical.engines.tilted import excess_of, log_mass_of
from empirical.guidance.rules import Guidance
from theory.guidance import LARGEST_EXPONENT

KINDS = {"none": 0, "free": 1, "kl": 2, "classifier": 3}
NONE, FREE, KL, CLASSIFIER = KINDS.values()
COLDEST = 2.0**-LARGEST_EXPONENT
"""Greedy in every float: of tokens that are no ties such a temperature leaves one a weight."""
FIGURES = ("log_proposal", "log_model", "log_without", "information", "entropy", "kl", "temperature")


@dataclass(frozen=True)
class Guided:
    """One token a row, and its step's figures in nats, [R] each.

    log_proposal, log_model, log_without: of the token under the guided law pi, p and p^-; information: KL(p || p^-);
    entropy: of pi; kl: KL(pi || p); temperature: T times the rule's own.
    """

    tokens: NDArray[np.int64]
    log_proposal: Floats
    log_model: Floats
    log_without: Floats
    information: Floats
    entropy: Floats
    kl: Floats
    temperature: Floats


def recipe(rule: Guidance) -> tuple[float, float, float]:
    """(kind, strength, T) of a rule, as the kernel reads it."""
    return float(KINDS[rule.kind]), rule.strength, max(rule.T, COLDEST)


def draw(
    logits: NDArray[np.floating],
    without: NDArray[np.floating],
    log_success: NDArray[np.floating],
    recipes: NDArray[np.float64],
    uniforms: Floats,
) -> Guided:
    """Draw one token a row: logits, without and log_success [R, V], recipes [R, 3], uniforms [R].

    log_success: read for rows of the classifier's rule alone; [0, V] if there is none. Raises ValueError on NaN or
    +inf, where lambda > 0 and supp p is not inside supp p^-, and where no token or no finite normaliser is left.
    """
    rows = len(logits)
    tokens, figures = np.empty(rows, np.int64), np.empty((rows, len(FIGURES)))
    success = log_success if len(log_success) else logits[:, :0]
    arrays = (logits, without, success, recipes, uniforms, tokens, figures)
    in_shares(lambda first, end: _draw(*(array[first:end] for array in arrays)), rows)
    if np.any(tokens < 0):
        raise ValueError(
            "a step has no guided law: logits hold NaN or +inf, the evidence allows a token that is impossible without "
            "it, or lambda makes the normaliser infinite or leaves no token; take a smaller lambda."
        )
    return Guided(tokens, *figures.T)


@njit(nogil=True, cache=True, error_model="numpy")
def _draw(logits, without, success, recipes, uniforms, tokens, figures):  # pragma: no cover (compiled)
    V = logits.shape[1]  # noqa: N806
    memory = room(3, V)
    scaled, weight, line = line_of(memory, 0, V), line_of(memory, 1, V), line_of(memory, 2, V)
    for row in range(len(logits)):
        kind, strength, T = int(recipes[row, 0]), recipes[row, 1], recipes[row, 2]  # noqa: N806
        tokens[row] = -1
        log_mass, log_mass_without = log_mass_of(logits[row]), log_mass_of(without[row])
        if not (np.isfinite(log_mass) and np.isfinite(log_mass_without)):
            continue
        information = _information(logits[row], without[row]) - log_mass + log_mass_without
        if np.isnan(information):
            continue
        if kind == KL:
            T = max(T * 2.0 ** -(max(information, 0.0) / strength), COLDEST)  # noqa: N806
        if not _combine(logits[row], without[row], success[row], kind, strength, line):
            continue
        valid, _, mass, cross, _ = weigh(line, T, scaled, weight)
        if not valid:
            continue
        total = sum_of(weight)
        token = pick(weight, uniforms[row] * total)
        tokens[row] = token
        figures[row, 0] = scaled[token] - np.log(total)
        figures[row, 1] = np.float64(logits[row, token]) - log_mass
        figures[row, 2] = np.float64(without[row, token]) - log_mass_without
        figures[row, 3] = max(information, 0.0)
        figures[row, 4] = max(np.log(mass) - cross / mass, 0.0)
        figures[row, 5] = max(excess_of(logits[row], scaled, weight) / total - np.log(total) + log_mass, 0.0)
        figures[row, 6] = T


@njit(forceinline=True)
def _combine(line, without, success, kind, strength, combined):  # pragma: no cover (compiled)
    """log p + u up to a constant, for the rule's u; False where the rule has no maximiser."""
    free, faults = kind == FREE, 0
    if kind in (NONE, KL) or strength == 0:
        strength, free = 0.0, True
    # One test inside the loop and no way out of it: the compiler then spreads it over vector lanes.
    for a in range(len(line)):
        own = np.float64(line[a])
        gain = strength * (own - np.float64(without[a]) if free else np.float64(success[a]))
        allowed = own > -np.inf
        faults += allowed and strength != 0 and not gain < np.inf
        combined[a] = own + gain if allowed and strength != 0 else own
    return faults == 0


@njit(forceinline=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _information(line, without):  # pragma: no cover (compiled)
    """sum_a p_a (line_a - without_a), p the softmax of line; +inf where p allows what p^- forbids, NaN on NaN."""
    top, total, gap, faults = -np.inf, 0.0, 0.0, 0
    for a in range(len(line)):
        top = max(top, np.float64(line[a]))
        faults += (line[a] != line[a]) + (without[a] != without[a])
    if faults:
        return np.nan
    for a in range(len(line)):
        w = exponential(np.float64(line[a]) - top)
        total += w
        gap += w * (np.float64(line[a]) - np.float64(without[a])) if w > 0 else 0.0
    return gap / total
