"""Equation 11 (Chebyshev for the typical set) and Proposition 1 (where the mean of log p + r / beta concentrates)."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.claims.tan.worlds import Geometric, World, geometric_models, random_world
from theory.information import entropy, varentropy
from theory.language_models import log_dirichlet
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.typicality import (
    atypical_probability,
    chebyshev_bound,
    corpus_size,
    corpus_types,
    counted,
    trade_off_constant,
)

Floats = NDArray[np.float64]
SIZES = ((3, 1), (3, 2), (3, 10), (3, 40), (4, 20))
ROUNDING = 1e-11  # 1e4 compositions, each with log-factorials near 1e2: relative error 1e-13 apiece, with room


@claim(
    "tan.eq11",
    paper="tan",
    where="equation 11",
    kind="inequality",
    statement="P(|H(q) + (1/N) Σ log q(y_n)| ≥ ε) ≤ V(q) / (N ε²) for N strings drawn independently from q, with V(q) "
    "the variance of -log q(y).",
    verdict="holds",
    assumptions="finite entropy and varentropy, independent strings",
)
def chebyshev(rng: np.random.Generator) -> Evidence:
    excess, unsquared, elsewhere, totals = [], [], [], []
    for n_strings, size in SIZES:
        log_q, log_other = log_dirichlet(n_strings, rng, batch=(2, 250))
        counts = corpus_types(n_strings, size)
        information = -counted(log_q, counts) / size
        epsilon = np.sqrt(varentropy(log_q) / size) * rng.uniform(1, 3, 250)
        law = (log_q, counts, information)
        exact = atypical_probability(*law, entropy(log_q), epsilon)
        excess.append(exact - chebyshev_bound(varentropy(log_q), size, epsilon))
        unsquared.append(exact - chebyshev_bound(varentropy(log_q), size**2, epsilon))
        displaced = atypical_probability(*law, entropy(log_other), epsilon)
        elsewhere.append(displaced - chebyshev_bound(varentropy(log_q), size, epsilon))
        totals.append(np.abs(atypical_probability(*law, entropy(log_q), np.full(250, 1e-300)) - 1))
    exactly = partial(at_most, oracle="exact multinomial law of the corpus")
    yield exactly("the law of the corpus sums to 1", residuals=np.concatenate(totals), tolerance=ROUNDING)
    yield exactly("P(not typical) - V/(Nε²) on finite laws", residuals=np.concatenate(excess), tolerance=ROUNDING)
    yield at_most(
        "P(not typical) - V/(Nε²) on a model over endless strings",
        oracle="negative binomial law of the total length",
        residuals=[_geometric_excess(*case) for case in _endless(rng)],
        tolerance=ROUNDING,
    )
    yield at_most(
        "equality on three-level laws (the bound cannot be improved)",
        oracle="exact masses, every such law of up to 256 strings",
        residuals=[abs(_three_level_excess(k, a, 1.0)) for k in range(2, 9) for a in range(1, 2 ** (k - 2) + 1)],
        tolerance=ROUNDING,
    )
    yield rejects("V/(N²ε²)", exactly("", residuals=np.concatenate(unsquared), tolerance=1e-3))
    displaced_check = exactly("", residuals=np.concatenate(elsewhere), tolerance=1e-3)
    yield rejects("the entropy of another model as centre", displaced_check)
    smaller = [_three_level_excess(k, 1, 0.99) for k in range(2, 9)]
    yield rejects("0.99 V/(Nε²)", at_most("", oracle="", residuals=smaller, tolerance=1e-3))


@claim(
    "tan.prop1",
    paper="tan",
    where="Proposition 1, equation 12",
    kind="proposition",
    statement="With p₊ = p e^{r/β} / Z and C = log Z - H(p₊), N ≥ V(p₊)/(δ ε²) strings drawn independently from p₊ "
    "have P(|C - (1/N) Σ log p(y_n) - (1/N) Σ r(y_n)/β| < ε) ≥ 1 - δ. It bounds the sum of the two means and says "
    "nothing of their correlation.",
    verdict="holds",
    assumptions="finite entropy and varentropy of p₊, independent strings, one prompt",
)
def sum_of_means(rng: np.random.Generator) -> Evidence:
    identity, excess = [], []
    wrong: dict[str, list[Floats]] = {"C = log Z + H(p₊)": [], "C = -H(p₊)": [], "r for r/β": [], "strings from p": []}
    for n_symbols, depth, size in ((2, 1, 1), (2, 1, 40), (3, 1, 20), (1, 3, 20)):
        beta = float(rng.uniform(0.3, 0.7))
        world = random_world(rng, n_symbols, depth, (250,), beta)
        log_q, counts = world.aligned.log_prob, corpus_types(world.reward.shape[-1], size)
        epsilon = np.sqrt(varentropy(log_q) / size) * rng.uniform(1, 3, 250)
        bound = chebyshev_bound(varentropy(log_q), size, epsilon)
        constant = trade_off_constant(world.log_z, entropy(log_q))
        sum_of_both = _mean_of_sum(world, counts, beta)
        identity.append(np.abs(sum_of_both - world.log_z[:, None] - counted(log_q, counts) / size).max(axis=-1))
        excess.append(atypical_probability(log_q, counts, sum_of_both, constant, epsilon) - bound)
        for name, law, statistic, centre in (
            ("C = log Z + H(p₊)", log_q, sum_of_both, world.log_z + entropy(log_q)),
            ("C = -H(p₊)", log_q, sum_of_both, -entropy(log_q)),
            ("r for r/β", log_q, _mean_of_sum(world, counts, 1.0), constant),
            ("strings from p", world.prior.log_prob, sum_of_both, constant),
        ):
            wrong[name].append(atypical_probability(law, counts, statistic, centre, epsilon) - bound)
    yield at_most(
        "mean log p + mean r/β = log Z + mean log p₊ for every corpus",
        oracle="sums over the composition of every corpus",
        residuals=np.concatenate(identity),
        tolerance=1e-12,  # a few sums of terms below 30
    )
    oracle = "exact multinomial law of the corpus"
    yield at_most("P(|...| ≥ ε) - V/(Nε²)", oracle=oracle, residuals=np.concatenate(excess), tolerance=ROUNDING)
    yield at_least(
        "P(|...| < ε) - (1 - δ) at the N that (ε, δ) ask for",
        oracle=oracle,
        margins=np.concatenate([_slack_at_prescribed_size(rng, size) for size in range(1, 61)]),
        tolerance=-ROUNDING,
    )
    yield at_most(
        "P(|...| ≥ ε) - V/(Nε²) on a model over endless strings",
        oracle="negative binomial law of the total length",
        residuals=[_tilted_geometric_excess(*case, c=float(rng.uniform(0.02, 1)), sign=-1) for case in _endless(rng)],
        tolerance=ROUNDING,
    )
    for name, figures in wrong.items():
        check = at_most("", oracle=oracle, residuals=np.concatenate(figures), tolerance=1e-3)
        yield rejects(name, check)
    endless = [_tilted_geometric_excess(*case, c=1.0, sign=1) for case in _endless(rng)[:100]]
    yield rejects("C = log Z + H(p₊), endless strings", at_most("", oracle="", residuals=endless, tolerance=1e-3))


def _mean_of_sum(world: World, counts: NDArray[np.int64], beta: float) -> Floats:
    return np.asarray(counted(world.prior.log_prob + world.reward / beta, counts) / counts[0].sum())


def _endless(rng: np.random.Generator) -> list[tuple[Geometric, int, float]]:
    """Models over endless strings, corpora of 1 to 10,000 strings, ε from 1.1 to 2.5 deviations of their mean."""
    sizes = np.exp(rng.uniform(0, np.log(10_000), 1000)).astype(int)
    return list(zip(geometric_models(rng, 1000), sizes.tolist(), rng.uniform(1.1, 2.5, 1000).tolist(), strict=True))


def _geometric_excess(model: Geometric, size: int, scale: float) -> float:
    epsilon = scale * np.sqrt(model.varentropy / size)
    exact = model.outside(size, model.entropy, epsilon, -model.log_symbol, -np.log(model.e))
    return exact - float(chebyshev_bound(model.varentropy, size, epsilon))


def _tilted_geometric_excess(prior: Geometric, size: int, scale: float, c: float, sign: int) -> float:
    """r/β = -c |y| tilts the prior to another geometric model; sign +1 plants C = log Z + H."""
    tilted = Geometric(prior.m, float(1 - (1 - prior.e) * np.exp(-c)))
    log_z = np.log(prior.e) - np.log(tilted.e)
    epsilon = scale * np.sqrt(tilted.varentropy / size)
    exact = tilted.outside(
        size, log_z + sign * tilted.entropy, epsilon, per_symbol=prior.log_symbol - c, per_string=np.log(prior.e)
    )
    return exact - float(chebyshev_bound(tilted.varentropy, size, epsilon))


def _three_level_excess(k: int, a: int, factor: float) -> float:
    """a strings of 2^-(k-1), 4a of 2^-(k+1), the rest of 2^-k: one string misses H by log 2 or by nothing."""
    log_q = -np.log(2) * np.repeat([k - 1.0, k, k + 1], [a, 2**k - 4 * a, 4 * a])
    counts = np.eye(log_q.size, dtype=np.int64)
    epsilon = np.log(2) * (1 - 1e-12)  # just inside, so that rounding cannot move a string across the border
    exact = atypical_probability(log_q, counts, -counted(log_q, counts), entropy(log_q), np.asarray(epsilon))
    return float(exact - factor * chebyshev_bound(varentropy(log_q), 1, epsilon))


def _slack_at_prescribed_size(rng: np.random.Generator, size: int) -> Floats:
    """δ - P(|...| ≥ ε) for pairs (ε, δ) that ask for `size` strings, in 17 worlds."""
    world = random_world(rng, 2, 1, (17,), beta=float(rng.uniform(0.3, 3)))
    log_q, delta = world.aligned.log_prob, rng.uniform(0.05, 0.9, 17)
    epsilon = np.sqrt(varentropy(log_q) / (delta * (size - rng.uniform(0.1, 0.9, 17))))
    asked = {corpus_size(*figures) for figures in zip(varentropy(log_q), epsilon, delta, strict=True)}
    counts = corpus_types(3, max(asked))
    centre = trade_off_constant(world.log_z, entropy(log_q))
    statistic = _mean_of_sum(world, counts, world.beta)
    slack = delta - atypical_probability(log_q, counts, statistic, centre, epsilon)
    return np.where(asked == {size}, slack, np.nan)
