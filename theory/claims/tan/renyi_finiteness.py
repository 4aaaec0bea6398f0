"""Proposition 3 and Corollary 1: for which alpha an eos-bounded model has a finite Renyi entropy."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.arrays import normalised
from theory.automata import Automaton, critical_alpha, entropy, growth, log_power_sum
from theory.families import geometric, random_automaton
from theory.ledger import Evidence, at_least, at_most, claim, rejects

Floats = NDArray[np.float64]
ROOT = 1e-8  # the radius at a root known to the last bit: an eigenvalue of a 3 x 3 matrix with a slope below 1e5
STATES, ARCS = 3, 2
SYMBOLS = STATES * ARCS


@claim(
    "tan.prop3",
    paper="tan",
    where="Proposition 3",
    kind="proposition",
    statement="Printed: p(eos | y) ≥ ε after every prefix makes H_α finite for all α > 0. Corrected: with m symbols "
    "it does so for α > log m / (log m + log 1/(1-ε)), which is below 1, and for an automaton exactly for α > α_c "
    "with spectral radius ρ(A_{α_c}) = 1, A_α the matrix of steps to the power α; H ≤ log(m+1)/ε. Smallest "
    "counter-example: m = 2 like symbols, ε = 0.1, α = 1/2, where the strings of length n contribute 0.1^½ · 1.342ⁿ.",
    verdict="erratum",
    assumptions="one symbol (m = 1): every α > 0",
)
def finite_above_critical(rng: np.random.Generator) -> Evidence:
    stop = float(rng.uniform(0.02, 0.3))
    model = random_automaton(STATES, ARCS, rng, stop, batch=(1000,))
    critical, sufficient = critical_alpha(model), sufficient_alpha(SYMBOLS, model.stop_bound)
    yield at_least(
        "printed: sum over the strings of length ≤ 50 over the proof's 1/(1 - (1-ε)^α); m = 2, ε = 0.1, α = 1/2",
        oracle="geometric series, worked example",
        margins=[_counter_example(50) * (1 - 0.9**0.5)],
        tolerance=1e3,  # the proof has it below 1
    )
    yield at_least(
        "printed: growth by length of Σ p^α at α = 0.9 α_c, less 1",
        oracle="spectral radius",
        margins=growth(model, 0.9 * critical) - 1,
        tolerance=1e-3,  # so the sum diverges
    )
    series = partial(at_most, oracle="sum over lengths by powers of A_α")
    radius = at_most(
        "corrected: ρ(A_α) = 1 at α_c",
        oracle="eigenvalues",
        residuals=np.abs(growth(model, critical) - 1),
        tolerance=ROOT,
    )
    yield radius
    # Strict on random rows, which are never all alike; so are the two other zeros below.
    yield series("corrected: α_c - log m/(log m + log 1/(1-ε))", residuals=critical - sufficient, tolerance=0.0)
    above = sufficient + rng.uniform(0.1, 1, 1000) * (1.5 - sufficient)
    error = np.abs(np.expm1(log_power_sum(model, above) - _by_length(model, above)))
    yield series("corrected: Σ p^α = (I - A_α)⁻¹ b_α above it", residuals=error, tolerance=1e-9)  # 2^14 lengths summed
    m, e = rng.integers(2, 50, 1000), rng.uniform(0.01, 0.9, 1000)
    unary = critical_alpha(geometric(1, e))
    yield series("corrected: α_c = 0 for one symbol", residuals=unary, tolerance=0.0)
    closed = np.abs(critical_alpha(geometric(m, e)) - sufficient_alpha(m, e))
    yield at_most(
        "corrected: the bound is α_c for like symbols", oracle="closed form", residuals=closed, tolerance=1e-12
    )
    excess = entropy(model) - np.log(SYMBOLS + 1) / model.stop_bound
    yield series("corrected: H - log(m+1)/ε", residuals=excess, tolerance=0.0)
    below = at_most("", oracle="", residuals=growth(model, 0.99 * critical) - 1, tolerance=0.0)
    yield rejects("finite at α = 0.99 α_c", below)
    swapped = sufficient_alpha(SYMBOLS, 1 - model.stop_bound)
    yield rejects("1 - ε for ε in the bound", series("", residuals=critical - swapped, tolerance=0.0))
    yield rejects("H ≤ log(m+1)", series("", residuals=entropy(model) - np.log(SYMBOLS + 1), tolerance=1e-3))


@claim(
    "tan.cor1",
    paper="tan",
    where="Corollary 1",
    kind="corollary",
    statement="A softmax read-out whose logits stay within [-B, B] gives p(eos | y) ≥ ε = 1/(1 + m e^{2B}), hence a "
    "finite H_α for α > log m / (log m + log(1 + e^{-2B}/m)), a bound near 1 in practice; not for all α > 0.",
    verdict="holds-with-assumption",
    assumptions="fixed finite weights and bounded representations (proved for transformers by Du et al., 2023, not "
    "checked here), softmax over every symbol and eos; α above the bound of the corrected Proposition 3",
)
def bounded_logits(rng: np.random.Generator) -> Evidence:
    bound = float(rng.uniform(0.3, 1.5))
    logits = rng.uniform(-bound, bound, (1000, STATES, SYMBOLS + 1))
    logits[::4] = np.sign(logits[::4]) * bound
    log_out = normalised(logits)
    arcs = log_out[..., :-1].reshape(1000, STATES, STATES, ARCS)
    model = Automaton(arcs, log_out[..., -1])
    least = 1 / (1 + SYMBOLS * np.exp(2 * bound))
    yield at_least(
        "p(eos | y) less 1/(1 + m e^{2B})",
        oracle="softmax of random bounded logits",
        margins=model.stop_bound - least,
        tolerance=-1e-15,  # rounding of a quotient near 0.01
    )
    # Equality where all symbols are alike, up to the last bits of the root.
    check = partial(at_most, oracle="spectral radius", tolerance=1e-12)
    critical = critical_alpha(model)
    yield check("α_c less the bound", residuals=critical - sufficient_alpha(SYMBOLS, np.asarray(least)))
    yield rejects("finite for all α > 0", check("", residuals=growth(model, 0.9 * critical) - 1))
    wider = normalised(3 * logits)[..., -1].min(axis=-1)
    yield rejects("logits three times as wide", at_least("", oracle="", margins=np.exp(wider) - least, tolerance=0.0))
    yield rejects(
        "p(eos | y) ≥ 1/(1 + m)", at_least("", oracle="", margins=model.stop_bound - 1 / (1 + SYMBOLS), tolerance=0.0)
    )


def sufficient_alpha(m: NDArray[np.int64] | int, least: Floats, steps: int = 1) -> Floats:
    """The alpha above which m^(1-alpha) (1 - eps)^alpha < 1, in blocks of `steps` symbols."""
    return np.asarray(steps * np.log(m) / (steps * np.log(m) - np.log1p(-least)))


def _counter_example(length: int) -> float:
    """Sum of p^(1/2) over the strings of length <= `length` of two like symbols with p(eos) = 0.1."""
    ratio = 2 * 0.45**0.5
    return float(0.1**0.5 * (ratio ** (length + 1) - 1) / (ratio - 1))


def _by_length(model: Automaton, alpha: Floats) -> Floats:
    """log of sum_n (A^n b)_start for n < 2^14, by repeated squaring of the arcs' own powers."""
    a, b = np.exp(alpha[:, None, None, None] * model.log_arcs).sum(axis=-1), np.exp(alpha[:, None] * model.log_stop)
    total, power = np.broadcast_to(np.eye(a.shape[-1]), a.shape), a
    for _ in range(14):
        total, power = total + power @ total, power @ power
    return np.asarray(np.log((total @ b[..., None])[..., 0, 0]))
