"""Pairs of answers and the two losses that are trained on them: what one labelled pair contributes, and its slope.

An answer y beats y' with probability P(y, y') = 1 - P(y', y). Both losses see a policy through the margin
h(y) - h(y') of its log-ratio h = log pi - log p alone, whole answers, summed over their tokens.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from theory.arrays import validated, with_axes

Floats = NDArray[np.float64]


def bradley_terry(reward: Floats) -> Floats:
    """P(y, y') = sigmoid(r(y) - r(y')): [..., M] -> [..., M, M]. Raises ValueError unless the rewards are finite.

    >>> bradley_terry(np.log([1.0, 3.0])).round(6).tolist()
    [[0.5, 0.25], [0.75, 0.5]]
    """
    return np.asarray(expit(_differences(reward)))


def by_reward(reward: Floats) -> Floats:
    """P(y, y') = 1 where r(y) > r(y'), 1/2 where they tie, else 0: pairs labelled by the reward itself.

    [..., M] -> [..., M, M]. Raises ValueError unless the rewards are finite.
    Source: Mudgal et al., section 4.3, on-line DPO and IPO on explicit rewards.
    """
    return (1 + np.sign(_differences(reward))) / 2


def independent(log_mu: Floats) -> Floats:
    """The comparison law of two independent draws, mu(y) mu(y'): [..., M] -> [..., M, M].

    Raises ValueError on NaN or an all -inf row.
    """
    mu = np.exp(validated(log_mu, "log_mu"))
    return np.asarray(mu[..., :, None] * mu[..., None, :])


def dpo_loss(margin: Floats, preference: Floats, beta: float) -> Floats:
    """-P log sigmoid(beta m) - (1 - P) log sigmoid(-beta m), the margin m = h(y) - h(y'), P that y beats y'.

    P is 1 or 0 for a pair that was labelled. Raises ValueError unless 0 < beta < inf.
    Source: Rafailov et al. 2023 (2305.18290), equation 7.
    """
    scaled = positive(beta, "beta") * margin
    return np.asarray(preference * np.logaddexp(0.0, -scaled) + (1 - preference) * np.logaddexp(0.0, scaled))


def dpo_slope(margin: Floats, preference: Floats, beta: float) -> Floats:
    """The derivative of `dpo_loss` in the margin, beta (sigmoid(beta m) - P)."""
    return np.asarray(positive(beta, "beta") * (expit(beta * margin) - preference))


def ipo_loss(margin: Floats, preference: Floats, tau: float) -> Floats:
    """P (m - 1/(2 tau))^2 + (1 - P) (m + 1/(2 tau))^2. Raises ValueError unless 1e-150 <= tau < inf.

    Source: Azar et al. 2023 (2310.12036), equation 17.
    """
    aim = 1 / (2 * positive(tau, "tau"))
    if tau < 1e-150:
        raise ValueError(f"tau must be at least 1e-150, not {tau}: the square of 1/tau is beyond the largest float.")
    return np.asarray(preference * (margin - aim) ** 2 + (1 - preference) * (margin + aim) ** 2)


def ipo_slope(margin: Floats, preference: Floats, tau: float) -> Floats:
    """The derivative of `ipo_loss` in the margin, 2 m - (2 P - 1) / tau."""
    return np.asarray(2 * margin - (2 * preference - 1) / positive(tau, "tau"))


def margins(log_ratio: Floats) -> Floats:
    """h(y) - h(y'): [..., M] -> [..., M, M]. Raises ValueError on an array without axes."""
    with_axes(log_ratio, 1, "log_ratio")
    return np.asarray(log_ratio[..., :, None] - log_ratio[..., None, :])


def components(pairs: Floats) -> NDArray[np.bool_]:
    """Whether a chain of compared pairs leads from y to y': [..., M, M], equal rows for one component.

    Raises ValueError unless the last two axes are square.
    """
    return reachable(pairs > 0)


def reachable(edges: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The reflexive transitive closure by repeated squaring: [..., M, M] booleans.

    Raises ValueError unless the last two axes are square.
    """
    with_axes(edges, 2, "a table of pairs")
    size = edges.shape[-1]
    if edges.shape[-2] != size:
        raise ValueError(f"a table of pairs has as many rows as columns, not the shape {edges.shape}.")
    found = edges | np.eye(size, dtype=bool)
    for _ in range(max(1, size - 1).bit_length()):
        found = (found.astype(float) @ found.astype(float)) > 0
    return np.asarray(found)


def complementary(preference: Floats) -> Floats:
    """Return the preference unchanged, or raise a ValueError unless P(y, y') + P(y', y) = 1, both in [0, 1]."""
    total = preference + np.swapaxes(preference, -1, -2)
    # Probabilities come with a rounding error each; written so that NaN fails.
    if not (np.all(preference >= 0) and np.all(np.abs(total - 1) < 1e-9)):
        raise ValueError("preference must hold P(y, y') = 1 - P(y', y), both in [0, 1].")
    return preference


def symmetric(pairs: Floats) -> Floats:
    """Return the weights unchanged, or raise a ValueError unless w(y, y') = w(y', y) >= 0."""
    if not (np.all(pairs >= 0) and np.all(np.abs(pairs - np.swapaxes(pairs, -1, -2)) < 1e-12)):
        raise ValueError("pairs must hold weights w(y, y') = w(y', y) >= 0.")
    return pairs


def positive(strength: float, name: str) -> float:
    """Return the strength unchanged, or raise a ValueError that names it unless 0 < strength < inf."""
    if not 0 < strength < np.inf:
        raise ValueError(f"{name} must be a positive number, not {strength}.")
    return strength


def _differences(reward: Floats) -> Floats:
    if not np.isfinite(reward).all():
        raise ValueError("reward must be finite; check the model that produced it.")
    return margins(reward)
