"""Best-of-K: draw K strings from p, keep the one of highest reward. Source: Mudgal et al., section 3.2."""

from array_api_compat import array_namespace

from theory.arrays import Array, logsumexp, validated, with_axes

NEVER = -float("inf")


def best_of(log_p: Array, reward: Array, K: int) -> Array:  # noqa: N803 (the field's symbol)
    """The exact law of the winner: pi(y) = p(y) / p(g) (F_g^K - F_(g-)^K), g the strings whose reward ties with y's.

    F_g is the base probability of a reward at most that of g, F_(g-) of a lower one; a tie falls to either by chance.
    log_p, reward: [..., V], all strings or blocks; K: integer >= 1. Returns log pi [..., V]; memory V (V + K).
    Raises ValueError on a bad K, NaN, or an all -inf row.

    >>> import numpy as np
    >>> np.exp(best_of(np.log([0.5, 0.5]), np.array([0.0, 1.0]), 2)).round(6).tolist()
    [0.25, 0.75]
    """
    xp = array_namespace(validated(log_p), with_axes(reward, 1, "reward"))
    if xp.any(xp.isnan(reward)):
        raise ValueError("reward contains NaN; check the model that produced it.")
    possible, mine, theirs = log_p != NEVER, reward[..., :, None], reward[..., None, :]

    def log_mass(chosen: Array) -> Array:
        row = xp.where(chosen, log_p[..., None, :], xp.full_like(log_p[..., None, :], NEVER))
        return xp.where(possible, logsumexp(row), xp.zeros_like(log_p))

    log_below, log_up_to = log_mass(theirs < mine), log_mass(theirs <= mine)
    return log_p + _advantage(log_below, log_up_to, K)


def best_of_levels(log_p: Array, K: int) -> Array:  # noqa: N803
    """`best_of` where entry g of log_p [..., G] is the mass of the g-th lowest reward, all rewards distinct.

    Raises ValueError as `best_of`. Memory G K, where that of `best_of` is V (V + K).

    >>> import numpy as np
    >>> np.exp(best_of_levels(np.log([0.5, 0.5]), 2)).round(6).tolist()
    [0.25, 0.75]
    """
    xp = array_namespace(validated(log_p))
    possible = log_p != NEVER
    up_to = xp.cumulative_sum(xp.exp(log_p), axis=-1)
    below = xp.concat([xp.zeros_like(up_to[..., :1]), up_to[..., :-1]], axis=-1)

    def log_mass(mass: Array) -> Array:
        some = possible & (mass > 0)
        log_some = xp.log(xp.where(some, mass, xp.ones_like(mass)))
        return xp.where(some, log_some, xp.where(possible, xp.full_like(mass, NEVER), xp.zeros_like(mass)))

    # A lowest reward whose mass underflows keeps its logarithm.
    log_up_to = xp.where(possible & (up_to == 0), log_p, log_mass(up_to))
    return log_p + _advantage(log_mass(below), log_up_to, K)


def _advantage(log_below: Array, log_up_to: Array, K: int) -> Array:  # noqa: N803
    """log (F_g^K - F_(g-)^K) / p(g), as the sum of F_g^j F_(g-)^(K-1-j) over j < K: nothing cancels, 0^0 = 1."""
    if not isinstance(K, int) or K < 1:
        raise ValueError(f"best-of-K's K must be an integer >= 1, not {K}.")
    xp = array_namespace(log_up_to)
    terms = [j * log_up_to + (K - 1 - j) * log_below for j in range(K - 1)] + [(K - 1) * log_up_to]
    return logsumexp(xp.stack(terms, axis=-1))
