"""Numerical maximisers that know nothing of the closed forms: they cross-check small, well-scaled instances.

Cone solvers lose relative-entropy problems over large vocabularies; there the certificate decides, not the solver.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from theory.arrays import Array, logsumexp, normalised, validated


def cone_installed() -> bool:
    """Whether cvxpy and Clarabel (the extra `solvers`) can be imported."""
    return find_spec("cvxpy") is not None and find_spec("clarabel") is not None


def maximise_cone(log_p: Array, u: Array, gap: float = 1e-8) -> Array:
    """argmax of <pi, u> - KL(pi || p) over the simplex by an exponential-cone programme (cvxpy and Clarabel).

    log_p, u: [V] NumPy, one instance, V up to about 1,000; gap: the solver's duality gap in nats. Returns log pi [V].
    Raises ImportError without the extra `solvers`, ValueError on NaN, RuntimeError if the solver gives up.
    """
    if not cone_installed():
        raise ImportError("the cone solver needs cvxpy and clarabel: pip install 'decoding-tradeoffs[solvers]'.")
    cvxpy: Any = import_module("cvxpy")
    tilted = validated(validated(log_p) + np.where(np.isneginf(log_p), 0.0, u), "log p + u")
    support = np.isfinite(tilted)
    # J - log Z = <pi, log p + u - log Z> + H(pi): entropy cones solve where rel_entr's fail, and the optimum is 0.
    weight = (tilted - logsumexp(tilted))[support]
    pi = cvxpy.Variable(weight.size, nonneg=True)
    problem = cvxpy.Problem(cvxpy.Maximize(weight @ pi + cvxpy.sum(cvxpy.entr(pi))), [cvxpy.sum(pi) == 1])
    with catch_warnings():
        simplefilter("ignore")  # of an inaccurate solution, which the status tells too
        problem.solve(solver=cvxpy.CLARABEL, tol_gap_abs=gap, tol_gap_rel=gap, tol_feas=gap)
    if problem.status != cvxpy.OPTIMAL:
        raise RuntimeError(f"the cone solver stopped with status {problem.status!r}.")
    log_pi = np.full(log_p.shape, -np.inf)
    # Feasible only up to `gap`: a token of next to no mass may come out at or below 0.
    log_pi[support] = np.log(np.maximum(pi.value, np.finfo(float).tiny))
    return normalised(log_pi)


def maximise_logits(objective: Callable[[Array], float], start: Array) -> Array:
    """A local argmax of any smooth objective(log_pi) by BFGS on the logits of pi, from log_pi = `start`.

    start: [V] log-probabilities, whose -inf tokens stay out. Returns log pi [V].
    Raises ValueError on a bad start, RuntimeError where the gradient did not vanish.

    >>> found = maximise_logits(lambda log_pi: -float(np.exp(log_pi) @ log_pi), np.log([0.9, 0.1]))
    >>> np.exp(found).round(6).tolist()
    [0.5, 0.5]
    """
    support = np.isfinite(validated(start, "start"))

    def policy(logits: NDArray[np.float64]) -> Array:
        log_pi = np.full(start.shape, -np.inf)
        # The last logit stays 0, since adding a constant to all changes nothing.
        log_pi[support] = np.append(logits, 0.0)
        return normalised(log_pi)

    def loss(logits: NDArray[np.float64]) -> float:
        return -objective(policy(logits))

    inner: NDArray[np.float64] = start[support]
    if inner.size == 1:
        return policy(np.empty(0))
    found = minimize(loss, inner[:-1] - inner[-1], method="BFGS", jac="3-point", tol=1e-9)
    # BFGS also stops, unsuccessfully by its own account, once rounding hides all progress; the gradient decides.
    if not np.max(np.abs(found.jac)) < 1e-6:
        raise RuntimeError(f"BFGS stopped before the gradient vanished: {found.message}")
    return policy(found.x)
