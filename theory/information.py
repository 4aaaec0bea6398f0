"""Information measures of log-probabilities, in nats, over the last axis."""

import math

from array_api_compat import array_namespace

from theory.arrays import Array, expectation, logsumexp, validated


def entropy(log_p: Array) -> Array:
    """Shannon entropy H(p) = -sum_a p_a log p_a.

    log_p: [..., V] log-probabilities. Returns [...] nats. Raises ValueError on NaN or an all -inf row.

    >>> import numpy as np
    >>> float(entropy(np.log([0.5, 0.5])) / np.log(2))
    1.0
    """
    return -expectation(validated(log_p), log_p)


def cross_entropy(log_pi: Array, log_p: Array) -> Array:
    """Cross-entropy CE(pi, p) = -sum_a pi_a log p_a; +inf where pi leaves the support of p.

    log_pi, log_p: [..., V]. Returns [...] nats. Raises ValueError on NaN or an all -inf row.

    >>> import numpy as np
    >>> float(cross_entropy(np.log([0.5, 0.5]), np.log([0.25, 0.75])).round(6))
    0.836988
    """
    return -expectation(validated(log_pi, "log_pi"), validated(log_p))


def kl(log_pi: Array, log_p: Array) -> Array:
    """Relative entropy KL(pi || p) = sum_a pi_a (log pi_a - log p_a); +inf unless pi << p.

    log_pi, log_p: [..., V]. Returns [...] nats. Raises ValueError on NaN or an all -inf row.

    >>> import numpy as np
    >>> float(kl(np.log([0.5, 0.5]), np.log([0.25, 0.75])).round(6))
    0.143841
    """
    xp = array_namespace(log_pi, log_p)
    validated(log_pi, "log_pi")
    validated(log_p)
    outside, zero = log_pi == -float("inf"), xp.zeros_like(log_pi)
    return expectation(log_pi, xp.where(outside, zero, log_pi) - xp.where(outside, zero, log_p))


def renyi_entropy(log_p: Array, alpha: float) -> Array:
    """Renyi entropy H_alpha(p) = log(sum_a p_a^alpha) / (1 - alpha), with its limits at 0, 1 and infinity.

    log_p: [..., V]; alpha: in [0, inf]. Returns [...] nats.
    Raises ValueError on a negative or NaN alpha, NaN log_p, or an all -inf row. Source: Tan et al., Definition 3.

    >>> import numpy as np
    >>> float(renyi_entropy(np.log([0.5, 0.25, 0.25]), 2.0).round(6))
    0.980829
    """
    xp = array_namespace(validated(log_p))
    if not alpha >= 0:
        raise ValueError(f"alpha must be a number >= 0, not {alpha}.")
    if alpha == 1:
        return entropy(log_p)
    if alpha == math.inf:
        return -xp.max(log_p, axis=-1)
    # 0 times -inf would be NaN
    tilted = alpha * log_p if alpha else xp.where(log_p == -float("inf"), log_p, xp.zeros_like(log_p))
    return logsumexp(tilted) / (1 - alpha)


def varentropy(log_p: Array) -> Array:
    """Varentropy V(p) = sum_a p_a (log p_a + H(p))^2: the variance of the information content.

    log_p: [..., V]. Returns [...] squared nats. Raises ValueError on NaN or an all -inf row.
    Source: Tan et al., section 5.1.

    >>> import numpy as np
    >>> float(varentropy(np.log([0.5, 0.5])))
    0.0
    """
    xp = array_namespace(log_p)
    deviation = log_p + xp.expand_dims(entropy(log_p), axis=-1)
    return expectation(log_p, deviation**2)
