"""How improbable a corpus with given means is: exponential tilts of the law that draws it.

Among all laws q with E_q T = t the tilt q_theta ∝ p e^(theta T) is the closest to p, and KL(q_theta || p) =
sup_theta theta t - log E_p e^(theta T) is Cramer's rate I(t): N strings drawn from p have a mean near t with
log-probability -N I(t), up to terms of order log N (Sanov; Cramer).
"""

from typing import NamedTuple

import numpy as np

from theory.arrays import logsumexp, shaped, validated
from toy.dirichlet import Floats

STEPS = 60
REACHED = 1e-10
"""Means are met to so many deviations; the rate then errs by its square."""


class Tilt(NamedTuple):
    """The tilts theta [G, d] that have the asked means, and their rates KL(q_theta || p) [G] in nats a string.

    A point outside the convex hull of the strings' own T has no tilt: rate inf, theta NaN. On its border the rate is
    that of the limit, and theta merely large.
    """

    theta: Floats
    rate: Floats


def moments(log_p: Floats, statistics: Floats, theta: Floats) -> tuple[Floats, Floats, Floats]:
    """log E_p e^(theta T), and mean and covariance of T under the tilt: [V], [d, V], [G, d] -> [G], [G, d], [G, d, d].

    Raises ValueError on other shapes.

    >>> log_z, mean, _ = moments(np.log([0.5, 0.5]), np.array([[0.0, 1.0]]), np.array([[np.log(3)]]))
    >>> np.exp(log_z).round(6).item(), mean.round(6).item()
    (2.0, 0.75)
    """
    _fitting(log_p, statistics, theta, "theta")
    log_w = log_p + theta @ statistics
    log_z = np.asarray(logsumexp(log_w))
    q = np.exp(log_w - log_z[:, None])
    mean = q @ statistics.T
    second = np.einsum("gv,iv,jv->gij", q, statistics, statistics, optimize=True)
    return log_z, mean, second - mean[:, :, None] * mean[:, None, :]


def tilted_to(log_p: Floats, statistics: Floats, means: Floats) -> Tilt:
    """The tilt with E T = means, by damped Newton steps on the concave theta t - log E_p e^(theta T).

    log_p: [V]; statistics: [d, V]; means: [G, d]. Raises ValueError on NaN or infinite statistics (the normaliser would
    not exist), on other shapes or NaN means, and on statistics that do not vary or that one line of another fixes.

    >>> tilt = tilted_to(np.log([0.5, 0.5]), np.array([[0.0, 1.0]]), np.array([[0.75], [2.0]]))
    >>> tilt.theta.round(4).ravel().tolist(), tilt.rate.round(4).tolist()
    ([1.0986, nan], [0.1308, inf])
    """
    _fitting(validated(log_p), statistics, means, "means")
    if np.any(np.isnan(means)):
        raise ValueError("the means that a tilt shall have contain NaN.")
    if not np.all(np.isfinite(statistics)):
        raise ValueError("a tilt by an infinite or NaN statistic has an infinite normaliser.")
    zero = np.zeros((1, len(statistics)))
    _, centre, spread = moments(log_p, statistics, zero)
    scale = np.sqrt(np.diagonal(spread[0]))
    # 1e-13: what rounding leaves of a constant's spread; below it the equations for theta are singular.
    varies = np.all(scale > 1e-13 * (1 + np.abs(centre[0])))
    if not varies or np.linalg.cond(correlation := spread[0] / np.outer(scale, scale)) > 1e13:
        raise ValueError("a statistic is constant, or fixed by the others: its tilts are not unique.")
    # Uncorrelated statistics of variance 1: theta is of order 1 for means one deviation away, in every direction.
    whiten = np.linalg.inv(np.linalg.cholesky(correlation)) / scale
    unit, goal = whiten @ (statistics - centre.T), (means - centre) @ whiten.T
    theta, rate = np.zeros_like(goal), np.full(len(goal), np.inf)
    left = np.arange(len(goal))
    for _ in range(STEPS):
        gain, mean, covariance = _dual(log_p, unit, theta[left], goal[left])
        missing = np.linalg.norm(mean - goal[left], axis=-1)
        rate[left] = np.where(missing < REACHED, gain, np.inf)
        far = missing >= REACHED
        left = left[far]
        if not len(left):
            break
        theta[left] = _improved(
            log_p, unit, theta[left], goal[left], gain[far], (goal[left] - mean[far], covariance[far])
        )
    return Tilt(np.where(np.isfinite(rate)[:, None], theta @ whiten, np.nan), rate)


def _fitting(log_p: Floats, statistics: Floats, points: Floats, name: str) -> None:
    objects = shaped(log_p, (None,), "log_p").shape
    shaped(points, (None, len(shaped(statistics, (None, *objects), "statistics"))), name)


def _improved(
    log_p: Floats, unit: Floats, theta: Floats, goal: Floats, gain: Floats, slope: tuple[Floats, Floats]
) -> Floats:
    """One Newton step, quartered until the dual does not fall."""
    gradient, covariance = slope
    # The ridge keeps the step finite at a corner, where the covariance vanishes; it is far below any variance else.
    step = np.linalg.solve(covariance + 1e-14 * np.eye(len(unit)), gradient[..., None])[..., 0]
    # No step is longer than 2: farther the quadratic model says nothing.
    step /= np.maximum(1, np.linalg.norm(step, axis=-1, keepdims=True) / 2)
    slack = 1e-14 * (1 + np.abs(gain))  # near the top gains differ by rounding alone
    for _ in range(8):
        worse = _dual(log_p, unit, theta + step, goal)[0] < gain - slack
        if not worse.any():
            break
        step = np.where(worse[:, None], step / 4, step)
    return theta + step


def _dual(log_p: Floats, unit: Floats, theta: Floats, goal: Floats) -> tuple[Floats, Floats, Floats]:
    log_z, mean, covariance = moments(log_p, unit, theta)
    return (theta * goal).sum(axis=-1) - log_z, mean, covariance
