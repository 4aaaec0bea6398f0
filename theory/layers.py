"""A decision process of finite horizon whose states recur: exact values, policies and laws by sums over layers.

At step t in state s token a is drawn from log_p[t, s] and pays gain[t, s, a]; token 0 is EOS and ends the string, any
other leads to successor[s, a]. Strings number V^T, but all below takes T steps over S x V entries. The start is state
0. A policy is an array [T, S, V] of log-probabilities, a value table Q is one [T, S, V] of nats or reward units.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.arrays import expectation, logsumexp, validated
from theory.guidance import controlled
from theory.information import kl
from theory.values import Backup, soft_backup

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
EOS = 0


@dataclass(frozen=True, eq=False)
class Layers:
    """A base law over strings of at most T tokens, EOS included, and what each token pays.

    log_p: [T, S, V] nats, at t = T - 1 all mass on EOS; successor: [S, V] states (the entry of EOS is not used);
    gain: [T, S, V], finite; a reward of the whole string sits on EOS. Raises ValueError on shapes that do not fit,
    NaN, a row that is not normalised, a symbol allowed at the last step, or a state that does not exist.
    """

    log_p: Floats
    successor: Integers
    gain: Floats

    def __post_init__(self) -> None:
        if self.log_p.ndim != 3 or 0 in self.log_p.shape:
            raise ValueError(f"log_p must be [T, S, V] with T, S, V >= 1, not {self.log_p.shape}.")
        if self.gain.shape != self.log_p.shape or self.successor.shape != self.log_p.shape[1:]:
            raise ValueError(
                f"gain {self.gain.shape} and successor {self.successor.shape} do not fit log_p {self.log_p.shape}."
            )
        checked_policy(self, self.log_p, "log_p")
        if not np.isfinite(self.gain).all():
            raise ValueError("gain must be finite; check the reward that produced it.")
        follows = self.successor[:, EOS + 1 :]
        if not np.issubdtype(follows.dtype, np.integer) or np.any((follows < 0) | (follows >= self.n_states)):
            raise ValueError(f"successor must hold integers in 0..{self.n_states - 1}.")

    @property
    def horizon(self) -> int:
        """T, the greatest number of tokens of a string, EOS counted."""
        return int(self.log_p.shape[0])

    @property
    def n_states(self) -> int:
        """S."""
        return int(self.log_p.shape[1])


def checked_policy(layers: Layers, log_policy: Floats, name: str = "log_policy") -> Floats:
    """Return the policy unchanged, or raise a ValueError: shape, NaN, a row's sum, a symbol at the last step."""
    if log_policy.shape != layers.log_p.shape:
        raise ValueError(f"{name} must have the shape {layers.log_p.shape}, not {log_policy.shape}.")
    # Sums of exponentials of float64 log-probabilities as low as -700 err by 700 ulp, about 1e-13.
    if np.abs(logsumexp(validated(log_policy, name))).max() > 1e-9:
        raise ValueError(f"{name} has a row whose probabilities do not sum to 1.")
    if np.any(log_policy[-1, :, EOS + 1 :] > -np.inf):
        raise ValueError(f"{name} allows a symbol at the last step, where only EOS may follow.")
    return log_policy


def action_values(layers: Layers, backup: Backup, log_policy: Floats | None = None) -> Floats:
    """Q(t, s, a) = gain(t, s, a) + V(t + 1, s'), V(t, s) = backup(log pi(. | t, s), Q(t, s, .)), V = 0 after EOS.

    backup: `theory.arrays.expectation` (controlled decoding's V* where pi is the base law, which it is unless
    log_policy [T, S, V] is given), `theory.values.soft_backup(lam)` or `theory.values.best_backup`. Returns [T, S, V].
    """
    log_pi = layers.log_p if log_policy is None else checked_policy(layers, log_policy)
    q = np.array(layers.gain)
    for t in reversed(range(layers.horizon - 1)):
        q[t, :, EOS + 1 :] += backup(log_pi[t + 1], q[t + 1])[layers.successor[:, EOS + 1 :]]
    return q


