"""Guided decoding: each rule is the maximiser of one objective <pi, u> - KL(pi || p), so pi is p e^u normalised.

All rules map [..., V] log-probabilities to a normalised log-policy [..., V] whose support lies inside that of p.
Sources: Chang et al., Theorems 3.1 to 3.5 (Table 1); Mudgal et al., Theorem 2.1.
"""

import numpy as np
from array_api_compat import array_namespace

from theory.arrays import Array, normalised, validated
from theory.information import kl


def gibbs(log_p: Array, u: Array) -> Array:
    """The maximiser of J(pi) = <pi, u> - KL(pi || p): log pi = log p + u - log Z.

    log_p, u: [..., V]; u may be -inf (a token ruled out) and is ignored where p_a = 0.
    Raises ValueError on NaN, on u = +inf inside the support, and where u rules out the whole support.

    >>> import numpy as np
    >>> np.exp(gibbs(np.log([0.6, 0.4]), np.log([0.1, 0.9]))).round(4).tolist()
    [0.1429, 0.8571]
    """
    xp = array_namespace(validated(log_p), u)
    log_w = log_p + xp.where(log_p == -float("inf"), xp.zeros_like(u), u)
    return normalised(validated(log_w, "log p + u"))


def classifier_guidance(log_p: Array, log_success: Array, lam: float) -> Array:
    """Theorem 3.1 with the success probability Q(s, .) held fixed: pi ~ p Q^lambda.

    log_success: [..., V] log Q(s, a) in [-inf, 0]; a constant shift such as -log V(s) changes nothing.
    Raises ValueError as `gibbs`; lambda < 0 with Q = 0 inside the support has no maximiser.
    """
    return gibbs(log_p, _scaled(lam, log_success))


def classifier_free_guidance(log_p: Array, log_p_without: Array, lam: float) -> Array:
    """Theorem 3.2: pi ~ p^(1 + lambda) (p^-)^(-lambda), p with the evidence and p^- without it.

    Scale dictionary: transformers' guidance_scale = 1 + lambda; context-aware decoding's alpha = lambda;
    PREADD's strength = 1 + lambda. Raises ValueError where lambda > 0 and supp p is not inside supp p^-.
    """
    xp = array_namespace(validated(log_p), validated(log_p_without, "log_p_without"))
    inside = log_p != -float("inf")
    if lam > 0 and xp.any(inside & (log_p_without == -float("inf"))):
        raise ValueError("the support of log_p is not inside that of log_p_without, so lambda > 0 has no maximiser.")
    zero = xp.zeros_like(log_p)
    ratio = xp.where(inside, log_p, zero) - xp.where(inside, log_p_without, zero)
    return gibbs(log_p, _scaled(lam, ratio))


def kl_guided_temperature(log_p: Array, log_p_without: Array, sigma: float) -> Array:
    """Theorem 3.3 with h(x) = 2^(x / sigma) - 1: pi ~ p^(1 + h), x = KL(p || p^-) in nats.

    The temperature is T = 2^(-x / sigma): 1 where the evidence says nothing, greedy (ties shared) as x grows.
    Raises ValueError unless 0 < sigma < inf.
    """
    if not 0 < sigma < float("inf"):
        raise ValueError(f"sigma must be a positive number of nats, not {sigma}.")
    xp = array_namespace(log_p, log_p_without)
    exponent = xp.expand_dims(kl(log_p, log_p_without), axis=-1) / sigma
    # Past 2^100 the power law and its greedy limit agree in every float, and float32 would overflow soon after.
    power = 2.0 ** xp.minimum(exponent, xp.full_like(exponent, LARGEST_EXPONENT))
    below_top = log_p - xp.max(log_p, axis=-1, keepdims=True)
    return xp.where(exponent < LARGEST_EXPONENT, normalised(below_top * power), greedy(log_p))


def controlled(log_p: Array, values: Array, lam: float) -> Array:
    """Tokenwise controlled decoding (CD, Theorem 2.1): pi ~ p e^(lambda V([x, y^t, z])).

    values: [..., V], the value of each continuation z under the base model. Raises ValueError as `gibbs`.
    """
    return gibbs(log_p, _scaled(lam, values))


def greedy(log_p: Array) -> Array:
    """Theorem 3.5: all mass on the most probable token, shared equally among ties (the limit T -> 0).

    >>> import numpy as np
    >>> np.exp(greedy(np.log([0.4, 0.4, 0.2]))).round(6).tolist()
    [0.5, 0.5, 0.0]
    """
    xp = array_namespace(validated(log_p))
    top = log_p == xp.max(log_p, axis=-1, keepdims=True)
    return normalised(xp.where(top, xp.zeros_like(log_p), xp.full_like(log_p, -float("inf"))))


LARGEST_EXPONENT = 100.0


def _scaled(lam: float, u: Array) -> Array:
    """lambda u with 0 u = 0 also where u is -inf."""
    if not np.isfinite(lam):
        raise ValueError(f"lambda must be a finite number, not {lam}.")
    xp = array_namespace(u)
    return u * lam if lam else xp.where(xp.isnan(u), u, xp.zeros_like(u))
