"""Three rewards of English-like strings: their length, the letter pairs they hold, and a Bradley-Terry fit to noise.

The pairs are the truth that a judge sees; the Bradley-Terry reward is fitted to noisy choices between answers, knows
letters alone, and can be exploited. Each is a sum of whole units along the string plus a term of its length.
"""

import numpy as np
from scipy.special import expit

from theory.arrays import shaped
from theory.block_laws import Reward
from theory.layers import Floats, Integers, Layers, sample
from toy.text_automaton import LETTERS, VOCABULARY, last_letter, truncated

PAIRS = ("th", "he", "in", "er", "an", "re")
"""The commonest pairs of letters in English, from most to least."""
GRAIN = 1 / 8
"""The unit of the Bradley-Terry reward: its weights are rounded to eighths, which floats add without error."""


def length_reward(n_states: int, horizon: int) -> Reward:
    """r = log(n / T), n tokens with EOS, in nats. Raises ValueError unless S, T >= 1.

    Source: Mudgal et al., section 4.2.
    """
    units = _no_units(n_states, horizon)
    return Reward(units, 0.0, np.log(np.arange(1, horizon + 1) / horizon))


def pair_reward(n_states: int, horizon: int) -> Reward:
    """r = how often one of the pairs occurs, counted with its second letter. Raises ValueError unless S, T >= 1."""
    token = {letter: 1 + i for i, letter in enumerate(LETTERS)}
    units = _no_units(n_states, horizon)
    for pair in PAIRS:
        units[:, last_letter(n_states) == token[pair[0]], token[pair[1]]] = 1
    return Reward(units, 1.0, np.zeros(horizon))


def letter_reward(weights: Floats, n_states: int, horizon: int) -> Reward:
    """r = the sum of the letters' weights, [28] with 0 for EOS, rounded to the grain.

    Raises ValueError unless S, T >= 1, and on weights that are not finite, of another shape, or so large that no float
    counts their units.
    """
    counted = np.rint(shaped(weights, (VOCABULARY,), "weights") / GRAIN)
    if not np.all(np.abs(counted) < 2**53):
        raise ValueError("weights must be finite, and small enough for a float to count their eighths.")
    return Reward(_no_units(n_states, horizon) + counted.astype(np.int64), GRAIN, np.zeros(horizon))


def combined(first: Reward, second: Reward, weight: float) -> Reward:
    """first + weight * second, where second depends on the length alone; raises ValueError if it does not.

    So it does where the two have another shape.
    """
    shaped(second.units, first.units.shape, "the second reward")
    if second.units.any():
        raise ValueError("the second reward must depend on the length alone.")
    return Reward(first.units, first.unit, first.terminal + weight * second.terminal)


def world(log_steps: Floats, successor: Integers, horizon: int, reward: Reward) -> Layers:
    """A letter model cut at the horizon, and one of its rewards."""
    return Layers(truncated(log_steps, horizon), successor, reward.gain)


def choices(layers: Layers, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Pairs of answers from the base law and which of them a noisy judge, P = sigmoid(r(y) - r(y')), prefers.

    Returns the differences of the letter counts, preferred minus rejected, [count, 28], and those of r, [count].
    Raises ValueError unless count >= 1.
    """
    if count < 1:
        raise ValueError(f"count must be >= 1, not {count}.")
    tokens, states, lengths = sample(layers, layers.log_p, 2 * count, rng)
    steps = np.arange(layers.horizon)
    alive = steps < lengths[:, None]
    rewards = np.where(alive, layers.gain[steps, states, tokens], 0.0).sum(axis=-1)
    letters = np.stack([np.sum(tokens == a, axis=-1) for a in range(VOCABULARY)], axis=-1).astype(float)
    letters[:, 0] = 0.0  # the end is no letter
    differences, margins = letters[:count] - letters[count:], rewards[:count] - rewards[count:]
    sign = np.where(rng.random(count) < expit(margins), 1.0, -1.0)
    return sign[:, None] * differences, sign * margins


def letter_weights(differences: Floats, ridge: float = 1.0) -> Floats:
    """The weights w that minimise sum log(1 + e^(-w.d)) + (ridge / 2) |w|^2, by Newton's method: [n, D] -> [D].

    Raises ValueError unless ridge > 0, which makes the problem strictly convex, on another shape or on NaN.

    >>> letter_weights(np.array([[1.0], [1.0], [-1.0]]), ridge=1e-9).round(4).tolist()  # the log-odds of 2 to 1
    [0.6931]
    """
    if not 0 < ridge < np.inf:
        raise ValueError(f"ridge must be a positive number, not {ridge}.")
    if not np.isfinite(shaped(differences, (None, None), "differences")).all():
        raise ValueError("differences must be finite.")
    w = np.zeros(differences.shape[-1])
    for _ in range(100):
        miss = expit(-differences @ w)
        gradient = ridge * w - differences.T @ miss
        curvature = ridge * np.eye(w.size) + differences.T @ ((miss * (1 - miss))[:, None] * differences)
        step = np.linalg.solve(curvature, gradient)
        # A full Newton step can overshoot where the data are nearly separable; one of length 1 at most cannot go far.
        w = w - step / max(1.0, float(np.linalg.norm(step)))
        if np.abs(step).max() < 1e-12:
            return w
    raise ValueError("the Bradley-Terry fit did not converge; raise the ridge.")


def _no_units(n_states: int, horizon: int) -> Integers:
    if n_states < 1 or horizon < 1:
        raise ValueError(f"a reward of strings needs a state and a token at least, not {n_states} and {horizon}.")
    return np.zeros((horizon, n_states, VOCABULARY), dtype=np.int64)
