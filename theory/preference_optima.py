"""The population optima of KL-regularised RL, DPO and IPO on a finite set of answers: what training aims at.

All are p e^h normalised; each method has its log-ratio h. A comparison law w(y, y') = w(y', y) says which pairs are
compared, P(y, y') = 1 - P(y', y) how often y beats y'. Arrays are [..., M] and [..., M, M], any batch.
"""

from collections.abc import Callable

import numpy as np

from theory.arrays import with_axes
from theory.guidance import gibbs
from theory.preferences import Floats, complementary, components, dpo_slope, margins, positive, reachable, symmetric

Slope = Callable[[Floats, Floats, float], Floats]
# Newton's method squares its error; a full step this small leaves one near rounding.
_SETTLED = 1e-9
_ROUNDS, _HALVINGS = 200, 60


def rl_optimum(log_p: Floats, reward: Floats, beta: float) -> Floats:
    """The maximiser of E_pi r - beta KL(pi || p), which PPO climbs: p e^(r / beta) / Z. Returns log pi [..., M].

    reward: [..., M], -inf allowed. Raises ValueError unless 0 < beta < inf, and as `theory.guidance.gibbs`.
    """
    return np.asarray(gibbs(log_p, reward / positive(beta, "beta")))


def psi_optimum(log_p: Floats, preference: Floats, log_mu: Floats, tau: float) -> Floats:
    """The maximiser of P(y beats y') - tau KL(pi || p) for y ~ pi, y' ~ mu: p e^(E_mu P(y, y') / tau) / Z.

    It is IPO's optimum where both answers of a pair are drawn from mu. Returns log pi [..., M].
    Raises ValueError unless 0 < tau < inf and P(y, y') + P(y', y) = 1.
    Source: Azar et al. 2023 (2310.12036), equations 6 and 11.

    >>> from theory.preferences import by_reward
    >>> p = np.log([0.5, 0.5])
    >>> bool(np.isclose(np.diff(psi_optimum(p, by_reward(np.array([0.0, 9.0])), p, 0.25)), 0.5 / 0.25).all())
    True
    """
    return np.asarray(gibbs(log_p, _wins(complementary(preference), log_mu) / positive(tau, "tau")))


def self_play_optimum(log_p: Floats, preference: Floats, tau: float) -> Floats:
    """The only policy with pi ~ p e^(E_pi P(y, y') / tau): where on-line IPO, its pairs drawn from pi, stands still.

    It is the equilibrium of the game in which both players pay tau KL to p. Newton's method with backtracking on
    f(h) = h - P pi / tau, whose Jacobian is never singular because P + P' is constant. Returns log pi [..., M].
    Raises ValueError as `psi_optimum`, RuntimeError where rounding stops the iteration early.
    Source: Calandriello et al. 2024 (2403.08635), self-play and on-line IPO.
    """
    centred, positive_tau = (
        complementary(preference) - 0.5,
        positive(tau, "tau"),
    )  # a constant added to h changes no policy
    size = log_p.shape[-1]
    h: Floats = np.zeros(np.broadcast_shapes(log_p.shape, centred.shape[:-1]))

    def missed(h: Floats) -> Floats:
        return np.asarray(h - _wins(centred, gibbs(log_p, h)) / positive_tau)

    for _ in range(_ROUNDS):
        pi = np.exp(gibbs(log_p, h))
        spread = pi[..., :, None] * (np.eye(size) - pi[..., None, :])
        step = -np.linalg.solve(np.eye(size) - centred @ spread / tau, missed(h)[..., None])[..., 0]
        share, before = np.ones((*h.shape[:-1], 1)), _largest(missed(h))
        for _ in range(_HALVINGS):
            after = _largest(missed(h + share * step))
            short = (after > (1 - share / 4) * before) & (_largest(step) > _SETTLED)
            if not short.any():
                break
            share = np.where(short, share / 2, share)
        h = h + share * step
        if np.abs(step).max() < _SETTLED:
            return np.asarray(gibbs(log_p, h))
    raise RuntimeError("the equilibrium was not reached; tau may be too small for double precision.")


