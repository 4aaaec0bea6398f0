"""Corollary 2: n-gram models that are tight without a bound on p(eos), and which Renyi entropies they keep finite."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.arrays import normalised
from theory.automata import Automaton, critical_alpha, growth, log_power_sum
from theory.claims.tan.renyi_finiteness import sufficient_alpha
from theory.families import golden_bigram, random_automaton
from theory.ledger import Evidence, at_least, at_most, claim, rejects

Floats = NDArray[np.float64]
CONTEXTS = 3


@claim(
    "tan.cor2",
    paper="tan",
    where="Corollary 2",
    kind="corollary",
    statement="Printed: tight n-gram models are eos-bounded. Corrected: from every context eos follows within k steps "
    "with probability ≥ ε_k > 0, k the number of contexts, so H_α is finite for "
    "α > k log m / (k log m + log 1/(1-ε_k)). Smallest counter-example: start → a surely, a → a or b, b → a or eos, "
    "each with probability 1/2: tight, p(eos | a) = 0, α_c = log₂ of the golden ratio = 0.694; of one symbol every "
    "H_α, α > 0, is finite.",
    verdict="erratum",
)
def n_grams(rng: np.random.Generator) -> Evidence:
    golden, model = golden_bigram(), _bigrams_that_skip_the_end(rng)
    yield at_least(
        "printed: 1 - min p(eos | context) in tight bigrams",
        oracle="the rows themselves",
        margins=[*(1 - np.atleast_1d(golden.stop_bound)), *(1 - model.stop_bound)],
        tolerance=1.0,  # p(eos | a) is exactly 0
    )
    check = partial(at_most, oracle="spectral radius")
    mass = np.append(log_power_sum(model, 1.0), log_power_sum(golden, 1.0))
    # A solve whose condition number is the expected length, at most about 1e4.
    yield check("corrected: log of the mass of finite strings", residuals=np.abs(mass), tolerance=1e-10)
    k = model.log_stop.shape[-1]
    block = 1 - np.linalg.matrix_power(np.exp(model.log_arcs).sum(-1), k).sum(axis=-1).max(axis=-1)
    bound = sufficient_alpha(k, block, steps=k)
    critical = critical_alpha(model)
    # Strict, as the rows are not alike; and ε_k > 0 on them, by far more than rounding.
    yield check("corrected: α_c less the bound of k steps", residuals=critical - bound, tolerance=0.0)
    yield at_least("corrected: 1 less that bound", oracle="closed form", margins=1 - bound, tolerance=1e-12)
    phi = (1 + np.sqrt(5)) / 2
    root = abs(float(critical_alpha(golden)) - np.log2(phi))
    # The last bits of a root; below, sums of 4000 terms by logaddexp.
    yield check("corrected, worked example: α_c = log₂ of the golden ratio", residuals=[root], tolerance=1e-12)
    alphas = rng.uniform(0.75, 3, 1000)
    error = np.abs(np.expm1(np.array([log_power_sum(golden, a) for a in alphas]) - _fibonacci(alphas)))
    yield at_most("corrected: Σ p^α of that bigram", oracle="Fibonacci series", residuals=error, tolerance=1e-11)
    infinite = growth(golden, 0.69) - 1
    yield rejects("a finite sum at α = 0.69", check("", residuals=[float(infinite)], tolerance=0.0))
    one_step = sufficient_alpha(k, np.exp(model.log_stop).max(axis=-1))
    yield rejects("the likeliest end for the bound", check("", residuals=critical - one_step, tolerance=0.0))


def _bigrams_that_skip_the_end(rng: np.random.Generator) -> Automaton:
    """Three contexts, the first of which never ends."""
    model = random_automaton(CONTEXTS, 1, rng, batch=(1000,))
    log_out = np.concatenate([model.log_arcs[..., 0], model.log_stop[..., None]], axis=-1)
    log_out[..., 0, -1] = -np.inf
    log_out = normalised(log_out)
    return Automaton(log_out[..., :-1, None], log_out[..., -1])


def _fibonacci(alpha: Floats) -> Floats:
    """log sum_n F_n 2^(-alpha n): a string of the golden bigram is a composition of its steps, n >= 3 in all."""
    n = np.arange(4000)  # at alpha = 0.75 a term is 0.962 of the one before: what is left out is below 1e-60
    log_count = np.zeros(n.size)
    for i in range(2, n.size):
        log_count[i] = np.logaddexp(log_count[i - 1], log_count[i - 2])
    return np.asarray(np.logaddexp.reduce(log_count - alpha[:, None] * np.log(2) * (n + 2), axis=-1))
