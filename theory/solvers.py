"""Numerical maximisers that know nothing of the closed forms: they cross-check small, well-scaled instances,
many at a time: instances that share nothing are one separable problem.

Cone solvers lose relative-entropy problems over large vocabularies; there the certificate decides, not the solver.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, minimize
from scipy.sparse import block_diag, csr_array

from theory.arrays import Array, logsumexp, normalised, validated
from theory.certificates import dual, objective

STEP = 1e-5
"""Of the central differences: they err by STEP^2 times a third derivative and by rounding, 1e-15 / STEP."""


def cone_installed() -> bool:
    """Whether cvxpy and Clarabel (the extra `solvers`) can be imported."""
    return find_spec("cvxpy") is not None and find_spec("clarabel") is not None


def maximise_cone(log_p: Array, u: Array, gap: float = 1e-8) -> Array:
    """argmax of <pi, u> - KL(pi || p) over the simplex by an exponential-cone programme (cvxpy and Clarabel).

    log_p, u: [..., V] NumPy, every row an instance; one separable programme maximises the sum over all of them. gap:
    the duality gap in nats that each row may have, by the multiplier that the solver found for it. Up to about 1e4
    entries in all. Returns log pi [..., V].
    A programme that the solver gives up on or stops short of is solved in halves: on thousands of entries a last digit,
    which another processor rounds otherwise, may stop it.
    Raises ImportError without the extra `solvers`, ValueError on NaN and on two shapes, RuntimeError if one row fails.
    """
    if not cone_installed():
        raise ImportError("the cone solver needs cvxpy and clarabel: pip install 'decoding-tradeoffs[solvers]'.")
    cvxpy: Any = import_module("cvxpy")
    if np.shape(u) != log_p.shape:
        raise ValueError(f"u {np.shape(u)} must have the shape of log_p {log_p.shape}.")
    tilted = validated(validated(log_p) + np.where(np.isneginf(log_p), 0.0, u), "log p + u")
    support, log_z = np.isfinite(tilted), logsumexp(tilted)
    # J - log Z = <pi, log p + u - log Z> + H(pi): entropy cones solve where rel_entr's fail, and the optimum is 0.
    weight = (tilted - log_z[..., None])[support]
    rows = np.nonzero(support.reshape(-1, support.shape[-1]))[0]
    sums = csr_array((np.ones(rows.size), (rows, np.arange(rows.size))))
    pi = cvxpy.Variable(weight.size, nonneg=True)
    whole = sums @ pi == 1
    problem = cvxpy.Problem(cvxpy.Maximize(weight @ pi + cvxpy.sum(cvxpy.entr(pi))), [whole])
    try:
        with catch_warnings():
            simplefilter("ignore")  # of an inaccurate solution: the gap of each row decides
            problem.solve(solver=cvxpy.CLARABEL, tol_gap_abs=gap, tol_gap_rel=gap, tol_feas=gap)
    except cvxpy.SolverError as refusal:
        if log_z.size == 1:
            raise RuntimeError(f"the cone solver gave up: {refusal}") from refusal
        return _halved(log_p, u, gap)
    log_pi = np.full(log_p.shape, -np.inf)
    # Feasible only up to `gap`: a token of next to no mass may come out at or below 0.
    log_pi[support] = np.log(np.maximum(pi.value, np.finfo(float).tiny))
    log_pi = normalised(log_pi)
    multiplier = log_z + np.reshape(whole.dual_value, log_z.shape)
    worst = float(np.max(dual(multiplier, log_p, u) - objective(log_pi, log_p, u)))
    if not worst <= gap and log_z.size > 1:
        return _halved(log_p, u, gap)
    if not worst <= gap:
        raise RuntimeError(f"the cone solver stopped {worst:.0e} nats short, with status {problem.status!r}.")
    return log_pi


def _halved(log_p: Array, u: Array, gap: float) -> Array:
    """`maximise_cone` of the first half of the instances and of the second."""
    rows, scores = (one.reshape(-1, log_p.shape[-1]) for one in (log_p, np.broadcast_to(u, log_p.shape)))
    halves = zip(np.array_split(rows, 2), np.array_split(scores, 2), strict=True)
    return np.concatenate([maximise_cone(*half, gap) for half in halves]).reshape(log_p.shape)


def maximise_logits(score: Callable[[Array], Array | float], start: Array) -> Array:
    """Local argmax of any smooth score(log_pi) by L-BFGS on the logits of pi, from log_pi = `start`, row by row.

    start: [..., V] log-probabilities, whose -inf tokens stay out; score: [..., V] -> [...], each row on its own, so
    that the sum over rows is maximised where every row is. Slopes are central differences. Returns log pi [..., V].
    Raises ValueError on a bad start, RuntimeError where the gradient of a row did not vanish.

    >>> found = maximise_logits(lambda q: -(np.exp(q) * q).sum(axis=-1), np.log([[0.9, 0.1], [0.5, 0.5]]))
    >>> np.exp(found).round(6).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    support = np.isfinite(validated(start, "start"))
    logits: NDArray[np.float64] = np.where(support, start, 0.0)

    def value(moved: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(score(normalised(np.where(support, moved, -np.inf))))

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        moved, slope = flat.reshape(start.shape), np.zeros(start.shape)
        for token in range(start.shape[-1]):
            step = STEP * np.eye(start.shape[-1])[token]
            slope[..., token] = (value(moved + step) - value(moved - step)) / (2 * STEP)
        return -float(value(moved).sum()), -slope.ravel()

    # No stop for slow progress: where rounding hides it, the line search gives up, and the gradient decides.
    found = minimize(
        loss, logits.ravel(), method="L-BFGS-B", jac=True, tol=0.0, options={"gtol": 1e-9, "maxiter": 5000}
    )
    if not np.max(np.abs(found.jac)) < 1e-6:
        raise RuntimeError(f"L-BFGS stopped before the gradient vanished: {found.message}")
    return normalised(np.where(support, found.x.reshape(start.shape), -np.inf))


def minimise_linear(costs: Array, rows: Array, limits: Array, equal: Array, sums: Array) -> Array:
    """argmin of <c, x> over x >= 0, A x <= b, E x = d for each instance, all stacked in one programme (SciPy, HiGHS).

    costs: [B, n]; rows: [B, m, n]; limits: [B, m]; equal: [B, k, n]; sums: [B, k]. Returns x [B, n].
    Raises ValueError unless there is an instance and the shapes fit, RuntimeError where the solver finds no optimum.

    >>> one = np.ones((1, 1))
    >>> minimise_linear(np.array([[1.0, 2.0]]), np.ones((1, 1, 2)), 9 * one, np.ones((1, 1, 2)), one).tolist()
    [[1.0, 0.0]]
    """
    instances, size = costs.shape if costs.ndim == 2 else (0, 0)
    for matrices, sides in ((rows, limits), (equal, sums)):
        if instances < 1 or sides.shape[:1] != (instances,) or matrices.shape != (*sides.shape, size):
            raise ValueError(f"{matrices.shape} and {sides.shape} do not fit {costs.shape}, one row an instance.")
    found = linprog(
        costs.ravel(),
        A_ub=block_diag(list(rows), format="csr"),
        b_ub=limits.ravel(),
        A_eq=block_diag(list(equal), format="csr"),
        b_eq=sums.ravel(),
        method="highs",
    )
    if found.status != 0:
        raise RuntimeError(f"the linear programme has no optimum: {found.message}")
    return np.asarray(found.x).reshape(costs.shape)