def dpo_log_ratio(pairs: Floats, preference: Floats, beta: float) -> Floats:
    """The minimiser of E dpo_loss over log-ratios, mean zero in each component of the compared pairs: [..., M].

    Newton's method with the step log(1 + d) / d, d the step's range, for which a logistic loss descends from anywhere.
    Constants on a component are free: pairs never compared across components say nothing of them. Raises ValueError
    where no minimiser exists, because some answers never lose to the others of their component, and on weights or
    preferences that are none.
    Sources: Rafailov et al. 2023 (2305.18290); Ford 1957 on existence; Sun and Tran-Dinh 2019 on the step.
    """
    positive(beta, "beta")
    among = components(symmetric(pairs))
    complementary(preference)
    if np.any(among & ~reachable(pairs * preference > 0)):
        raise ValueError("some answers never lose to the others that they are compared with: DPO has no minimiser.")
    pinned, h = among / among.sum(axis=-1, keepdims=True), np.zeros(pairs.shape[:-1])
    for _ in range(_ROUNDS):
        slope = gradient(h, pairs, preference, beta, dpo_slope)
        s = beta * margins(h)
        bend = 2 * beta**2 * pairs / (2 + np.exp(s) + np.exp(-s))
        step = -np.linalg.solve(_laplacian(bend) + pinned, slope[..., None])[..., 0]
        d = beta * (step.max(axis=-1) - step.min(axis=-1))[..., None]
        # log(1 + d) / d, which is 1 - d/2 + ... where the quotient would be 0/0.
        h = h + step * np.where(d > 0, np.log1p(d) / np.where(d > 0, d, 1.0), 1.0)
        if d.max() < _SETTLED:
            return np.asarray(h - (pinned @ h[..., None])[..., 0])
    raise RuntimeError("Newton's method did not settle; some preference may be too close to 0 or 1.")


def ipo_log_ratio(pairs: Floats, preference: Floats, tau: float) -> Floats:
    """The minimiser of E ipo_loss over log-ratios, mean zero in each component of the compared pairs: [..., M].

    Least squares on a graph: Laplacian(w) h = sum_y' w(y, y') (2 P(y, y') - 1) / (2 tau). Always exists.
    Raises ValueError unless 0 < tau < inf, and on weights or preferences that are none.
    Source: Azar et al. 2023 (2310.12036), section 5.2.
    """
    among = components(symmetric(pairs))
    pinned = among / among.sum(axis=-1, keepdims=True)
    aims = np.sum(pairs * (2 * complementary(preference) - 1), axis=-1) / (2 * positive(tau, "tau"))
    h = np.linalg.solve(_laplacian(pairs) + pinned, aims[..., None])[..., 0]
    return np.asarray(h - (pinned @ h[..., None])[..., 0])


def gradient(log_ratio: Floats, pairs: Floats, preference: Floats, strength: float, slope: Slope) -> Floats:
    """The derivative of E loss in h(y), 2 sum_y' w(y, y') slope(h(y) - h(y'), P(y, y')): [..., M].

    slope: `theory.preferences.dpo_slope` or `ipo_slope`. It sums to 0: it is the derivative in the policy's logits too.
    """
    return np.asarray(2 * np.sum(pairs * slope(margins(log_ratio), preference, strength), axis=-1))


def winner_at_least(log_p: Floats, excess: Floats, pairs: Floats, winner: int, beta: float) -> Floats:
    """A lower bound of pi(winner) for every policy whose DPO loss is within `excess` of its infimum: [...].

    Where the winner beats all others for sure, each pair alone forces h(winner) - h(y) >= -log(e^(excess / 2w) - 1) /
    beta, w = w(winner, y): the winner takes all as the loss goes to its infimum, at any beta. excess: [...] nats, > 0.
    Raises ValueError unless 0 < beta < inf, on a winner that is none of the answers, and where log_p and pairs hold
    other numbers of answers. The effect was pointed out by Azar et al. 2023, section 4.2.
    """
    answers = with_axes(log_p, 1, "log_p").shape[-1]
    if with_axes(pairs, 2, "pairs").shape[-2:] != (answers, answers) or winner not in range(answers):
        raise ValueError(f"winner {winner} and pairs {pairs.shape} do not fit {answers} answers.")
    others = np.arange(log_p.shape[-1]) != winner
    pull = excess[..., None] / (2 * pairs[..., winner, others])
    # log(e^x - 1) = x + log(1 - e^-x), which does not overflow.
    forced = -(pull + np.log(-np.expm1(-pull))) / positive(beta, "beta")
    u = np.zeros(np.broadcast_shapes(log_p.shape, pairs.shape[:-1], (*excess.shape, 1)))
    u[..., others] = -forced
    return np.asarray(np.exp(gibbs(log_p, u)[..., winner]))


def _largest(x: Floats) -> Floats:
    return np.asarray(np.abs(x).max(axis=-1, keepdims=True))


def _wins(preference: Floats, log_mu: Floats) -> Floats:
    return np.asarray((preference @ np.exp(log_mu)[..., None])[..., 0])


def _laplacian(weights: Floats) -> Floats:
    degree = np.sum(weights, axis=-1)[..., None] * np.eye(weights.shape[-1])
    return np.asarray(degree - weights)
