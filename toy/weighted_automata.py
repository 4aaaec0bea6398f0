"""Automata whose weights need not sum to 1, and the exact moments of what adds up along a string.

Weights that multiply along a path make a law over strings once divided by Z; pushing them towards the start gives an
automaton of that law. So p_plus = p e^(r / beta) / Z is an automaton, and so is every globally normalised adaptor.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.arrays import expectation, shaped
from theory.automata import Automaton

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Additive:
    """Means and covariances of quantities that add up along a string: mean [k], cov [k, k]."""

    mean: Floats
    cov: Floats


def pushed(log_arcs: Floats, log_stop: Floats) -> tuple[Automaton, float]:
    """The automaton whose law is the product of weights along each string over Z, and log Z.

    With h = (I - A)^-1 b, the total weight of the completions of each state: p(arc) = w(arc) h(s') / h(s) and Z = h(0).
    log_arcs: [S, S, m]; log_stop: [S]. Raises ValueError if Z is infinite (the spectral radius of A is not below 1) or
    zero, and on other shapes. Source: weight pushing, Mohri 2009.

    >>> from theory.families import geometric
    >>> fair = geometric(2, 0.5)
    >>> model, log_z = pushed(fair.log_arcs + np.log(1.5), fair.log_stop)
    >>> round(float(np.exp(model.log_stop[0])), 9), round(float(np.exp(log_z)), 9)
    (0.25, 2.0)
    """
    live, best = complete(log_arcs, log_stop), _best(log_arcs, log_stop)
    if not live[0]:
        raise ValueError("the normaliser Z is zero: no string keeps any weight.")
    inside = (live[:, None] & live)[..., None]
    # The best completions as a scale leave the spectrum as it is and let no entry of consequence underflow.
    scale = np.where(live, best, 0.0)
    arcs = np.where(inside, log_arcs, -np.inf) + (scale - scale[:, None])[..., None]
    stop = np.where(live, log_stop, -np.inf) - scale
    growth = np.exp(log_growth(arcs))
    if not growth < 1:
        raise ValueError(f"the normaliser Z is infinite: the weights grow {growth:.6g}-fold a symbol, not below 1.")
    total = np.linalg.solve(np.eye(len(stop)) - np.exp(arcs).sum(axis=-1), np.exp(stop))
    # A state off every complete string is never visited; there the end is certain.
    log_h = np.log(np.where(live, total, 1.0))
    model = Automaton(arcs + (log_h - log_h[:, None])[..., None], np.where(live, stop - log_h, 0.0))
    return model, float(log_h[0] + scale[0])


def complete(log_arcs: Floats, log_stop: Floats) -> NDArray[np.bool_]:
    """Which states some complete string of positive weight passes through, [S]; without state 0 there is no string.

    Raises ValueError on other shapes than [S, S, m] and [S].
    """
    shaped(log_stop, _square(log_arcs).shape[:1], "log_stop")
    return np.asarray(_from_start(log_arcs) & (_best(log_arcs, log_stop) > -np.inf))


def along(arc_values: Floats, stop_values: Floats) -> Floats:
    """Values of arcs [S, S, m] and stops [S] as one row a state, in the order of `Automaton.log_outcomes`.

    Raises ValueError on other shapes.
    """
    shaped(stop_values, _square(arc_values, "arc_values").shape[:1], "stop_values")
    return np.concatenate([arc_values.reshape(len(stop_values), -1), stop_values[:, None]], axis=-1)


def additive(model: Automaton, *values: Floats) -> Additive:
    """Mean and covariance, under the model, of sums along a string: values [S, S m + 1] each, of the outcomes.

    m = (I - A)^-1 E[v] and Cov = (I - A)^-1 E[d d'] with d = v + m(next) - m(here), the martingale's steps.
    Raises ValueError if the model is not tight: endless strings then have mass, and no finite sum; and on values of
    another shape.
    """
    for value in values:
        shaped(value, model.log_outcomes.shape, "values")
    if np.any(model.reachable & (model.log_best == -np.inf)):
        raise ValueError("the model is not tight: some state that strings reach never lets them end.")
    log_p, seen = model.log_outcomes, model.reachable
    solve = np.linalg.inv(np.eye(len(seen)) - np.where(seen[:, None] & seen, np.exp(model.log_arcs).sum(axis=-1), 0.0))

    def total(step: Floats) -> Floats:
        return np.asarray(solve @ np.where(seen, step, 0.0))

    gains = [np.where(log_p > -np.inf, value, 0.0) for value in values]
    means = [total(np.asarray(expectation(log_p, gain))) for gain in gains]
    copies = model.log_arcs.shape[-1]
    steps = [
        gain + np.append(np.repeat(mean, copies), 0.0) - mean[:, None] for gain, mean in zip(gains, means, strict=True)
    ]
    cov = [[total(np.asarray(expectation(log_p, a * b)))[0] for b in steps] for a in steps]
    return Additive(np.array([mean[0] for mean in means]), np.array(cov))


def log_growth(log_arcs: Floats) -> float:
    """Log of the spectral radius of A, A[s, s'] the sum of the weights of the arcs [S, S, m]; -inf without a cycle.

    Raises ValueError on another shape.

    >>> from theory.families import geometric
    >>> float(round(log_growth(geometric(3, 0.5).log_arcs) / np.log(2), 9))
    -1.0
    """
    linked = _square(log_arcs).max(axis=-1) > -np.inf
    cyclic = linked
    for _ in range(len(linked).bit_length()):  # transitive closure by squaring
        cyclic = cyclic | (cyclic @ cyclic)
    if not np.diagonal(cyclic).any():  # nilpotent, though rounding leaves it eigenvalues up to eps^(1 / S)
        return -float("inf")
    top = float(log_arcs.max())
    return top + float(np.log(np.abs(np.linalg.eigvals(np.exp(log_arcs - top).sum(axis=-1))).max()))


def _square(arcs: Floats, name: str = "log_arcs") -> Floats:
    """Arcs [S, S, m] with S, m >= 1, unchanged, or a ValueError."""
    shaped(arcs, (None, *arcs.shape[:1], None), name)
    if not arcs.size:
        raise ValueError(f"{name} needs a state and a place for an arc at least, not {list(arcs.shape)}.")
    return arcs


def _best(log_arcs: Floats, log_stop: Floats) -> Floats:
    """The log-weight of the heaviest completion of each state of fewer arcs than states; -inf where there is none."""
    arcs, best = log_arcs.max(axis=-1), log_stop
    for _ in range(len(log_stop)):
        best = np.maximum(best, (arcs + best).max(axis=-1))
    return best


def _from_start(log_arcs: Floats) -> NDArray[np.bool_]:
    """Which states arcs lead to from state 0, itself included."""
    linked = log_arcs.max(axis=-1) > -np.inf
    seen = np.arange(len(linked)) == 0
    for _ in range(len(linked)):
        seen = seen | (seen @ linked)
    return np.asarray(seen)
