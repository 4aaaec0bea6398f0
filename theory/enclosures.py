"""Rigorous enclosures in ball arithmetic (Arb, by python-flint): a ball [m +/- r] surely contains the exact value.

Work inside `with precision():`; elsewhere balls are still right, but wide. Arguments p and pi are exact probabilities
(`Fraction` or balls), u and log-weights are balls. Needs the extra `solvers`.
Source: F. Johansson, Arb: efficient arbitrary-precision midpoint-radius interval arithmetic, 2017.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

Ball: TypeAlias = Any
Exact: TypeAlias = int | float | Fraction
"""A number meant as it stands: a float is the binary fraction that it holds."""


def flint_installed() -> bool:
    """Whether python-flint can be imported."""
    return find_spec("flint") is not None


def precision(bits: int = 256) -> AbstractContextManager[None]:
    """Carry out the ball operations of a `with` block at `bits` bits. Raises ImportError without python-flint."""
    context: AbstractContextManager[None] = _flint().ctx.workprec(bits)
    return context


def ball(x: Exact | Ball) -> Ball:
    """The ball around one exact number; a ball is passed on.

    >>> with precision():
    ...     bound(ball(Fraction(1, 3)) * 3 - 1) < 1e-76
    True
    """
    if not isinstance(x, int | float | Fraction):
        return x
    numerator, denominator = x.as_integer_ratio()
    return _flint().arb(_flint().fmpq(numerator, denominator))


def bound(x: Ball) -> float:
    """A float above |x|, whatever the point of the ball."""
    return math.nextafter(float(x.abs_upper()), math.inf)


def least(x: Ball) -> float:
    """A float below x, whatever the point of the ball."""
    return math.nextafter(float(x.lower()), -math.inf)


def log(x: Exact | Ball) -> Ball:
    """log x, nats."""
    return ball(x).log()


def mean(pi: Sequence[Exact | Ball], values: Sequence[Ball]) -> Ball:
    """sum_a pi_a values_a."""
    return sum((ball(weight) * value for weight, value in zip(pi, values, strict=True)), ball(0))


def kl(pi: Sequence[Exact | Ball], p: Sequence[Exact | Ball]) -> Ball:
    """KL(pi || p) = sum_a pi_a log(pi_a / p_a), nats; both positive everywhere."""
    return mean(pi, [log(a) - log(b) for a, b in zip(pi, p, strict=True)])


def entropy(pi: Sequence[Exact | Ball]) -> Ball:
    """H(pi) = -sum_a pi_a log pi_a, nats; pi positive everywhere."""
    return -mean(pi, [log(a) for a in pi])


def log_partition(log_w: Sequence[Ball]) -> Ball:
    """log Z = log sum_a e^(log_w_a), nats; Arb's exponents are unbounded, so nothing underflows."""
    return log(sum((weight.exp() for weight in log_w), ball(0)))


def policy(log_w: Sequence[Ball]) -> list[Ball]:
    """pi*_a = e^(log_w_a) / Z."""
    log_z = log_partition(log_w)
    return [(weight - log_z).exp() for weight in log_w]


def gibbs_residual(value: Ball, pi: Sequence[Exact | Ball], log_w: Sequence[Ball]) -> Ball:
    """J(pi) - log Z + KL(pi || pi*), which is 0 for every pi where pi* = e^log_w / Z maximises J; value: J(pi)."""
    return value - log_partition(log_w) + kl(pi, policy(log_w))


def duality_gap(value: Ball, log_w: Sequence[Ball]) -> Ball:
    """min_mu { mu + Z e^(-mu-1) } - J(pi), the minimum being at mu = log Z - 1; value: J(pi)."""
    mu = log_partition(log_w) - 1
    return mu + sum((weight.exp() for weight in log_w), ball(0)) * (-mu - 1).exp() - value


def best_of_cost(p: Sequence[Fraction], K: int) -> Ball:  # noqa: N803 (the field's symbol)
    """KL(best-of-K || p), nats; p: the mass of each level of the reward, lowest first. Rational up to the logarithm.

    Strings of one level share pi / p, so levels suffice. Source: Mudgal et al., section 3.2.
    """
    levels, below = [], Fraction(0)
    for mass in p:
        levels.append((below + mass) ** K - below**K)
        below += mass
    return mean(levels, [log(pi / mass) for pi, mass in zip(levels, p, strict=True)])


def best_of_bound(K: int) -> Ball:  # noqa: N803
    """log K - (K - 1) / K, nats."""
    return log(K) - ball(Fraction(K - 1, K))


def telescoping(n: int) -> Ball:
    """p(a^n) = 1 / log2(n + 2) - 1 / log2(n + 3). Source: Tan et al., Example 2."""
    return log(2) * (1 / log(n + 2) - 1 / log(n + 3))


def critical_temperature(m: int, e: Fraction) -> Ball:
    """T_c = 1 + log(1 / (1 - e)) / log m: Z of the global law is finite below it only (m like symbols, p(eos) = e)."""
    return 1 - log(1 - e) / log(m)


def log_growth(m: int, e: Fraction, T: Exact | Ball) -> Ball:  # noqa: N803
    """log of m ((1 - e) / m)^(1/T): the mass of length n + 1 over that of length n at global temperature T, nats."""
    return log(m) + (log(1 - e) - log(m)) / ball(T)


def _flint() -> Any:
    if not flint_installed():
        raise ImportError("enclosures need python-flint: pip install 'decoding-tradeoffs[solvers]'.")
    return import_module("flint")
