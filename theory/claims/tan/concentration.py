"""The exact tail of the mean surprisal on a lattice, beside the five estimates: which bound it, which are sharp."""

from functools import partial
from math import log

import numpy as np
from numpy.typing import NDArray

from theory.automata import Automaton
from theory.claims.tan.rational_tails import log_rational_tails
from theory.concentration import Surprisal, chernoff_bound, normal_approximation
from theory.concentration import of_automaton as surprisal_of
from theory.families import integer_bit_bigram
from theory.lattice import Lattice, absolute_third, of_automaton
from theory.lattice_tails import atypical, excess, log_tail, saddle, totals
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.tail_estimates import bahadur_rao, berry_esseen
from theory.typicality import chebyshev_bound

Floats = NDArray[np.float64]
MODELS, EPSILONS = 12, 30
LARGEST = 14.0
"""The largest ε, in units of σ/√N."""
SIZES, SHARP_SIZES, SMALL_SIZES = (40, 160, 640), (60, 240, 960), (2, 6, 16)
EXACT = 1e-8
"""The stated relative error of every exact tail here is below this; the first checks say so."""


@claim(
    "new.concentration",
    paper="tan",
    where="equation 11, Theorem 2, appendix D",
    kind="new result",
    statement="For P(|mean I - H| ≥ ε) of N strings whose surprisals are whole bits the exact tail stands beside five "
    "figures: Chebyshev's V/(Nε²) and e^{-N I₊} + e^{-N I₋} are never below it; Bahadur and Rao's, with the lattice "
    "factor st/(1 - e^{-st}) of the widest spacing s at tilt t, is right up to 1 + O(1/N); the normal tail is below "
    "the truth deep down, by any factor; Berry-Esseen's interval about the normal tail of one side always holds it.",
    verdict="holds-with-assumption",
    assumptions="probabilistic automata with probabilities that are powers of 1/2; each tail is read where it begins",
)
def concentration(rng: np.random.Generator) -> Evidence:
    model = integer_bit_models(rng, MODELS)
    models = [Automaton(model.log_arcs[i], model.log_stop[i]) for i in range(MODELS)]
    law, lattices = surprisal_of(model), [of_automaton(one) for one in models]
    rational = [_rational(*pair, size, rng) for pair in zip(models, lattices, strict=True) for size in SMALL_SIZES]
    error, stated, untilted = (np.concatenate(column) for column in zip(*rational, strict=True))
    oracle = "exact rational arithmetic"
    # The logarithm of a rational number errs by its own rounding: 2^-53 of up to 1e3 nats.
    check = partial(at_most, oracle=oracle, tolerance=1e-12)
    yield check("relative error of the exact tail beyond the one it states", residuals=error - stated)
    small = partial(at_most, oracle=oracle, tolerance=EXACT)
    yield small("the error it states, small N", residuals=stated)

    panels = [_panel(law, lattices, size, rng) for size in SIZES]
    z, exact, error, chernoff, chebyshev, normal = (np.concatenate(column) for column in zip(*panels, strict=True))
    yield small("the error it states", residuals=error)
    bound = partial(at_most, oracle="exact tail on the lattice", tolerance=2 * EXACT)
    yield bound("log P - log of Chebyshev's bound", residuals=exact - chebyshev)
    yield bound("log P - log of Chernoff's bound", residuals=exact - chernoff)
    sides = [_one_side(lattice, size, rng) for lattice in lattices for size in SIZES]
    distance, radius, faster = (np.concatenate(column) for column in zip(*sides, strict=True))
    yield bound("distance of one side from the normal tail less Berry-Esseen's radius", residuals=distance - radius)

    sharp = np.array([_ratios(law, lattices, size, rng) for size in SHARP_SIZES])
    times = np.array(SHARP_SIZES)[:, None, None]
    order = partial(at_most, oracle="exact tail on the lattice", tolerance=15.0)  # it is led by (σ/ε)² < 6.3
    on, off, factor, fine, above = np.moveaxis(sharp, 1, 0)
    wrong = partial(at_least, oracle="exact tail on the lattice", tolerance=log(2))
    deep = np.append((exact - normal)[z > 6], above[1:])  # 0.4 √240 > 6
    yield wrong("log P - log of the normal tail, ε > 6 σ/√N", margins=deep)
    yield order("N times the relative error of Bahadur and Rao's", residuals=(times * np.abs(np.expm1(on))).ravel())
    worst = np.abs(np.expm1(on)).max(axis=(1, 2))
    slope = log(worst[0] / worst[-1]) / log(SHARP_SIZES[-1] / SHARP_SIZES[0])
    # Terms of order 1/N² bend the line by some 15/60 at its upper end.
    yield at_most(
        "order in 1/N of the worst of all of them, less 1",
        oracle="least N and greatest",
        residuals=[abs(slope - 1)],
        tolerance=0.15,
    )
    known = partial(at_most, oracle="st/(1 - e^{-st}), t by the mean of the tilted law", tolerance=16.0)
    missing = (times * np.abs(off + factor)).ravel()  # 15 again, and the logarithm's bend
    yield known("N times the log of what it misses without the lattice, less the factor's", residuals=missing)

    yield rejects("a transform that is not tilted", check("", residuals=untilted - stated))
    yield rejects("1.3 I for I", bound("", residuals=exact - 1.3 * chernoff))
    yield rejects("the normal tail as a bound", bound("", residuals=exact - normal))
    yield rejects("the normal tail wrong by 2 everywhere", wrong("", margins=exact - normal))
    yield rejects("Berry-Esseen's radius of order 1/N", bound("", residuals=distance - faster))
    yield rejects("a lattice of one bit for all", order("", residuals=(times * np.abs(np.expm1(off + fine))).ravel()))
    yield rejects("no factor for the lattice", order("", residuals=(times * np.abs(np.expm1(off))).ravel()))
    yield rejects("twice its logarithm", known("", residuals=(times * np.abs(off + 2 * factor)).ravel()))


