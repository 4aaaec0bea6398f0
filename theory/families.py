"""Models over endless strings: automata of a few states, and laws of a^n whose p(eos) has no lower bound."""

import numpy as np
from numpy.typing import NDArray

from theory.automata import Automaton
from theory.language_models import log_dirichlet

Floats = NDArray[np.float64]


def geometric(m: NDArray[np.int64] | int, e: Floats | float) -> Automaton:
    """One state: the string ends with probability e, else one of m like symbols follows; m, e: [...], one a model.

    >>> geometric(np.array([1, 2]), np.array([0.5, 0.5])).log_arcs.shape
    (2, 1, 1, 2)
    """
    many, end = np.broadcast_arrays(
        np.asarray(m)[..., None, None, None], np.asarray(e, dtype=float)[..., None, None, None]
    )
    used = np.arange(np.max(many)) < many
    return Automaton(np.where(used, np.log1p(-end) - np.log(many), -np.inf), np.log(end[..., 0, 0]))


def golden_bigram() -> Automaton:
    """A tight bigram that never ends after a: it starts with a; a or b follows a, a or the end follows b, evenly."""
    arcs = np.array([[0, 1, 0], [0, 0.5, 0.5], [0, 0.5, 0]])
    with np.errstate(divide="ignore"):  # log 0 is meant
        return Automaton(np.log(arcs)[..., None], np.log(np.array([0, 0, 0.5])))


def integer_bit_bigram() -> Automaton:
    """Every string has a whole number of bits: a 1/2, b 1/4, the end 1/4; after b a 1/8, c 1/8, b 1/2, the end 1/4.

    State 0 is the start and what follows a or c, state 1 what follows b. H = 19/3 bits, V = 250/9 squared bits, and the
    critical temperature is 1.366.
    """
    arcs = np.array([[[1 / 2, 0], [1 / 4, 0]], [[1 / 8, 1 / 8], [1 / 2, 0]]])
    with np.errstate(divide="ignore"):  # log 0 is meant
        return Automaton(np.log(arcs), np.log(np.array([1 / 4, 1 / 4])))


def random_automaton(
    n_states: int, n_arcs: int, rng: np.random.Generator, stop: float = 0.0, batch: tuple[int, ...] = ()
) -> Automaton:
    """Rows uniform on the simplex, mixed with a sure end by `stop`: p(eos | s) >= stop; [*batch, S, S, n_arcs]."""
    log_out = log_dirichlet(n_states * n_arcs + 1, rng, batch=(*batch, n_states)) + np.log1p(-stop)
    log_stop = np.logaddexp(log_out[..., -1], np.log(stop) if stop else -np.inf)
    return Automaton(log_out[..., :-1].reshape(*batch, n_states, n_states, n_arcs), log_stop)


def log_telescoping(n: Floats) -> Floats:
    """log p(a^n), p = 1 / log2(n + 2) - 1 / log2(n + 3), n >= 0: its entropy is infinite.

    n: any shape. Returns nats. The difference is taken without cancellation. Source: Tan et al., Example 2.

    >>> round(float(np.exp(log_telescoping(np.arange(2.0))).sum()), 9)
    0.5
    """
    x, step = np.log(n + 2), np.log1p(1 / (n + 2))
    return np.asarray(np.log(np.log(2)) + np.log(step) - np.log(x) - np.log(x + step))


def log_harmonic(n: Floats) -> Floats:
    """log p(a^n), p = 1 / ((n + 1)(n + 2)), n >= 0: P(length >= n) = 1 / (n + 1), p(eos | a^n) = 1 / (n + 2).

    Entropy and varentropy are finite; H_alpha is infinite for alpha <= 1/2, so Z is infinite at T >= 2.

    >>> round(float(np.exp(log_harmonic(np.arange(9.0))).sum()), 9)
    0.9
    """
    return np.asarray(-np.log(n + 1) - np.log(n + 2))


def log_fourth(n: Floats) -> Floats:
    """log of the weight 1 / (n log^4 n), n >= 2, not normalised.

    Entropy and varentropy are finite, H_alpha is infinite for every alpha < 1.
    """
    return np.asarray(-np.log(n) - 4 * np.log(np.log(n)))


def log_fourth_block(j: Floats, alpha: Floats | float) -> Floats:
    """Log of a lower bound on sum w(n)^alpha over 2^j <= n < 2^(j+1), w = exp(log_fourth), alpha >= 0.

    2^j terms, none below the one at the block's end: j log 2 - alpha ((j + 1) log 2 + 4 log((j + 1) log 2)).
    j: block numbers >= 1. Returns nats.
    """
    end = (j + 1) * np.log(2)
    return np.asarray(j * np.log(2) - alpha * (end + 4 * np.log(end)))
