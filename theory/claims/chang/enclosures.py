"""The rules at 256 bits: each printed objective is log Z - KL(pi || pi*), and float64's policies are right."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from theory.adaptors import temperature
from theory.arrays import Array, normalised
from theory.enclosures import (
    Ball,
    ball,
    bound,
    duality_gap,
    entropy,
    flint_installed,
    gibbs_residual,
    kl,
    log,
    log_partition,
    mean,
    policy,
    precision,
)
from theory.guidance import classifier_free_guidance, classifier_guidance, controlled, kl_guided_temperature
from theory.ledger import Evidence, at_most, claim, rejects

Law = list[Fraction]
Objective = Callable[[Sequence[Any]], Ball]
INSTANCES = 1000
# 256 bits are 77 digits; values reach 1e5 nats here and the radii of some twenty operations add up.
ROUNDING = 1e-60
# float64 holds log p and u to an ulp; a rule adds a handful of roundings of the largest log-weight.
DOUBLE = 1e-14
# A planted formula must miss by this much, far above every radius.
DECISIVE = 1e-3


def rational_law(rng: np.random.Generator, extreme: bool) -> Law:
    """Four rational probabilities; where `extreme`, each but the first is scaled by 10^-s with s up to 300."""
    weights = [Fraction(int(n)) for n in rng.integers(1, 1000, 4)]
    if extreme:
        scales = [0, *rng.integers(0, 300, 2).tolist(), 300]
        weights = [weight / 10**scale for weight, scale in zip(weights, scales, strict=True)]
    return [weight / sum(weights) for weight in weights]


def rules(rng: np.random.Generator, extreme: bool) -> dict[str, tuple[Objective, list[Ball], Array]]:
    """Per rule: its printed objective, the log-weights of its closed form (no denominators), and float64's log-policy.

    Numbers are drawn as fractions, so balls and float64 start from the same ones.
    """
    p, without, success = rational_law(rng, extreme), rational_law(rng, extreme), rational_law(rng, extreme)
    values = [Fraction(int(n), 64) for n in rng.integers(-300, 300, 4)]
    lam, T, sigma = (Fraction(int(n), 8) for n in (rng.integers(1, 40), rng.integers(1, 40), rng.integers(2400, 8000)))  # noqa: N806
    log_p, log_m, log_q, v = [log(x) for x in p], [log(x) for x in without], [log(x) for x in success], values
    exponent = ((kl(p, without) / ball(sigma)) * log(2)).exp() - 1
    in_float = partial(np.array, dtype=float)
    P, M, Q = (np.log(in_float([float(x) for x in law])) for law in (p, without, success))  # noqa: N806
    base = mean(p, [ball(x) for x in v])
    strength = ball(lam)

    def classifier(pi: Sequence[Any]) -> Ball:
        return strength * mean(pi, log_q) - kl(pi, p)

    def evidence(pi: Sequence[Any]) -> Ball:
        return strength * mean(pi, [a - b for a, b in zip(log_p, log_m, strict=True)]) - kl(pi, p)

    def guided(pi: Sequence[Any]) -> Ball:
        return -(exponent + 1) * kl(pi, p) - exponent * entropy(pi)

    def tempered(pi: Sequence[Any]) -> Ball:
        return -kl(pi, p) / ball(T) - (1 / ball(T) - 1) * entropy(pi)

    def advantage(pi: Sequence[Any]) -> Ball:
        return strength * (mean(pi, [ball(x) for x in v]) - base) - kl(pi, p)

    return {
        "classifier guidance, p Q^λ": (
            classifier,
            [a + strength * b for a, b in zip(log_p, log_q, strict=True)],
            classifier_guidance(P, Q, float(lam)),
        ),
        "classifier-free guidance, p^(1+λ) (p⁻)^(-λ)": (
            evidence,
            [(1 + strength) * a - strength * b for a, b in zip(log_p, log_m, strict=True)],
            classifier_free_guidance(P, M, float(lam)),
        ),
        "KL-guided temperature, p^(1+h)": (
            guided,
            [(exponent + 1) * a for a in log_p],
            kl_guided_temperature(P, M, float(sigma)),
        ),
        "temperature, p^(1/T)": (
            tempered,
            [a / ball(T) for a in log_p],
            normalised(temperature(float(T))(P)),
        ),
        "controlled decoding, p e^(λV)": (
            advantage,
            [a + strength * (ball(x) - base) for a, x in zip(log_p, v, strict=True)],
            controlled(P, in_float([float(x) for x in v]), float(lam)),
        ),
    }


def exact_rules(rng: np.random.Generator) -> Evidence:
    """Rational instances, half of them with probabilities down to 1e-300; a random policy for the Gibbs identity."""
    identity: dict[str, list[float]] = {}
    gaps: dict[str, list[float]] = {}
    errors: dict[str, list[float]] = {}
    shifted: list[float] = []
    untilted: list[float] = []
    for instance in range(INSTANCES):
        with precision():
            pi = rational_law(rng, extreme=instance % 4 == 3)
            for name, (objective, log_w, log_policy) in rules(rng, extreme=instance % 2 == 1).items():
                best, log_z = policy(log_w), log_partition(log_w)
                identity.setdefault(name, []).append(bound(gibbs_residual(objective(pi), pi, log_w)))
                gaps.setdefault(name, []).append(bound(duality_gap(objective(best), log_w)))
                off = [bound(ball(float(a)) - (w - log_z)) for a, w in zip(log_policy, log_w, strict=True)]
                # Relative to the weights' size, which reaches thousands of nats where p is 1e-300.
                size = max(1.0, *(bound(w) for w in log_w), bound(log_z))
                errors.setdefault(name, []).append(max(off) / size)
                sharper = [w * ball(Fraction(21, 20)) for w in log_w]
                shifted.append(bound(gibbs_residual(objective(pi), pi, sharper)))
                untilted.append(bound(duality_gap(objective(pi), log_w)))
    for name in identity:
        check = partial(at_most, oracle="ball arithmetic, 256 bits")
        yield check(f"J(π) - log Z + KL(π‖π*): {name}", residuals=identity[name], tolerance=ROUNDING)
        yield check(f"duality gap: {name}", residuals=gaps[name], tolerance=ROUNDING)
        yield check(f"float64's log-policy, relative: {name}", residuals=errors[name], tolerance=DOUBLE)
    yield rejects("closed form to the power 1.05", at_most("", oracle="", residuals=shifted, tolerance=DECISIVE))
    yield rejects("a random policy has no gap", at_most("", oracle="", residuals=untilted, tolerance=DECISIVE))


if flint_installed():
    claim(
        "new.enclosures-gibbs",
        paper="chang",
        where="Theorems 3.1 (frozen values), 3.2, 3.3, 3.4; Mudgal et al., Theorem 2.1",
        kind="identity",
        statement="At rational p, Q, p⁻, V, λ, T, with probabilities down to 1e-300, every printed objective satisfies "
        "J(π) = log Z - KL(π‖π*) and J(π*) = log Z = min_μ {μ + Z e^{-μ-1}}: both residuals lie in rigorous balls of "
        "less than 1e-60 nats around 0, and the float64 rules err by less than 1e-14 of their largest log-weight.",
        verdict="holds",
    )(exact_rules)
