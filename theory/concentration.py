"""How fast the mean surprisal of N strings concentrates: Renyi entropies give the exact exponent.

With I = -log p(Y), K(t) = log E e^(tI) = log sum_y p(y)^(1-t) = t H_(1-t). Source: Tan et al., appendix D.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from theory import automata, information
from theory.arrays import logsumexp, validated
from theory.automata import Automaton

Floats = NDArray[np.float64]
GOLDEN = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True, eq=False)
class Surprisal:
    """The law of I = -log p(Y), as far as its deviations need it; every figure is [...], in nats.

    least, most: the ends of its range; critical_alpha: log_power_sum(alpha) = log sum_y p^alpha is finite above it.
    """

    entropy: Floats
    varentropy: Floats
    least: Floats
    most: Floats
    critical_alpha: Floats
    log_power_sum: Callable[[Floats], Floats]


def of_law(log_p: Floats) -> Surprisal:
    """The surprisal of a finite law, [..., M] log-probabilities. Raises ValueError on NaN or an all -inf row."""
    live = validated(log_p) > -np.inf
    level = np.where(live, log_p, 0.0)

    def log_power_sum(alpha: Floats) -> Floats:
        return np.asarray(logsumexp(np.where(live, np.asarray(alpha)[..., None] * level, -np.inf)))

    return Surprisal(
        np.asarray(information.entropy(log_p)),
        np.asarray(information.varentropy(log_p)),
        np.asarray(-log_p.max(axis=-1)),
        np.asarray(-np.where(live, log_p, np.inf).min(axis=-1)),
        np.full(log_p.shape[:-1], -np.inf),
        log_power_sum,
    )


def of_automaton(model: Automaton) -> Surprisal:
    """The surprisal of a tight automaton. Raises ValueError if it is not tight.

    An automaton of finitely many strings is treated as if t >= 1 were barred: its bound holds but is not the best.
    """
    shape = model.log_stop.shape[:-1]
    return Surprisal(
        automata.entropy(model),
        automata.varentropy(model),
        automata.renyi_entropy(model, np.inf),
        np.full(shape, np.inf),
        automata.critical_alpha(model),
        lambda alpha: automata.log_power_sum(model, alpha),
    )


def upper_rate(law: Surprisal, epsilon: Floats | float) -> Floats:
    """I_+ = sup_{0 < t < 1 - alpha_c} t (epsilon - (H_(1-t) - H)): P(mean I >= H + epsilon) <= e^(-N I_+), [...].

    Cramer's exponent: none larger holds for all N. +inf beyond the range of I. Raises ValueError unless epsilon > 0.
    Source: Tan et al., equations 34 and 35, optimised over t.

    >>> from theory.families import geometric
    >>> law = of_automaton(geometric(2, 0.3))
    >>> bool(np.isclose(upper_rate(law, 0.01), 0.01**2 / (2 * law.varentropy), rtol=0.02))
    True
    """
    level = law.entropy + _positive(epsilon)
    rate = _supremum(lambda t: t * level - law.log_power_sum(1 - t), 1 - law.critical_alpha, level)
    return np.asarray(np.where(level > law.most, np.inf, rate))


def lower_rate(law: Surprisal, epsilon: Floats | float) -> Floats:
    """I_- = sup_{t > 0} t (epsilon - (H - H_(1+t))): P(mean I <= H - epsilon) <= e^(-N I_-), [...].

    +inf where epsilon > H - H_inf. Raises ValueError unless epsilon > 0. Source: Tan et al., equation 36.
    """
    level = law.entropy - _positive(epsilon)
    rate = _supremum(lambda t: -t * level - law.log_power_sum(1 + t), np.full(level.shape, np.inf), level)
    return np.asarray(np.where(level < law.least, np.inf, rate))


def chernoff_bound(law: Surprisal, size: int, epsilon: Floats | float) -> Floats:
    """Bound on P(|mean I - H| >= epsilon): min(1, e^(-N I_+) + e^(-N I_-)), at most 2 e^(-N min(I_+, I_-)), [...].

    Raises ValueError unless epsilon > 0 and size >= 1. Source: Tan et al., Theorem 2.
    """
    if size < 1:
        raise ValueError(f"a corpus has at least one string, not {size}.")
    tails = np.exp(-size * upper_rate(law, epsilon)) + np.exp(-size * lower_rate(law, epsilon))
    return np.asarray(np.minimum(1.0, tails))


def normal_approximation(varentropy: Floats | float, size: int, epsilon: Floats | float) -> Floats:
    """The central limit estimate of P(|mean I - H| >= epsilon), 2 Phi(-epsilon sqrt(N / V)): no bound.

    >>> round(float(normal_approximation(1.0, 4, 0.98)), 3)
    0.05
    """
    return np.asarray(2 * ndtr(-epsilon * np.sqrt(size / np.asarray(varentropy))))


def _positive(epsilon: Floats | float) -> Floats:
    figures = np.asarray(epsilon, dtype=float)
    if not np.all((figures > 0) & np.isfinite(figures)):
        raise ValueError("epsilon must be positive and finite.")
    return figures


def _supremum(objective: Callable[[Floats], Floats], end: Floats, level: Floats) -> Floats:
    """The supremum over t in (0, end) of a concave function, 0 at 0, by golden section in u, t = end u or u / (1 - u).

    Every t gives a valid bound, so a search that stops short errs on the safe side: u stays below 1 - 1e-6, where
    rounding of t times a surprisal is still below 1e-8.
    """
    low, high = np.zeros(np.broadcast_shapes(end.shape, level.shape)), np.asarray(1 - 1e-6)
    high = np.broadcast_to(high, low.shape)
    bounded = np.isfinite(end)
    span = np.where(bounded, end, 1.0)

    def at(u: Floats) -> Floats:
        return objective(np.where(bounded, span * u, u / (1 - u)))

    best = np.zeros(low.shape)
    for _ in range(40):  # 0.618^40 = 4e-9, and a maximum is flat: the value errs by the square of that
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        at_left, at_right = at(left), at(right)
        best = np.maximum(best, np.maximum(at_left, at_right))
        low, high = np.where(at_left < at_right, left, low), np.where(at_left < at_right, high, right)
    return best
