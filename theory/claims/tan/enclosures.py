"""At 256 bits: the tail of infinite entropy term by term, and the temperature at which Z becomes infinite."""

from fractions import Fraction
from functools import partial
from itertools import accumulate

import numpy as np

from theory.automata import critical_alpha
from theory.enclosures import (
    Ball,
    ball,
    bound,
    critical_temperature,
    flint_installed,
    least,
    log,
    log_growth,
    precision,
    telescoping,
)
from theory.families import geometric, log_telescoping
from theory.ledger import Evidence, at_least, at_most, claim, rejects

TERMS = 1500
# Far terms, where float64 cannot tell p(a^n) from its lower bound: they differ by one part in n,
# while the difference of 1 / log2 loses as many digits again: 256 bits carry both up to 1e35.
FAR = [10**k for k in range(4, 36)]
# The last digits of balls of 256 bits, or 77 digits, after sums of some thousand terms.
ROUNDING = 1e-60
MODELS = 1300
# T_c is missed by a relative 1e-30 either way, which float64 cannot see.
NEAR = Fraction(1, 10**30)


def infinite_entropy(rng: np.random.Generator) -> Evidence:
    """The first terms one by one, far ones up to 1e35, and the bound on H where no sum can reach."""
    with precision():
        terms = [telescoping(n) for n in range(TERMS)]
        mass = list(accumulate(terms))
        tails = [bound(mass[n - 1] + log(2) / log(n + 2) - 1) for n in range(1, TERMS)]
        surprisal = list(accumulate(-p * log(p) for p in terms[1:]))  # from n = 1, as p_0 > 1/e
        above = [least(surprisal[n - 2] - _integral(n)) for n in range(2, TERMS)]
        factors = [least(_excess(n, telescoping(n))) for n in [*range(1, TERMS), *FAR]]
        below = [least(ball(-1).exp() - telescoping(n)) for n in range(1, TERMS)]
        errors = [
            bound(ball(float(log_telescoping(np.array(float(n))))) - log(telescoping(n))) for n in [*range(1000), *FAR]
        ]
        reached = least(log(2) * (_log_log_power(10**100) - log(log(4))))
        light = [least(_excess(n, ball(Fraction(1, 2 ** (n + 1))))) for n in range(1, 99)]
        first = least(ball(-1).exp() - telescoping(0))
        shifted = [least(_excess(n, telescoping(n)) - ball(Fraction(2, n))) for n in FAR]
    enclosed = partial(at_most, oracle="ball arithmetic, 256 bits")
    certified = partial(at_least, oracle="ball arithmetic, 256 bits")
    yield enclosed("Σ_{n<N} p_n + 1/log2(N+2) - 1", residuals=tails, tolerance=ROUNDING)
    yield certified("1/e - p_n for n ≥ 1, where -x log x increases", margins=below, tolerance=0.0)
    # Strictly positive, if by one part in n only.
    yield certified("p_n (n+3) log²(n+3) / log 2 - 1", margins=factors, tolerance=0.0)
    yield certified("H_N - log 2 (log log(N+3) - log log 4)", margins=above, tolerance=0.0)
    yield certified("limit sequence: that bound at N = 10^(10^100), nats", margins=[reached], tolerance=150.0)
    yield enclosed("float64's log p_n", residuals=errors, tolerance=1e-13)  # logarithms of size 100 at most
    yield rejects("the geometric law too", certified("", margins=light, tolerance=0.0))
    yield rejects("from n = 0 on", certified("", margins=[first], tolerance=0.0))
    yield rejects("the bound times 1 + 2/n", certified("", margins=shifted, tolerance=0.0))


def critical(rng: np.random.Generator) -> Evidence:
    """Rational p(eos) from 1e-12 to 0.9, 2 to 32,000 symbols; the float64 root of the automaton beside the ball."""
    exact, finite, infinite, inverted = [], [], [], []
    few: list[tuple[int, float, Ball]] = []  # models of less than 20 symbols, which float64's automata hold as they are
    for instance in range(MODELS):
        m, e = int(rng.integers(2, 20 if instance % 5 else 32_001)), Fraction(int(rng.integers(1, 901)), 1000)
        e = e / 10 ** int(rng.integers(0, 10)) if instance % 3 == 0 else e
        with precision():
            T = critical_temperature(m, e)  # noqa: N806 (the field's symbol)
            step = (T - 1) * ball(NEAR)
            exact.append(bound(log_growth(m, e, T)))
            finite.append(least(-log_growth(m, e, T - step)))
            infinite.append(least(log_growth(m, e, T + step)))
            inverted.append(bound(log_growth(m, e, 1 + log(m) / -log(1 - e))))
        if m < 20:
            few.append((m, float(e), T))
    alphas = critical_alpha(geometric(np.array([m for m, _, _ in few]), np.array([e for _, e, _ in few])))
    with precision():
        errors = [bound(1 / ball(alpha) - T) / bound(T) for alpha, (_, _, T) in zip(alphas.tolist(), few, strict=True)]
    enclosed = partial(at_most, oracle="ball arithmetic, 256 bits")
    certified = partial(at_least, oracle="ball arithmetic, 256 bits")
    yield enclosed("log of the growth by length at T_c", residuals=exact, tolerance=ROUNDING)
    yield certified("the mass shrinks with length at T_c - 1e-30 (T_c - 1)", margins=finite, tolerance=0.0)
    yield certified("it grows at T_c + 1e-30 (T_c - 1)", margins=infinite, tolerance=0.0)
    yield enclosed("float64's 1/α_c, relative", residuals=errors, tolerance=1e-11)  # a root known to a dozen ulp
    yield rejects("1 + log m / log(1/(1-e))", enclosed("", residuals=inverted, tolerance=1e-3))


def _integral(n: int) -> Ball:
    """log 2 (log log(n + 3) - log log 4), below the sum of -p log p over 1 <= k < n."""
    return log(2) * (log(log(n + 3)) - log(log(4)))


def _excess(n: int, p: Ball) -> Ball:
    """How far p exceeds log 2 / ((n + 3) log^2(n + 3)), relative."""
    return p * (n + 3) * log(n + 3) ** 2 / log(2) - 1


def _log_log_power(exponent: int) -> Ball:
    """log log 10^exponent."""
    return log(exponent) + log(log(10))


if flint_installed():
    claim(
        "new.enclosures-infinite-entropy",
        paper="tan",
        where="Proposition 2 and Example 2",
        kind="proposition",
        statement="For p(aⁿ) = 1/log2(n+2) - 1/log2(n+3): Σ_{n<N} p_n = 1 - 1/log2(N+2) and, since "
        "p_n ≥ log 2 / ((n+3) log²(n+3)) for n ≥ 1, H_N ≥ log 2 (log log(N+3) - log log 4), "
        "which passes 150 nats at N = 10^(10^100) and every bound in the end.",
        verdict="holds",
    )(infinite_entropy)
    claim(
        "new.enclosures-critical-temperature",
        paper="tan",
        where="section 4",
        kind="equation",
        statement="For m like symbols and p(eos) = e the growth m^{1-1/T} (1-e)^{1/T} of the mass by length is 1 at "
        "T_c = 1 + log(1/(1-e))/log m, and on the right side of 1 within 1e-30 (T_c - 1) of it.",
        verdict="holds",
    )(critical)
