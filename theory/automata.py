"""Probabilistic automata, n-gram models among them: exact sums over infinitely many strings by linear algebra.

With A_alpha[s, s'] the sum of p(arc)^alpha over the arcs from s to s', sum_y p(y)^alpha is an entry of
(I - A_alpha)^-1 b_alpha, finite iff the spectral radius of A_alpha is below 1.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from theory.arrays import expectation, logsumexp

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Automaton:
    """From state s, arc k leads to s' with probability exp(log_arcs[s, s', k]), or the string ends; 0 is the start.

    Every arc of a state stands for a symbol of its own, so that a string has one path and p(y) is a product along it.
    log_arcs: [..., S, S, m]; log_stop: [..., S], nats. Raises ValueError on NaN, shapes that do not fit, a state whose
    probabilities do not sum to 1, or if no string ends.
    """

    log_arcs: Floats
    log_stop: Floats

    def __post_init__(self) -> None:
        if self.log_arcs.shape[:-1] != (*self.log_stop.shape, self.log_stop.shape[-1]):
            raise ValueError(f"log_arcs {self.log_arcs.shape} and log_stop {self.log_stop.shape} do not fit.")
        # Sums of exponentials of float64 log-probabilities as low as -700 err by 700 ulp, about 1e-13.
        if not np.abs(logsumexp(self.log_outcomes)).max() <= 1e-9:
            raise ValueError("a state's arcs and stop hold NaN or do not sum to 1.")
        if np.any(self.log_best[..., 0] == -np.inf):
            raise ValueError("no string ends: the automaton puts no mass on finite strings.")

    @property
    def log_outcomes(self) -> Floats:
        """Every way to leave a state, its arcs and then the stop: [..., S, S m + 1] nats."""
        arcs = self.log_arcs.reshape(*self.log_stop.shape, -1)
        return np.concatenate([arcs, self.log_stop[..., None]], axis=-1)

    @cached_property
    def log_best(self) -> Floats:
        """The log-probability of the likeliest completion from each state, [..., S]; -inf where there is none."""
        arcs, best = self.log_arcs.max(axis=-1), self.log_stop
        for _ in range(self.log_stop.shape[-1]):  # no cycle gains, so S rounds settle it
            best = np.maximum(self.log_stop, (arcs + best[..., None, :]).max(axis=-1))
        return best

    @cached_property
    def reachable(self) -> NDArray[np.bool_]:
        """Which states a string can pass through, [..., S]."""
        linked = self.log_arcs.max(axis=-1) > -np.inf
        seen = np.broadcast_to(np.arange(self.log_stop.shape[-1]) == 0, self.log_stop.shape)
        for _ in range(self.log_stop.shape[-1]):
            seen = seen | np.any(linked & seen[..., :, None], axis=-2)
        return seen

    @property
    def stop_bound(self) -> Floats:
        """The largest epsilon with p(eos | y) >= epsilon after every prefix of positive probability, [...]."""
        return np.asarray(np.where(self.reachable, np.exp(self.log_stop), 1.0).min(axis=-1))


def power_matrix(model: Automaton, alpha: Floats | float) -> tuple[Floats, Floats]:
    """A_alpha [..., S, S] and b_alpha [..., S] over the states of finite strings, rescaled by their best completions.

    The rescaling D^-1 A_alpha D, D = diag(p_best^alpha), keeps the spectrum and lets no entry of consequence underflow
    at any alpha. Raises ValueError unless 0 <= alpha < inf.
    """
    power = np.asarray(alpha, dtype=float)
    if not np.all((power >= 0) & (power < np.inf)):
        raise ValueError("alpha must be a number in [0, inf).")
    useful = model.reachable & (model.log_best > -np.inf)
    best = np.where(useful, model.log_best, 0.0)
    both = useful[..., :, None] & useful[..., None, :]
    gain = np.where(both[..., None], model.log_arcs, -np.inf) + (best[..., None, :] - best[..., :, None])[..., None]
    last = np.where(useful, model.log_stop, -np.inf) - best
    return _power(gain, power[..., None, None, None]).sum(axis=-1), _power(last, power[..., None])


def growth(model: Automaton, alpha: Floats | float) -> Floats:
    """The spectral radius of A_alpha, [...]: the factor by which sum_{|y| = n} p(y)^alpha grows with n."""
    return np.asarray(np.abs(np.linalg.eigvals(power_matrix(model, alpha)[0])).max(axis=-1))


def log_power_sum(model: Automaton, alpha: Floats | float) -> Floats:
    """log sum_y p(y)^alpha over all finite strings, [...] nats; +inf where the sum diverges.

    alpha: a number or [...]. Raises ValueError unless 0 <= alpha < inf.

    >>> from theory.families import geometric
    >>> float(log_power_sum(geometric(2, 0.1), 1.0).round(9)), float(log_power_sum(geometric(2, 0.1), 0.5))
    (0.0, inf)
    """
    a, b = power_matrix(model, alpha)
    finite = growth(model, alpha) < 1
    sums = np.linalg.solve(np.eye(a.shape[-1]) - np.where(finite[..., None, None], a, 0.0), b[..., None])[..., 0, 0]
    log_sum = np.log(np.where(finite, sums, 1.0)) + alpha * model.log_best[..., 0]
    return np.where(finite, log_sum, np.inf)


def entropy(model: Automaton) -> Floats:
    """H = (I - A)^-1 h at the start, h the entropy of each state's step, [...] nats.

    Raises ValueError if the automaton is not tight.

    >>> from theory.families import geometric
    >>> round(float(entropy(geometric(1, 0.5)) / np.log(2)), 9)
    2.0
    """
    return _accumulated(model, -expectation(model.log_outcomes, model.log_outcomes))[..., 0]


def varentropy(model: Automaton) -> Floats:
    """V = (I - A)^-1 d at the start, d_s the variance over one step of its information plus the entropy still to come.

    [...] squared nats. Raises ValueError if the automaton is not tight.
    """
    to_come = _accumulated(model, -expectation(model.log_outcomes, model.log_outcomes))
    after = np.broadcast_to(to_come[..., None, :, None], model.log_arcs.shape).reshape(*to_come.shape, -1)
    after = np.concatenate([after, np.zeros((*to_come.shape, 1))], axis=-1)
    surprise = after - model.log_outcomes - to_come[..., None]
    return _accumulated(model, expectation(model.log_outcomes, surprise**2))[..., 0]


def expected_length(model: Automaton) -> Floats:
    """E|y| = (I - A)^-1 A 1 at the start, [...] symbols, the end not counted. Raises ValueError if not tight."""
    return _accumulated(model, np.exp(model.log_arcs).sum(axis=(-2, -1)))[..., 0]


def renyi_entropy(model: Automaton, alpha: float) -> Floats:
    """H_alpha = log sum_y p(y)^alpha / (1 - alpha), its limits at 1 and inf included, [...] nats; +inf if it diverges.

    Raises ValueError on a negative or NaN alpha, and at alpha = 1 if the automaton is not tight.
    Source: Tan et al., Definition 2.
    """
    if alpha == 1:
        return entropy(model)
    if alpha == np.inf:
        return np.asarray(-model.log_best[..., 0])
    return np.asarray(log_power_sum(model, alpha) / (1 - alpha))


def critical_alpha(model: Automaton) -> Floats:
    """The alpha at which the spectral radius of A_alpha is 1, [...]: H_alpha is finite above it, infinite at and below.

    0 where no alpha > 0 diverges. The critical temperature of global normalisation is 1 / alpha.

    >>> from theory.families import golden_bigram
    >>> phi = (1 + 5**0.5) / 2
    >>> bool(abs(critical_alpha(golden_bigram()) - np.log2(phi)) < 1e-12)
    True
    """
    low, high = np.zeros(model.log_stop.shape[:-1]), np.ones(model.log_stop.shape[:-1])
    for _ in range(52):  # one bit of float64 a halving
        middle = (low + high) / 2
        diverges = growth(model, middle) >= 1
        low, high = np.where(diverges, middle, low), np.where(diverges, high, middle)
    # The radius of a matrix of counts is 0, 1, or at least 2^(1/S): only past 1 does some alpha > 0 diverge.
    return np.where(growth(model, 0.0) > 1 + 1e-6, high, 0.0)


def _power(log_p: Floats, alpha: Floats) -> Floats:
    live = log_p > -np.inf
    return np.where(live, np.exp(alpha * np.where(live, log_p, 0.0)), 0.0)


def _accumulated(model: Automaton, gain: Floats) -> Floats:
    """E of the gains [..., S] summed over the states visited, from each state on: (I - A)^-1 gain."""
    if np.any(model.reachable & (model.log_best == -np.inf)):
        raise ValueError("the automaton is not tight: some state that strings reach never lets them end.")
    within = (model.reachable[..., :, None] & model.reachable[..., None, :])[..., None]
    a = np.where(within, np.exp(model.log_arcs), 0.0).sum(axis=-1)
    right = np.where(model.reachable, gain, 0.0)[..., None]
    return np.asarray(np.linalg.solve(np.eye(a.shape[-1]) - a, right)[..., 0])
