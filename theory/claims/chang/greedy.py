"""Theorem 3.5: greedy decoding maximises a linear objective, and is the cold limit of temperature."""

import numpy as np

from theory.adaptors import local, temperature
from theory.arrays import Array, expectation, logsumexp, normalised
from theory.claims.optimality import ROUNDING, simplex
from theory.guidance import greedy as greedy_policy
from theory.information import cross_entropy
from theory.ledger import Check, Evidence, at_most, claim, rejects
from theory.solvers import minimise_linear

COLDEST = 0.02


def tied(rng: np.random.Generator, batch: int) -> Array:
    """Random log-probabilities [batch, 5] whose first m tokens tie for the top, m = 2, 3, 4 in turn."""
    log_w = np.log(rng.uniform(0.05, 0.9, size=(batch, 5)))
    return normalised(np.where(np.arange(5) < np.resize([2, 3, 4], batch)[:, None], 0.0, log_w))


def optimal(name: str, log_policy: Array, log_p: Array, tolerance: float) -> Check:
    """Zero gap to the dual min t subject to t >= log p_a, whose optimum is the largest log p_a."""
    gaps = np.abs(log_p.max(axis=-1) + cross_entropy(log_policy, log_p))
    return at_most(name, oracle="linear-programming duality", residuals=gaps, tolerance=tolerance)


@claim(
    "chang.thm3.5",
    paper="chang",
    where="Theorem 3.5",
    kind="theorem",
    statement="E_π log P_G is linear in π, so a point mass at argmax P_G maximises it, and P_G^(1/T) tends to it as "
    "T → 0 at the rate −T log(1 − max π_T) → log(p₁/p₂).",
    verdict="holds-with-assumption",
    assumptions="A unique most probable token. With m ties every policy on them is optimal, the printed indicator "
    "sums to m, and the limit T → 0 is uniform on them.",
)
def greedy(rng: np.random.Generator) -> Evidence:
    """LP duality, vertices and HiGHS; ties; the limit and its rate; planted policies."""
    log_p, ties = simplex(rng, 1000, 5, 1e-3), tied(rng, 1000)
    yield optimal("greedy attains the dual value", greedy_policy(log_p), log_p, ROUNDING)
    yield optimal("so does the uniform policy on ties", greedy_policy(ties), ties, ROUNDING)
    lopsided = normalised(np.where(ties == ties.max(axis=-1, keepdims=True), rng.normal(size=ties.shape), -np.inf))
    yield optimal("and any other policy on ties", lopsided, ties, ROUNDING)
    gaps = log_p.max(axis=-1, keepdims=True) - log_p
    vertices = np.exp(greedy_policy(log_p)) - (gaps == 0)
    yield at_most("the best vertex", oracle="enumeration", residuals=np.abs(vertices).max(axis=-1), tolerance=0.0)
    simplices, total = np.ones((1000, 1, 5)), np.ones((1000, 1))
    solved = minimise_linear(-log_p, simplices, total, simplices, total)
    gaps = np.abs(solved - np.exp(greedy_policy(log_p))).sum(axis=-1)
    # HiGHS ends at a vertex, feasible to 1e-7.
    yield at_most("the linear programme's vertex", oracle="SciPy HiGHS", residuals=gaps, tolerance=1e-6)

    counted = (ties == ties.max(axis=-1, keepdims=True)).sum(axis=-1)
    shared = np.abs(np.exp(greedy_policy(ties)[:, 0]) - 1 / counted)
    yield at_most("ties share the mass equally", oracle="counting", residuals=shared, tolerance=ROUNDING)
    # The tokens that do not tie keep less than e^(-log(1/.9)/COLDEST) = 0.5% of the mass.
    cold = np.abs(np.exp(local(temperature(COLDEST), ties)[0]) - np.exp(greedy_policy(ties))).max(axis=-1)
    yield at_most("the limit T → 0 is uniform on ties", oracle="temperature", residuals=cold, tolerance=0.01)
    ranked = np.sort(log_p, axis=-1)[:, ::-1]
    yield _rate(ranked, ranked[:, 1])
    yield rejects("log(p₁/p₃) as the rate", _rate(ranked, ranked[:, 2]))

    for name, wrong in {"argmin for argmax": greedy_policy(-log_p), "sampling from P_G": log_p}.items():
        yield rejects(name, optimal(name, wrong, log_p, 1e-3))
    halved = np.where(ties == ties.max(axis=-1, keepdims=True), 0.0, -np.inf)
    sums = np.abs(expectation(halved, np.ones_like(ties)) - 1)
    yield rejects(
        "the printed indicator as a policy under ties", at_most("", oracle="", residuals=sums, tolerance=1e-3)
    )


def _rate(ranked: Array, log_rival: Array) -> Check:
    """-T log(1 - max pi_T) against log(p1 / rival): off by T log of the sum of the rest relative to p2 or less."""
    temperatures = (0.1, 0.05, 0.02)
    rates = [-T * logsumexp(local(temperature(T), ranked)[0][:, 1:]) for T in temperatures]
    # sum_a>1 p_a^(1/T) lies between p2^(1/T) and (n - 1) p2^(1/T), and max pi_T between 1/n and 1.
    slack = np.asarray(temperatures)[:, None] * np.log(ranked.shape[-1])
    excess = np.ravel(np.abs(rates - (ranked[:, 0] - log_rival)) / slack)
    return at_most("the rate log(p₁/p₂), within T log n", oracle="closed form", residuals=excess, tolerance=1.0)