def state_values(layers: Layers, q: Floats, backup: Backup = expectation) -> Floats:
    """V(t, s) = backup(log p(. | t, s), Q(t, s, .)), and 0 where no token is left: [T + 1, S]."""
    return np.concatenate([backup(layers.log_p, q), np.zeros((1, layers.n_states))])


def sequence_optimum(layers: Layers, lam: float) -> tuple[Floats, float]:
    """The maximiser of lambda E_pi r - KL(pi || p) over all laws of strings, p e^(lambda r) / Z, and log Z.

    Returns the policy p e^(lambda Q_soft), [T, S, V], and the dual value log Z = log E_p e^(lambda r) in nats.
    Raises ValueError unless 0 < lambda < inf.
    """
    backup = soft_backup(lam)
    q = action_values(layers, backup)
    return controlled(layers.log_p, q, lam), float(lam * backup(layers.log_p[0, 0], q[0, 0]))


def occupancy(layers: Layers, log_policy: Floats) -> Floats:
    """The probability that a string has not ended before step t and is in state s then: [T, S].

    Raises ValueError as `checked_policy`, as do all functions below.
    """
    pi = np.exp(checked_policy(layers, log_policy))
    reached = np.zeros(pi.shape[:2])
    reached[0, 0] = 1.0
    ahead = layers.successor[:, EOS + 1 :].ravel()
    for t in range(layers.horizon - 1):
        flow = reached[t, :, None] * pi[t, :, EOS + 1 :]
        reached[t + 1] = np.bincount(ahead, weights=flow.ravel(), minlength=layers.n_states)
    return reached


def sequence_kl(layers: Layers, log_policy: Floats, log_base: Floats | None = None) -> float:
    """KL(pi || base) over strings, E_pi of the sum of the tokens' KLs, in nats; the base is log_p unless given.

    +inf where pi, in a state that it reaches, leaves the base's support. Source: the chain rule.
    """
    reached = occupancy(layers, log_policy)
    per_state = kl(log_policy, layers.log_p if log_base is None else checked_policy(layers, log_base, "log_base"))
    return float(np.sum(reached[reached > 0] * per_state[reached > 0]))


def expected_gain(layers: Layers, log_policy: Floats) -> float:
    """E_pi of the sum of the gains along a string."""
    return float(np.sum(occupancy(layers, log_policy) * expectation(log_policy, layers.gain)))


def length_law(layers: Layers, log_policy: Floats) -> Floats:
    """P(a string has n tokens, EOS counted) for n = 1..T: [T]."""
    return np.asarray(np.sum(occupancy(layers, log_policy) * np.exp(log_policy[:, :, EOS]), axis=-1))


def sample(
    layers: Layers, log_policy: Floats, count: int, rng: np.random.Generator
) -> tuple[Integers, Integers, Integers]:
    """Independent strings: tokens [count, T] (EOS and after: 0), the states before them [count, T], lengths [count].

    A length counts EOS, so that tokens[i, :lengths[i]] is string i; states after the end are those at the end.
    The gains of string i are layers.gain[t, states[i, t], tokens[i, t]] for t < lengths[i].
    """
    cumulated = np.cumsum(np.exp(checked_policy(layers, log_policy)), axis=-1)
    cumulated /= cumulated[..., -1:]  # the last is exactly 1, and no uniform reaches it
    tokens, states = np.zeros((2, count, layers.horizon), dtype=np.int64)
    lengths, alive = np.full(count, layers.horizon), np.arange(count)
    for t in range(layers.horizon):
        here, u = states[alive, t], rng.random(count)[alive]
        drawn = np.sum(cumulated[t, here] <= u[:, None], axis=-1)
        tokens[alive, t] = drawn
        lengths[alive[drawn == EOS]] = t + 1
        if t + 1 < layers.horizon:
            states[:, t + 1] = states[:, t]
            alive, here, drawn = alive[drawn != EOS], here[drawn != EOS], drawn[drawn != EOS]
            states[alive, t + 1] = layers.successor[here, drawn]
    return tokens, states, lengths
