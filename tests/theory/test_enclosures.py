"""Balls against float64 and exact fractions, and what happens without python-flint."""

import importlib
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import theory.claims  # noqa: F401  fills the registry
from theory import enclosures, ledger
from theory.best_of import best_of
from theory.enclosures import ball, best_of_bound, bound, least, precision
from theory.families import log_telescoping
from theory.guidance import gibbs
from theory.information import entropy, kl
from theory.ledger import REGISTRY, verify

pytest.importorskip("flint")
WEIGHTS = st.lists(st.integers(1, 10**6), min_size=2, max_size=5)
MODULES = ["theory.claims.chang.enclosures", "theory.claims.cd.enclosures", "theory.claims.tan.enclosures"]
CLAIMS = sorted(id for id in REGISTRY if REGISTRY[id].evidence.__module__ in MODULES)


def law(weights):
    return [Fraction(weight, sum(weights)) for weight in weights]


def logs(p):
    return np.log(np.array([float(x) for x in p]))


@given(st.fractions(), st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_a_ball_holds_the_exact_number(fraction, number, integer):
    with precision():
        for x in (fraction, number, integer):
            assert least(ball(x)) < x
            assert abs(x) < bound(ball(x))


def test_rounding_is_outward():
    with precision():
        third = ball(Fraction(1, 3))
        assert Fraction(least(third)) < Fraction(1, 3) < Fraction(bound(third))
        assert Fraction(bound(-third)) > Fraction(1, 3)


def test_precision_ends_with_its_block():
    with precision(300):
        narrow = bound(enclosures.log(3) - enclosures.log(3))
    assert narrow < 1e-85 < bound(enclosures.log(3) - enclosures.log(3))


def test_a_wide_ball_is_bounded_on_both_sides():
    with precision():
        assert importlib.import_module("flint").ctx.prec == 256
        wide = ball(1).union(ball(2))
        assert 0.999 < least(wide) < 1 < 2 < bound(wide) < 2.001
        assert 0.999 < least(-wide) + 3 < 1


@given(st.integers(1, 10**6))
def test_the_bound_on_best_of_is_its_formula(K):  # noqa: N803
    with precision():
        assert float(best_of_bound(K)) == pytest.approx(math.log(K) - (K - 1) / K, abs=1e-12)


@given(WEIGHTS, st.integers(0, 2**32))
def test_measures_and_the_optimum_agree_with_float64(weights, seed):
    rng = np.random.default_rng(seed)
    p, pi = law(weights), law(rng.integers(1, 1000, len(weights)).tolist())
    u = rng.uniform(-5, 5, len(weights))
    with precision():
        log_w = [enclosures.log(a) + ball(float(b)) for a, b in zip(p, u, strict=True)]
        assert float(enclosures.kl(pi, p)) == pytest.approx(float(kl(logs(pi), logs(p))), abs=1e-13)
        assert float(enclosures.entropy(p)) == pytest.approx(float(entropy(logs(p))), abs=1e-13)
        found = [float(x) for x in enclosures.policy(log_w)]
        value = enclosures.mean(pi, [ball(float(x)) for x in u]) - enclosures.kl(pi, p)
        assert bound(enclosures.gibbs_residual(value, pi, log_w)) < 1e-70
        # The gap of any policy is its divergence from the optimum.
        gap = enclosures.duality_gap(value, log_w) - enclosures.kl(pi, enclosures.policy(log_w))
        assert bound(gap) < 1e-70
        assert bound(enclosures.gibbs_residual(value + ball(1e-60), pi, log_w)) > 1e-61
    np.testing.assert_allclose(found, np.exp(gibbs(logs(p), u)), rtol=1e-12)


@given(WEIGHTS, st.integers(1, 8))
def test_best_of_agrees_with_float64(weights, K):  # noqa: N803
    p = law(weights)
    exact = float(kl(best_of(logs(p), np.arange(float(len(p))), K), logs(p)))
    with precision():
        cost = enclosures.best_of_cost(p, K)
        assert float(cost) == pytest.approx(exact, abs=1e-12)
        assert least(enclosures.best_of_bound(K) - cost) >= (-1e-70 if K == 1 else 0)


@given(st.integers(0, 10**6), st.integers(2, 1000), st.integers(1, 999))
def test_closed_forms_agree_with_float64(n, m, thousandths):
    e = Fraction(thousandths, 1000)
    with precision():
        assert float(enclosures.log(enclosures.telescoping(n))) == pytest.approx(
            float(log_telescoping(np.float64(n))), abs=1e-12
        )
        T = enclosures.critical_temperature(m, e)  # noqa: N806
        assert float(T) == pytest.approx(1 - math.log1p(-float(e)) / math.log(m), rel=1e-12)
        assert float(enclosures.log_growth(m, e, 2)) == pytest.approx(math.log(m * (1 - float(e))) / 2, abs=1e-12)


@pytest.mark.parametrize("id", CLAIMS)
def test_claims_stand_at_another_seed(id):
    assert verify(REGISTRY[id], seed=1).faults() == []


def test_the_required_claims_are_there():
    assert len(CLAIMS) == 4


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [
        ("chang", "classifier_guidance", lambda log_p, u, lam: gibbs(log_p, 1.001 * lam * u)),
        ("chang", "kl", lambda pi, p: enclosures.kl(pi, p) * ball(1.001)),
        ("cd", "best_of", lambda log_p, reward, k: best_of(log_p, -reward, k)),
        ("cd", "best_of_bound", lambda k: enclosures.best_of_bound(k) - ball(Fraction(1, 1000))),
        ("tan", "telescoping", lambda n: enclosures.telescoping(n) * ball(1 - 2.0**-52)),
        ("tan", "critical_temperature", lambda m, e: enclosures.critical_temperature(m, e) * ball(1 + 2.0**-52)),
    ],
)
def test_claims_fall_with_a_broken_formula(module, name, broken, monkeypatch):
    home = f"theory.claims.{module}.enclosures"
    monkeypatch.setattr(importlib.import_module(home), name, broken)
    mine = [claim for claim in REGISTRY.values() if claim.evidence.__module__ == home]
    assert any(verify(claim).faults() for claim in mine)


def test_without_flint_nothing_is_registered_and_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(enclosures, "find_spec", lambda name: None)
    monkeypatch.setattr(ledger, "REGISTRY", {})
    with pytest.raises(ImportError, match=r"^enclosures need python-flint: pip install 'decoding-tr"):
        precision()
    for name in MODULES:
        spec = importlib.util.find_spec(name)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert ledger.REGISTRY == {}
