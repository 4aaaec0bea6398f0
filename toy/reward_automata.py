"""Worlds of endlessly many strings: an automaton with a reward that adds up along the string, and its adaptors."""

from dataclasses import dataclass

import numpy as np

from theory.adaptors import Adaptor, local, temperature
from theory.arrays import shaped
from theory.automata import Automaton, critical_alpha, log_power_sum
from theory.language_models import log_dirichlet
from toy.weighted_automata import Floats, along, complete, log_growth, pushed


@dataclass(frozen=True, eq=False)
class RewardAutomaton:
    """A prior p, a reward r that adds up along the string, and p_plus = p e^(r / beta) / Z, automata all.

    x, r: log p and r / beta of each state's outcomes, [S, S m + 1] nats, in the order of `Automaton.log_outcomes`.
    """

    prior: Automaton
    r: Floats
    beta: float
    aligned: Automaton
    log_z: float

    @property
    def x(self) -> Floats:
        """log p of each outcome, [S, S m + 1]."""
        return self.prior.log_outcomes


def reward_automaton(prior: Automaton, arc_reward: Floats, stop_reward: Floats, beta: float = 1.0) -> RewardAutomaton:
    """The world of a prior and the rewards of its arcs [S, S, m] and stops [S], all finite.

    Raises ValueError on other shapes, unless 0 < beta < inf, and, with the critical beta, where E_p e^(r / beta) is
    infinite.
    Source: Tan et al., equations 1 and 2.
    """
    if not 0 < beta < np.inf:
        raise ValueError(f"beta must be a positive number, not {beta}.")
    shaped(stop_reward, prior.log_stop.shape, "stop_reward")
    if not (np.all(np.isfinite(_of_arcs(prior, arc_reward))) and np.all(np.isfinite(stop_reward))):
        raise ValueError("the rewards of arcs and stops must be finite.")
    if not _log_gain(prior, arc_reward, 1 / beta) < 0:
        raise ValueError(
            f"the normaliser Z of p_plus is infinite at beta = {beta:g}: E e^(r / beta) is finite only for beta above "
            f"the critical {critical_beta(prior, arc_reward):.6g}."
        )
    aligned, log_z = pushed(prior.log_arcs + arc_reward / beta, prior.log_stop + stop_reward / beta)
    return RewardAutomaton(prior, along(arc_reward, stop_reward) / beta, beta, aligned, log_z)


def critical_beta(prior: Automaton, arc_reward: Floats) -> float:
    """The largest beta at which E_p e^(r / beta) is infinite, where A e^(r / beta) has spectral radius 1.

    arc_reward: [S, S, m]. The log-radius is convex in 1 / beta (Kingman 1961) and negative at 0, so it crosses 0 at
    most once. Returns 0 if it does not below 1 / beta = 2^20: no cycle then pays. Raises ValueError on another shape
    and on rewards that are not finite.
    """
    if not np.all(np.isfinite(_of_arcs(prior, arc_reward))):
        raise ValueError("the rewards of arcs must be finite.")
    low, high = 0.0, 1.0
    while _log_gain(prior, arc_reward, high) < 0:
        low, high = high, 2 * high
        if high > 2**20:
            return 0.0
    for _ in range(60):  # beyond the 53 bits of float64
        middle = (low + high) / 2
        low, high = (middle, high) if _log_gain(prior, arc_reward, middle) < 0 else (low, middle)
    return 1 / high


def locally_adapted(model: Automaton, adaptor: Adaptor) -> tuple[Automaton, Floats]:
    """The locally normalised adaptor as an automaton, and each state's kept mass log Z_t, [S] nats.

    It may not be tight: see `finite_mass`. Raises ValueError where no string ends. Source: Tan et al., section 4.
    """
    log_q, log_kept = local(adaptor, model.log_outcomes)
    return Automaton(log_q[:, :-1].reshape(model.log_arcs.shape), log_q[:, -1]), log_kept


def globally_adapted(model: Automaton, adaptor: Adaptor) -> tuple[Automaton, float]:
    """The globally normalised adaptor as an automaton, and log Z.

    Raises ValueError where Z is infinite or zero. Source: Tan et al., equations 6 to 8.
    """
    log_w = adaptor(model.log_outcomes)
    return pushed(log_w[:, :-1].reshape(model.log_arcs.shape), log_w[:, -1])


def globally_tempered(model: Automaton, T: float) -> tuple[Automaton, float]:  # noqa: N803 (the field's symbol)
    """Global temperature T as an automaton of the law p^(1/T) / Z, and log Z.

    Raises ValueError unless 0 < T < T_c = 1 / alpha_c, from which on Z is infinite.
    """
    adaptor, critical = temperature(T), critical_temperature(model)
    if critical <= T:
        raise ValueError(
            f"the global normaliser is infinite at T = {T:g}: T must lie below this model's critical temperature "
            f"{critical:.6g}."
        )
    return globally_adapted(model, adaptor)


def keeps_strings(model: Automaton, adaptor: Adaptor) -> bool:
    """Whether any finite string survives the adaptor; else all local mass is on endless ones, and global Z = 0."""
    log_w = adaptor(model.log_outcomes)
    return bool(complete(log_w[:, :-1].reshape(model.log_arcs.shape), log_w[:, -1])[0])


def finite_mass(model: Automaton) -> float:
    """The mass of the finite strings; below 1 the model is not tight."""
    return float(np.exp(log_power_sum(model, 1.0)))


def critical_temperature(model: Automaton) -> float:
    """T_c = 1 / alpha_c, at and above which the global normaliser of temperature is infinite; inf if there is none.

    >>> from theory.families import geometric
    >>> round(critical_temperature(geometric(2, 0.1)), 6)  # 1 + log(1 / .9) / log 2
    1.152003
    """
    alpha = float(critical_alpha(model))
    return 1 / alpha if alpha > 0 else float("inf")


def random_bigram(rng: np.random.Generator, n_symbols: int, concentration: float, stop: float) -> Automaton:
    """A bigram model: state 0 is the start, state s the symbol s just written; rows Dirichlet, p(eos | s) >= stop.

    Raises ValueError unless n_symbols >= 1 and 0 <= stop < 1, and as `log_dirichlet`.
    """
    if n_symbols < 1 or not 0 <= stop < 1:
        raise ValueError(f"a bigram needs n_symbols >= 1 and 0 <= stop < 1, not {n_symbols} and {stop}.")
    log_rows = log_dirichlet(n_symbols + 1, rng, concentration, (n_symbols + 1,)) + np.log1p(-stop)
    log_arcs = np.full((n_symbols + 1, n_symbols + 1, 1), -np.inf)
    log_arcs[:, 1:, 0] = log_rows[:, :-1]
    return Automaton(log_arcs, np.logaddexp(log_rows[:, -1], np.log(stop) if stop else -np.inf))


def _of_arcs(prior: Automaton, arc_reward: Floats) -> Floats:
    return np.asarray(shaped(arc_reward, prior.log_arcs.shape, "arc_reward"))


def _log_gain(prior: Automaton, arc_reward: Floats, strength: float) -> float:
    """Log of the factor by which the weights p e^(strength r) grow with the length of a string."""
    useful = prior.reachable & (prior.log_best > -np.inf)
    both = (useful[:, None] & useful)[..., None]
    return log_growth(np.where(both, prior.log_arcs + strength * arc_reward, -np.inf))