def integer_bit_models(rng: np.random.Generator, count: int) -> Automaton:
    """The integer-bit bigram and `count - 1` random automata like it: 2 states, each with a stop and three arcs.

    A state's four probabilities come of halving one of those there are, three times over; they are 1/4 in the second
    model, whose strings all have an even number of bits.
    """
    bits = np.zeros((count - 1, 2, 4))
    for row in bits.reshape(-1, 4):
        for size in range(1, 4):
            leaf = rng.integers(size)
            row[leaf] += 1
            row[size] = row[leaf]
    bits[0] = 2
    log_out = -log(2) * rng.permuted(bits, axis=-1)
    log_out = np.append(
        log_out, np.full((count - 1, 2, 1), -np.inf), axis=-1
    )  # two places to each state for three arcs
    arcs = rng.permuted(log_out[..., 1:], axis=-1).reshape(-1, 2, 2, 2)
    first = integer_bit_bigram()
    stops = np.concatenate([first.log_stop[None], log_out[..., 0]])
    return Automaton(np.concatenate([first.log_arcs[None], arcs]), stops)


def _panel(law: Surprisal, lattices: list[Lattice], size: int, rng: np.random.Generator) -> list[Floats]:
    """ε in units of σ/√N, log P of both tails, its stated error, logs of Chernoff, Chebyshev and normal, each [E M]."""
    z = rng.uniform(0.5, LARGEST, (EPSILONS, MODELS))
    epsilon = z * np.sqrt(law.varentropy / size)
    tails = [atypical(lattice, size, column) for lattice, column in zip(lattices, epsilon.T, strict=True)]
    estimates = (
        chernoff_bound(law, size, epsilon),
        chebyshev_bound(law.varentropy, size, epsilon),
        normal_approximation(law.varentropy, size, epsilon),
    )
    exact = np.array([[tail.log_prob, tail.error] for tail in tails])
    return [column.ravel() for column in (z, exact[:, 0].T, exact[:, 1].T, *map(np.log, estimates))]


def _one_side(lattice: Lattice, size: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """|P(mean I ≥ H + ε) - normal tail|, Berry-Esseen's radius, and that radius over √N; each [E]."""
    law = lattice.law
    epsilon = rng.uniform(0.1, 2, EPSILONS) * np.sqrt(law.varentropy / size)
    _, above = totals(lattice, size, epsilon)
    normal = normal_approximation(law.varentropy, size, epsilon) / 2
    radius = np.full(EPSILONS, berry_esseen(law.varentropy, absolute_third(lattice), size))
    return np.abs(np.exp(log_tail(lattice, size, above).log_prob) - normal), radius, radius / np.sqrt(size)


def _ratios(law: Surprisal, lattices: list[Lattice], size: int, rng: np.random.Generator) -> list[Floats]:
    """Logs, each [E, M], of Bahadur and Rao's upper tail over the truth, with the lattice and without; of the factor,
    and the factor of one bit; of the truth over the normal tail.
    """
    epsilon = rng.uniform(0.4, 0.8, (EPSILONS, MODELS)) * np.sqrt(law.varentropy)
    above = [totals(one, size, column)[1] for one, column in zip(lattices, epsilon.T, strict=True)]
    columns = list(zip(lattices, above, strict=True))
    start = np.stack([excess(lattice, size, total) for lattice, total in columns], axis=-1)
    exact = np.stack([log_tail(lattice, size, total).log_prob for lattice, total in columns], axis=-1)
    step = np.stack([saddle(lattice, size, total, upper=True) for lattice, total in columns], axis=-1)
    spans = np.array([lattice.span for lattice in lattices])
    on, off = (np.log(bahadur_rao(law, size, start, span)) - exact for span in (spans, 0.0))
    normal = np.log(normal_approximation(law.varentropy, size, start) / 2)
    return [on, off, *(np.log(x / -np.expm1(-x)) for x in (step, step * log(2) / spans)), exact - normal]


def _rational(model: Automaton, lattice: Lattice, size: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Relative error of upper tails at EPSILONS places, the error they state, and that of an untilted transform."""
    epsilon = rng.uniform(0.5, 8, EPSILONS) * np.sqrt(lattice.law.varentropy / size)
    _, above = totals(lattice, size, epsilon)
    tail, flat = log_tail(lattice, size, above), log_tail(lattice, size, above, tilt=0.0)
    bits = np.rint((size * lattice.offset + above * lattice.span) / log(2)).astype(int)
    exact = np.array(log_rational_tails(model, size, bits.tolist()))
    return np.abs(np.expm1(tail.log_prob - exact)), tail.error, np.abs(np.expm1(flat.log_prob - exact))
