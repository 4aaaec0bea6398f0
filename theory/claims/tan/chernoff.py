"""Theorem 2 and what the text says of it: an exponential bound, how it compares, and why Hoeffding's does not serve."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.claims.tan.worlds import Geometric, geometric_models
from theory.concentration import Surprisal, chernoff_bound, lower_rate, of_automaton, of_law, upper_rate
from theory.families import geometric, random_automaton
from theory.language_models import log_dirichlet
from theory.ledger import Evidence, at_least, at_most, claim, rejects
from theory.typicality import atypical_probability, chebyshev_bound, corpus_types, counted

Floats = NDArray[np.float64]
MODELS = tuple((m, e) for m in (2, 26) for e in (0.05, 0.3, 0.7))
ROUNDING = 1e-11  # 1e2 compositions, each with log-factorials near 1e2; negative binomial tails to 12 digits


@claim(
    "tan.thm2",
    paper="tan",
    where="Theorem 2, equations 32 to 38",
    kind="theorem",
    statement="P(|H + (1/N) Σ log p(y_n)| ≥ ε) ≤ 2 e^{-sN} with s = min(I₊, I₋) > 0, "
    "I₊ = sup_{0<t<1-α_c} t(ε - (H_{1-t} - H)) and I₋ = sup_{t>0} t(ε - (H - H_{1+t})): Cramér's exponents, so that no "
    "larger s will do (α_c: the least order with H_α finite above it, tan.prop3), and s ~ ε²/(2V) as ε → 0.",
    verdict="holds-with-assumption",
    assumptions="H_α finite for some α < 1 (corrected Proposition 3) and t < 1 - α_c; non-triviality is not needed",
)
def exponential_bound(rng: np.random.Generator) -> Evidence:
    log_p = log_dirichlet(3, rng, batch=(500,))
    finite = of_law(log_p)
    excess, one_sided = [], []
    for size in (1, 5, 30):
        counts, epsilon = corpus_types(3, size), np.sqrt(finite.varentropy / size) * rng.uniform(0.5, 3, 500)
        information = -counted(log_p, counts) / size
        exact = atypical_probability(log_p, counts, information, finite.entropy, epsilon)
        excess.append(exact - chernoff_bound(finite, size, epsilon))
        one_sided.append(exact - np.exp(-size * np.maximum(upper_rate(finite, epsilon), lower_rate(finite, epsilon))))
    check = partial(at_most, oracle="exact multinomial law of the corpus", tolerance=ROUNDING)
    yield check("P - e^{-N I₊} - e^{-N I₋} on finite laws", residuals=np.concatenate(excess))
    models, scale = geometric_models(rng, 1000, most=0.7), rng.uniform(0.1, 0.9, 1000)
    tails = "negative binomial law of the total length"
    excess_over = _endless_excess(models, np.exp(rng.uniform(0, np.log(5000), 1000)).astype(int), 0.5 + 2.5 * scale)
    yield at_most("P - 2 e^{-sN} on endless strings", oracle=tails, residuals=excess_over, tolerance=ROUNDING)
    worst = _cramer_error(models, scale)
    yield at_most(
        "I₊ and I₋ against Cramér's exponent of the length, relative",
        oracle="relative entropy of geometric laws",
        residuals=worst,
        tolerance=1e-9,  # exponents from 1e-3 up; rounding 1e-15 of surprisals near 1e2 in their difference
    )
    model = of_automaton(random_automaton(3, 2, rng, 0.05, batch=(1000,)))
    small = 1e-3 * np.sqrt(model.varentropy)
    quadratic = partial(at_most, oracle="ε²/(2V)", tolerance=1e-2)  # the next term is of relative size 1e-3
    rates = np.minimum(upper_rate(model, small), lower_rate(model, small)) / (small**2 / (2 * model.varentropy))
    yield quadratic("s over ε²/(2V) at ε = σ/1000, less 1, on random automata", residuals=np.abs(rates - 1))
    # These rates are s over ε²/(2V), near 1.
    yield at_least("s > 0", oracle="golden section", margins=rates, tolerance=0.5)
    optimal = [_log_ratio(m, e, 1.1) for m, e in MODELS]
    yield rejects("1.1 s for s", at_most("", oracle="", residuals=optimal, tolerance=0.0))
    yield rejects("the better of the two exponents alone", check("", residuals=np.concatenate(one_sided)))
    yield rejects("s ~ ε²/V", quadratic("", residuals=np.abs(rates / 2 - 1)))


@claim(
    "tan.tighter",
    paper="tan",
    where="section 5.1 and appendix D",
    kind="text",
    statement="The exponential bound is tighter than Chebyshev's V/(Nε²) for large N: near ε → 0 once Nε²/V exceeds "
    "4.31, the larger root of 2x = e^{x/2}; for smaller corpora Chebyshev's can be the tighter.",
    verdict="holds-with-assumption",
    assumptions="N large: like symbols, m = 2, p(eos) = 0.1, ε = 1, N = 100 still has Chebyshev's below 2 e^{-sN}",
)
def asymptotically(rng: np.random.Generator) -> Evidence:
    model = of_automaton(random_automaton(3, 2, rng, 0.05, batch=(1000,)))
    epsilon = 1e-4 * np.sqrt(model.varentropy)  # s is ε²/(2V) up to a relative 1e-4 or so
    exponent = np.minimum(upper_rate(model, epsilon), lower_rate(model, epsilon))
    # Two figures apart by 1e-3 and more, 0.27 |x - 4.3066|, where x moves by 1e-4 of itself at most.
    check = partial(at_most, oracle="both bounds evaluated", tolerance=0.0)

    def advantage(x: float) -> Floats:
        """log(2 e^{-sN}) - log(V/(Nε²)) at the (real) N with N ε² / V = x."""
        return np.asarray(np.log(2) - exponent * x * model.varentropy / epsilon**2 + np.log(x))

    yield check("log of the exponential bound over Chebyshev's at Nε²/V = 4.315", residuals=advantage(4.315))
    yield check("the same at 100", residuals=advantage(100.0))
    yield check("Chebyshev's over the exponential bound at 4.3", residuals=-advantage(4.3))
    single = of_automaton(geometric(2, 0.1))
    figures = [(size, float(chebyshev_bound(single.varentropy, size, 1.0))) for size in (100, 400)]
    (few, many) = [float(_doubled(single, size, 1.0)) - chebyshev for size, chebyshev in figures]
    yield check("worked example, like symbols, ε = 1: Chebyshev's less 2 e^{-sN} at N = 100", residuals=[-few])
    yield check("the same worked example: 2 e^{-sN} less Chebyshev's at N = 400", residuals=[many])
    yield rejects("tighter at every N", check("", residuals=advantage(3.0)))
    yield rejects("tighter from Nε²/V = 4.29 on", check("", residuals=advantage(4.29)))
    yield rejects("never tighter", check("", residuals=-advantage(100.0)))


@claim(
    "tan.unbounded",
    paper="tan",
    where="appendix D",
    kind="text",
    statement="On infinitely many strings the surprisal -log p(Y) is unbounded, the n-th likeliest string having at "
    "least log n; so Hoeffding's inequality has no range to use, and one cut at short strings gives a false bound.",
    verdict="holds",
)
def no_range(rng: np.random.Generator) -> Evidence:
    sizes = np.array([10, 100, 1000])
    laws = np.sort(-log_dirichlet(1000, rng, 0.5, (1000,)), axis=-1)
    yield at_least(
        "surprisal of the n-th likeliest string less log n, finite parts",
        oracle="sorting",
        margins=(laws[:, sizes - 1] - np.log(sizes)).ravel(),
        tolerance=-1e-12,  # rounding
    )
    check = partial(at_least, oracle="negative binomial law of the total length")
    margins = [_hoeffding_margin(model, levels=0) for model in geometric_models(rng, 1000, most=0.7)]
    # Any excess falsifies a bound; the next check has steps of at least log 1/p(a) times 9.
    yield check(
        "exact tail over Hoeffding's with the range of strings up to E|y|, log", margins=margins, tolerance=1e-3
    )
    ends = np.array([model.log_symbol for model in geometric_models(rng, 1000, most=0.7)])
    grows = -ends[:, None] * 10.0 ** np.arange(1, 6)
    yield at_least(
        "growth of the surprisal of aⁿ from n to 10 n, n = 10 to 10⁴",
        oracle="closed form",
        margins=np.diff(grows).ravel(),
        tolerance=1.0,
    )
    wide = [_hoeffding_margin(Geometric(m, e), levels=100) for m, e in MODELS]
    yield rejects("a range of a hundred times E|y|", check("", margins=wide, tolerance=1e-3))
    uniform = np.full((1, 1000), np.log(1000))[:, [9, 99]]
    bounded = at_least("", oracle="", margins=np.diff(uniform).ravel(), tolerance=1e-3)
    yield rejects("a uniform law on 1000 strings: no growth", bounded)


def _doubled(law: Surprisal, size: NDArray[np.int64] | int, epsilon: Floats | float) -> Floats:
    return np.asarray(2 * np.exp(-size * np.minimum(upper_rate(law, epsilon), lower_rate(law, epsilon))))


def _tail(model: Geometric, size: int, epsilon: float) -> float:
    return model.outside(size, model.entropy, epsilon, -model.log_symbol, -np.log(model.e))


def _endless_excess(models: list[Geometric], size: NDArray[np.int64], scale: Floats) -> Floats:
    law = _together(models)
    epsilon = scale * np.sqrt(law.varentropy / size)
    tails = [_tail(*figures) for figures in zip(models, size.tolist(), epsilon.tolist(), strict=True)]
    return np.asarray(tails - _doubled(law, size, epsilon))


def _cramer_error(models: list[Geometric], scale: Floats) -> Floats:
    """Relative error of both rates, at an epsilon that is `scale` times the way down to the empty string."""
    law, e = _together(models), np.array([model.e for model in models])
    mean = (1 - e) / e
    epsilon = -scale * mean * np.array([model.log_symbol for model in models])
    errors = []
    for rate, x in ((upper_rate, mean * (1 + scale)), (lower_rate, mean * (1 - scale))):
        other = 1 / (1 + x)  # the geometric law of mean length x
        exact = np.log(other / e) + x * np.log((1 - other) / (1 - e))
        errors.append(np.abs(rate(law, epsilon) / exact - 1))
    return np.asarray(np.maximum(*errors))


def _together(models: list[Geometric]) -> Surprisal:
    return of_automaton(geometric(*np.array([(model.m, model.e) for model in models]).T))


def _log_ratio(m: int, e: float, factor: float) -> float:
    """log of the exact tail over 2 e^(-factor s N), N so large that e^(-sN) is about e^-400, by one side's exponent."""
    model, law = Geometric(m, e), of_automaton(geometric(m, e))
    epsilon = float(np.sqrt(model.varentropy)) / 2
    exponent = min(float(upper_rate(law, epsilon)), float(lower_rate(law, epsilon)))
    size = int(400 / exponent)
    return float(np.log(_tail(model, size, epsilon)) - np.log(2) + factor * exponent * size)


def _hoeffding_margin(model: Geometric, levels: int) -> float:
    """log of the exact tail less log of 2 exp(-2 N ε² / range²), the range that of strings up to (1 + levels) E|y|."""
    spread = -(1 + levels) * (1 - model.e) / model.e * model.log_symbol
    epsilon, size = 2 * float(np.sqrt(model.varentropy)), 20
    return float(np.log(_tail(model, size, epsilon)) - np.log(2) + 2 * size * (epsilon / spread) ** 2)
