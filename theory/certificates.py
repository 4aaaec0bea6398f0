"""Certificates of optimality for max over pi of J(pi) = <pi, u> - KL(pi || p): no solver, only identities.

One evaluation of `gibbs_residual` at a random pi already separates pi* from every other policy, `duality_gap`
bounds what any policy could still gain, and `stationarity` is the first-order condition on the simplex.
Source: the Gibbs variational principle (Donsker and Varadhan); Mudgal et al., equations 8 to 13, are its instance.
"""

from array_api_compat import array_namespace

from theory.arrays import Array, expectation, logsumexp, validated
from theory.information import kl


def objective(log_pi: Array, log_p: Array, u: Array) -> Array:
    """J(pi) = <pi, u> - KL(pi || p); -inf where pi leaves the support of p or meets u = -inf.

    log_pi, log_p, u: [..., V]. Returns [...] nats. Raises ValueError on NaN or an all -inf row.

    >>> import numpy as np
    >>> p = np.log([0.6, 0.4])
    >>> float(objective(p, p, np.array([1.0, 2.0])).round(12))
    1.4
    """
    return expectation(log_pi, _inside(log_p, u)) - kl(log_pi, log_p)


def log_partition(log_p: Array, u: Array) -> Array:
    """log Z = log sum_a p_a e^{u_a}: the optimal value of J. [..., V] -> [...] nats. Raises ValueError on NaN."""
    return logsumexp(validated(validated(log_p) + _inside(log_p, u), "log p + u"))


def gibbs_residual(log_pi: Array, log_optimum: Array, log_p: Array, u: Array) -> Array:
    """|J(pi) - (log Z - KL(pi || pi*))|, zero for every pi << p if and only if `log_optimum` is the maximiser.

    All arguments: [..., V]. Returns [...] nats, 0 where both sides are -inf.

    >>> import numpy as np
    >>> from theory.guidance import gibbs
    >>> p, u, pi = np.log([0.6, 0.4]), np.array([1.0, -1.0]), np.log([0.3, 0.7])
    >>> bool(gibbs_residual(pi, gibbs(p, u), p, u) < 1e-15), bool(gibbs_residual(pi, p, p, u) > 0.1)
    (True, True)
    """
    xp = array_namespace(log_pi, log_p, u)
    left, right = objective(log_pi, log_p, u), log_partition(log_p, u) - kl(log_pi, log_optimum)
    same = left == right  # covers -inf = -inf, whose difference would be NaN
    zero = xp.zeros_like(left)
    return xp.abs(xp.where(same, zero, left) - xp.where(same, zero, right))


def dual(mu: Array, log_p: Array, u: Array) -> Array:
    """The Lagrange dual g(mu) = mu + sum_a p_a e^{u_a - mu - 1}: g(mu) >= J(pi) for every mu and pi.

    mu: [...]; log_p, u: [..., V]. Returns [...] nats; the minimum, at mu = log Z - 1, is log Z.

    >>> import numpy as np
    >>> p, u = np.log([0.6, 0.4]), np.array([1.0, -1.0])
    >>> bool(abs(dual(log_partition(p, u) - 1, p, u) - log_partition(p, u)) < 1e-15)
    True
    """
    xp = array_namespace(mu, log_p, u)
    return mu + xp.exp(log_partition(log_p, u) - mu - 1)


def duality_gap(log_pi: Array, log_p: Array, u: Array) -> Array:
    """min_mu g(mu) - J(pi) >= 0: what any other policy could still gain over pi; 0 only at pi*.

    [..., V] each -> [...] nats. By Pinsker ||pi - pi*||_1 <= sqrt(2 gap), the tolerance a solver's answer deserves.
    """
    return dual(log_partition(log_p, u) - 1, log_p, u) - objective(log_pi, log_p, u)


def stationarity(log_pi: Array, log_p: Array, u: Array) -> Array:
    """The KKT residual: the spread over supp(p e^u) of dJ/dpi_a + 1 = u_a - log(pi_a / p_a), constant only at pi*.

    [..., V] each -> [...] nats; +inf where pi misses a token of that support or leaves it.
    """
    xp = array_namespace(log_pi, log_p, u)
    tilted = validated(validated(log_p) + _inside(log_p, u), "log p + u")
    allowed, used = tilted != -float("inf"), validated(log_pi, "log_pi") != -float("inf")
    zero = xp.zeros_like(tilted + log_pi)
    both = allowed & used
    slope = xp.where(both, tilted, zero) - xp.where(both, log_pi, zero)
    infinite = xp.full_like(slope, float("inf"))
    spread = xp.max(xp.where(both, slope, -infinite), axis=-1) - xp.min(xp.where(both, slope, infinite), axis=-1)
    return xp.where(xp.any(allowed != used, axis=-1), xp.full_like(spread, float("inf")), spread)


def _inside(log_p: Array, u: Array) -> Array:
    """u where p has mass, 0 elsewhere: what u says of impossible tokens is void."""
    xp = array_namespace(log_p, u)
    return xp.where(log_p == -float("inf"), xp.zeros_like(u), u)
