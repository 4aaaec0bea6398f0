"""Best-of-K: draw K strings from p, keep the one of highest reward. Source: Mudgal et al., section 3.2."""

from array_api_compat import array_namespace

from theory.arrays import Array, logsumexp, validated

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
    if not isinstance(K, int) or K < 1:
        raise ValueError(f"best-of-K's K must be an integer >= 1, not {K}.")
    xp = array_namespace(validated(log_p), reward)
    if xp.any(xp.isnan(reward)):
        raise ValueError("reward contains NaN; check the model that produced it.")
    possible, mine, theirs = log_p != NEVER, reward[..., :, None], reward[..., None, :]

    def log_mass(chosen: Array) -> Array:
        row = xp.where(chosen, log_p[..., None, :], xp.full_like(log_p[..., None, :], NEVER))
        return xp.where(possible, logsumexp(row), xp.zeros_like(log_p))

    log_below, log_up_to = log_mass(theirs < mine), log_mass(theirs <= mine)
    # (F_g^K - F_(g-)^K) / p(g) as the sum of F_g^j F_(g-)^(K-1-j) over j < K: nothing cancels, 0^0 = 1.
    terms = [j * log_up_to + (K - 1 - j) * log_below for j in range(K - 1)] + [(K - 1) * log_up_to]
    return log_p + logsumexp(xp.stack(terms, axis=-1))
