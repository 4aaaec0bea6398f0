"""A given token under many schemes at once, on the CPU: one sort of the logits serves every scheme.

Every rule of `theory.adaptors` keeps a window [a, b) of the tokens in the order of falling logits: a truncation by
probability keeps a head, locally typical sampling keeps a window about the entropy. Of tokens with equal logits a
window keeps the lower ids. Temperature changes weights but no order, so one sort does for all temperatures.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from empirical.engines.kernel import ETA, MIN_P, NUCLEUS, ROUNDING, TOP_K, TYPICAL, exponential, in_shares, recipe
from theory.adaptors import Adaptor, local

Floats = NDArray[np.float64]


def forced(
    logits: torch.Tensor, tokens: torch.Tensor, adaptors: Sequence[Adaptor]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """log f(p)_y, -inf where y is cut, and log Z of each row's token y under each adaptor: two [R, K], in nats.

    logits [R, V], tokens [R]. log q_y = log f(p)_y - log Z. float64; an adaptor that the kernel does not know goes
    through `theory.adaptors`. Raises ValueError on NaN, +inf or a row of -inf alone.
    """
    log_w, log_kept = (np.empty((len(tokens), len(adaptors))) for _ in range(2))
    recipes = [recipe(adaptor) for adaptor in adaptors]
    known = sorted((k for k, one in enumerate(recipes) if one), key=lambda k: recipes[k] or ())
    if known:
        lines, ids = logits.cpu().numpy(), tokens.cpu().numpy()
        if np.isnan(lines).any() or not np.isfinite(lines.max(axis=1)).all():
            raise ValueError("the logits hold NaN, +inf or a row of -inf alone; check the model that gave them.")
        figures = np.empty((2, len(ids), len(known)))
        table = np.array([recipes[k] for k in known], float)

        def work(first: int, end: int) -> None:
            some = lines[first:end]
            _force(some, -np.sort(-some, axis=1), ids[first:end], table, *figures[:, first:end])

        in_shares(work, len(ids))
        log_w[:, known], log_kept[:, known] = figures
    log_p = None
    for k in (k for k, one in enumerate(recipes) if one is None):
        log_p = logits.double().log_softmax(-1) if log_p is None else log_p
        log_q, kept = local(adaptors[k], log_p)
        log_kept[:, k] = kept.cpu().numpy()
        log_w[:, k] = log_q.gather(1, tokens[:, None])[:, 0].cpu().numpy() + log_kept[:, k]
    return log_w, log_kept


@njit(nogil=True, cache=True, error_model="numpy")
def _force(logits, ordered, tokens, recipes, log_w, log_kept):  # pragma: no cover (compiled)
    """ordered: the logits, falling; recipes: [K, 3] as (T, kind, value), rising in T so that each T is weighed once."""
    V = logits.shape[1]  # noqa: N806
    scaled, weight, cumulative = np.empty(V), np.empty(V), np.zeros(V + 1)
    for row in range(len(logits)):
        token, own = tokens[row], logits[row, tokens[row]]
        above, tied, before = _place(logits[row], own, token)
        log_base = np.log(_weigh(ordered[row], 1.0, scaled, weight)[0])
        last = 0.0
        for k in range(len(recipes)):
            T, kind, value = recipes[k, 0], int(recipes[k, 1]), recipes[k, 2]  # noqa: N806
            if last != T:
                last = T
                mass, cross = _weigh(ordered[row], T, scaled, weight)
                for a in range(V):
                    cumulative[a + 1] = cumulative[a] + weight[a]
            log_mass = np.log(mass)
            first, end = _window(scaled, weight, cumulative, kind, value, log_mass, log_mass - cross / mass)
            kept = before < min(end, above + tied) - max(first, above)
            log_w[row, k] = (np.float64(own) - ordered[row, 0] - log_base) / T if kept else -np.inf
            log_kept[row, k] = np.log(cumulative[end] - cumulative[first]) - log_base / T


@njit(forceinline=True)
def _place(line, own, token):  # pragma: no cover (compiled)
    """How many logits are larger than the token's, how many equal it, and how many of these have a lower id."""
    above, tied, before = 0, 0, 0
    for a in range(len(line)):
        above += line[a] > own
        tied += line[a] == own
        before += line[a] == own and a < token
    return above, tied, before


@njit(forceinline=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _weigh(ordered, T, scaled, weight):  # noqa: N803  # pragma: no cover (compiled)
    """Fill log-weights and weights at temperature T, relative to the top; (sum w, sum w log w)."""
    mass, cross = 0.0, 0.0
    for a in range(len(ordered)):
        scaled[a] = (np.float64(ordered[a]) - ordered[0]) / T
        weight[a] = exponential(scaled[a])
    for a in range(len(ordered)):
        mass += weight[a]
        cross += weight[a] * scaled[a] if scaled[a] > -np.inf else 0.0
    return mass, cross


@njit(forceinline=True, error_model="numpy")
def _window(scaled, weight, cumulative, kind, value, log_mass, entropy):  # pragma: no cover (compiled)
    """The places [a, b) that a rule keeps, in the order of falling logits."""
    mass = cumulative[-1]
    if kind == TOP_K:
        return 0, min(int(value), len(scaled))
    if kind == ETA:
        bar = min(np.log(value), -entropy + 0.5 * np.log(value))
        return 0, _at_least(scaled, min(bar + log_mass, 0.0))
    if kind == MIN_P:
        return 0, _at_least(scaled, np.log(value))
    if kind == NUCLEUS and value < 1:
        return 0, np.searchsorted(cumulative, (value - ROUNDING) * mass)
    if kind == TYPICAL and value < 1:
        centre, target = log_mass - entropy, (value - ROUNDING) * mass
        b = _at_least(scaled, centre)
        a, reached = b, 0.0
        while reached < target:
            up = scaled[a - 1] - centre if a > 0 else np.inf
            down = centre - scaled[b] if b < len(scaled) else np.inf
            if up == np.inf and down == np.inf:
                break
            if down < up:
                reached += weight[b]
                b += 1
            else:
                a -= 1
                reached += weight[a]
        return a, b
    return 0, len(scaled)


@njit(forceinline=True)
def _at_least(scaled, bar):  # pragma: no cover (compiled)
    """How many of the falling log-weights are >= bar."""
    low, high = 0, len(scaled)
    while low < high:
        middle = (low + high) // 2
        if scaled[middle] >= bar:
            low = middle + 1
        else:
            high = middle
    return low
