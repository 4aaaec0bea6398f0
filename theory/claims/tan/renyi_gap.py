"""Proposition 5, Definition 4 with Corollary 3, and Lemma 1: a finite varentropy, and the Renyi gap."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.automata import Automaton, critical_alpha, entropy, growth, log_power_sum, varentropy
from theory.families import geometric, log_fourth, log_fourth_block, random_automaton
from theory.ledger import Evidence, at_least, at_most, claim, rejects

Floats = NDArray[np.float64]
H = 1e-3
# Fourth-order differences err by H⁴ times a sixth derivative (relative to V below 1e6) and by rounding 1e-15 / H².
DIFFERENCE = 1e-5
LENGTH = 12  # strings enumerated; p(eos | y) >= 0.9 leaves 1e-12 of the mass out


@claim(
    "tan.prop5",
    paper="tan",
    where="Proposition 5",
    kind="proposition",
    statement="The varentropy of an eos-bounded model is finite: V ≤ (2/(et))² Σ_y p(y)^{1-t} for 0 < t < 1 - α_c, "
    "α_c the order above which H_α is finite (tan.prop3), and V = K''(0), K(t) = log Σ_y p(y)^{1-t}.",
    verdict="holds",
    assumptions="the proof must take an α above α_c, just below 1; a fixed one such as 1/2 may lie below α_c",
)
def finite_varentropy(rng: np.random.Generator) -> Evidence:
    model = random_automaton(3, 2, rng, 0.05, batch=(1000,))
    exact, critical = varentropy(model), critical_alpha(model)
    offsets = np.array([-2, -1, 0, 1, 2]) * H
    weights = np.array([-1, 16, -30, 16, -1]) / (12 * H**2)
    curvature = sum(w * log_power_sum(model, 1 - t) for w, t in zip(weights, offsets, strict=True))
    second = partial(at_most, oracle="differences of log Σ p^α", tolerance=DIFFERENCE)
    yield second("V = K''(0), relative", residuals=np.abs(curvature / exact - 1))
    quick = random_automaton(2, 1, rng, 0.9, batch=(1000,))
    information, mass = _enumerated(quick)
    mean = (mass * information).sum(axis=-1)
    spread = (mass * (information - mean[:, None]) ** 2).sum(axis=-1)
    # What enumeration leaves out has mass 1e-12 and squared surprisals of about 1e3.
    listed = partial(at_most, oracle="enumeration of all strings up to length 12", tolerance=1e-8)
    yield listed("V of models that end soon", residuals=np.abs(spread - varentropy(quick)))
    yield listed("their H", residuals=np.abs(mean - entropy(quick)))
    m, e = rng.integers(1, 50, 1000), rng.uniform(0.01, 0.95, 1000)
    lengths = (1 - e) / e**2 * (np.log(m) - np.log1p(-e)) ** 2  # Var |y| times the square of a symbol's surprisal
    closed = np.abs(varentropy(geometric(m, e)) / lengths - 1)
    # Differences of logarithms near 10, relative to V as small as 1e-3.
    yield at_most("V of like symbols, relative", oracle="closed form", residuals=closed, tolerance=1e-11)
    # The bound is slack: max of x² e^(-tx) is taken for every string.
    t = (1 - critical) * rng.uniform(0.05, 0.95, 1000)
    bound = 2 * np.log(2 / (np.e * t)) + log_power_sum(model, 1 - t)
    yield at_most(
        "log V less log of the bound", oracle="I² ≤ (2/(et))² e^{tI}", residuals=np.log(exact) - bound, tolerance=0.0
    )
    fixed = at_most("", oracle="", residuals=growth(model, 0.5) - 1, tolerance=0.0)
    yield rejects("a proof through Σ p^{1/2} < ∞", fixed)
    first = np.abs(np.sqrt(curvature) / exact - 1)
    yield rejects("√K''(0)", second("", residuals=first))
    yield rejects("E I² for V", listed("", residuals=np.abs((mass * information**2).sum(-1) - varentropy(quick))))


@claim(
    "tan.def4",
    paper="tan",
    where="Definition 4 and Corollary 3",
    kind="definition",
    statement="The Rényi gap, H_α - H for α < 1 and H - H_α for α > 1, is ≥ 0, and is (V/2)|1-α| to first order, V the "
    "varentropy.",
    verdict="holds-with-assumption",
    assumptions="α > α_c; one formula for both sides would be negative on one of them",
)
def gap(rng: np.random.Generator) -> Evidence:
    model = random_automaton(3, 2, rng, 0.05, batch=(1000,))
    t = (1 - critical_alpha(model)) * rng.uniform(0.05, 0.9, 1000)
    below, above = _gaps(model, t)
    check = partial(at_least, oracle="(I - A_α)⁻¹ solves", tolerance=0.0)  # strict: these gaps are far above rounding
    yield check("H_α - H, α_c < α < 1", margins=below)
    yield check("H - H_α, 1 < α < 2", margins=above)
    far = 10 ** rng.uniform(0, 2, 1000)
    yield check("H - H_α, 2 < α < 101", margins=entropy(model) + log_power_sum(model, 1 + far) / far)
    small = np.full(1000, 1e-6)
    slopes = np.concatenate([side / (1e-6 * varentropy(model) / 2) - 1 for side in _gaps(model, small)])
    # Rounding of 1e-15 in a logarithm divided by t² V = 1e-12: 1e-3; the next term of the series is below that.
    slope = partial(at_most, oracle="(V/2)|1-α|", tolerance=1e-2)
    yield slope("gap over (V/2)|1-α| at |1-α| = 1e-6, less 1", residuals=np.abs(slopes))
    yield rejects("H_α - H on both sides", check("", margins=-above))
    yield rejects("V|1-α|", slope("", residuals=np.abs((slopes + 1) / 2 - 1)))


@claim(
    "tan.lem1",
    paper="tan",
    where="Lemma 1",
    kind="lemma",
    statement="For every ε > 0 some α < 1, and some α > 1, have a Rényi gap below ε.",
    verdict="holds-with-assumption",
    assumptions="H_α finite for some α < 1, as eos-bounded models have (corrected Proposition 3). p(aⁿ) ∝ 1/(n log⁴ n) "
    "has finite H and V, yet H_α = ∞ for every α < 1",
)
def small_gap(rng: np.random.Generator) -> Evidence:
    model = random_automaton(3, 2, rng, 0.05, batch=(1000,))
    epsilon = 10 ** rng.uniform(-5, 1, 1000)
    t = (1 - critical_alpha(model)) / 2
    for _ in range(40):
        t = np.where(np.maximum(*_gaps(model, t)) < epsilon, t, t / 2)
    below, above = _gaps(model, t)
    # The halving stops only at a gap below ε.
    check = partial(at_least, oracle="(I - A_α)⁻¹ solves", tolerance=0.0)
    yield check("ε less the gap at an α < 1", margins=epsilon - below)
    yield check("ε less the gap at an α > 1", margins=epsilon - above)
    alphas = rng.uniform(0.01, 0.999, 1000)
    far = np.log([1e6, 1e7])
    blocks = np.stack([log_fourth_block(np.exp(j), alphas) for j in far])
    dyadic = partial(at_least, oracle="dyadic blocks of the sum", tolerance=600.0)  # nats, and still growing below
    yield dyadic("without p(eos) ≥ ε: log of one block of Σ p^α, α < 1", margins=blocks.ravel())
    yield dyadic("and its growth over the next decade of blocks", margins=blocks[1] - blocks[0])
    j = np.arange(1, 10**6, dtype=float)
    # In block j, p ≤ 1/(j log 2)^4 in total and I ≤ (j+1) log 2 + 4 log((j+1) log 2).
    end = (j + 1) * np.log(2)
    terms = ((end + 4 * np.log(end)) ** 2) / (j * np.log(2)) ** 4
    yield at_most(
        "while block j of Σ w log² w times j² stays bounded, so that V is finite",
        oracle="dyadic blocks of the sum",
        residuals=(terms * j**2)[9:],
        tolerance=40.0,  # falls to 1/log² 2 = 2.08 in the limit
    )
    yield rejects(
        "the gap at α_c + (1 - α_c)/2", check("", margins=epsilon - _gaps(model, (1 - critical_alpha(model)) / 2)[0])
    )
    # The bound against the sum itself, over the blocks that can be summed: those of n < 2^21, as w log² w.
    n = np.arange(2, 2**21, dtype=float)
    log_w = log_fourth(n)
    starts = 2 ** np.arange(1, 21) - 2
    summed = np.add.reduceat(np.exp(log_w) * log_w**2, starts)
    bounded = partial(at_least, oracle="all n < 2^21", tolerance=0.0)
    yield bounded("that bound less the block's sum, j ≤ 20", margins=terms[:20] - summed)
    yield rejects(
        "a block's last weight for all of its",
        bounded("", margins=((end + 4 * np.log(end)) ** 2 / end**4)[:20] - summed),
    )
    lighter = j * np.log(2) * 0.5 - 2 * 0.5 * end  # w = n^-2 at alpha = 1/2 has bounded blocks
    yield rejects("p(aⁿ) ∝ n⁻² at α = 1/2", dyadic("", margins=lighter))


def _gaps(model: Automaton, t: Floats) -> tuple[Floats, Floats]:
    """The Renyi gap at alpha = 1 - t and at 1 + t."""
    h = entropy(model)
    return log_power_sum(model, 1 - t) / t - h, h + log_power_sum(model, 1 + t) / t


def _enumerated(model: Automaton) -> tuple[Floats, Floats]:
    """Surprisal and probability of every string up to LENGTH symbols of a batch of two-state, one-arc automata."""
    log_prefix, states = np.zeros((*model.log_stop.shape[:-1], 1)), np.array([0])
    log_p = []
    for _ in range(LENGTH + 1):
        log_p.append(log_prefix + model.log_stop[..., states])
        steps = model.log_arcs[..., 0][..., states, :]
        log_prefix = (log_prefix[..., None] + steps).reshape(*log_prefix.shape[:-1], -1)
        states = np.tile([0, 1], states.size)
    everything = np.concatenate(log_p, axis=-1)
    return -everything, np.exp(everything)
