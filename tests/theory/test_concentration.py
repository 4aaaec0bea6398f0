"""Exponents and bounds against exact laws of the mean surprisal."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize, stats

from theory import automata
from theory.claims.tan.worlds import Geometric
from theory.concentration import (
    chernoff_bound,
    lower_rate,
    normal_approximation,
    of_automaton,
    of_law,
    upper_rate,
)
from theory.families import geometric, random_automaton
from theory.language_models import log_dirichlet
from theory.typicality import atypical_probability, chebyshev_bound, corpus_types, counted

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 12), st.floats(0.1, 4))
def test_the_bound_holds_for_every_finite_law(seed: int, size: int, scale: float) -> None:
    log_p = log_dirichlet(3, np.random.default_rng(seed), batch=(4,))
    law, counts = of_law(log_p), corpus_types(3, size)
    epsilon = scale * np.sqrt(law.varentropy / size)
    assume(np.all(epsilon > 1e-6))
    exact = atypical_probability(log_p, counts, -counted(log_p, counts) / size, law.entropy, epsilon)
    assert np.all(exact <= chernoff_bound(law, size, epsilon) + 1e-11)  # log-factorials of 12
    normal = normal_approximation(law.varentropy, size, epsilon)
    np.testing.assert_allclose(normal, 2 * stats.norm.sf(scale), rtol=1e-9)


@given(SEEDS, st.floats(0.05, 0.95))
def test_rates_are_the_legendre_transform(seed: int, share: float) -> None:
    log_p = log_dirichlet(4, np.random.default_rng(seed))
    law = of_law(log_p)
    up, down = share * (law.most - law.entropy), share * (law.entropy - law.least)
    assume(min(up, down) > 1e-3)
    for rate, x in ((upper_rate(law, up), law.entropy + up), (lower_rate(law, down), law.entropy - down)):

        def tilted_mean(t: float, x: float = float(x)) -> float:
            tilt = np.exp((1 - t) * log_p - np.logaddexp.reduce((1 - t) * log_p))
            return float(-tilt @ log_p) - x

        assume(tilted_mean(-200) * tilted_mean(200) < 0)
        t = optimize.brentq(tilted_mean, -200, 200, xtol=1e-13)
        exact = t * x - np.logaddexp.reduce((1 - t) * log_p)
        assert float(rate) == pytest.approx(float(exact), rel=1e-6, abs=1e-9)  # t up to 200 times rounding


def test_ends_of_the_range() -> None:
    law = of_law(np.log([0.7, 0.3]))
    assert law.critical_alpha == -math.inf
    # At the very end all strings must be of the rarest, or of the commonest, sort.
    assert float(upper_rate(law, law.most - law.entropy)) == pytest.approx(-math.log(0.3), abs=1e-9)
    assert float(lower_rate(law, law.entropy - law.least)) == pytest.approx(-math.log(0.7), abs=1e-9)
    beyond = float(law.most - law.entropy) * (1 + 1e-9)
    assert upper_rate(law, beyond) == math.inf
    assert float(upper_rate(law, beyond * (1 - 1e-6))) == pytest.approx(-math.log(0.3), abs=1e-4)
    beneath = float(law.entropy - law.least) * (1 + 1e-9)
    assert lower_rate(law, beneath) == math.inf
    assert float(lower_rate(law, beneath * (1 - 1e-6))) == pytest.approx(-math.log(0.7), abs=1e-4)
    assert chernoff_bound(law, 3, 50.0) == 0
    with np.errstate(divide="ignore"):
        padded = of_law(np.log([0.7, 0.3, 0.0]))
    assert float(padded.most) == float(law.most)
    assert float(upper_rate(padded, 0.1)) == pytest.approx(float(upper_rate(law, 0.1)), abs=1e-12)


@given(st.integers(1, 30), st.floats(0.05, 0.9), st.floats(0.05, 3))
def test_endless_strings_have_the_exponent_of_their_length(m: int, e: float, scale: float) -> None:
    model, law, mean = Geometric(m, e), of_automaton(geometric(m, e)), (1 - e) / e
    x = mean * (1 + scale)
    other = 1 / (1 + x)
    exact = math.log(other / e) + x * math.log((1 - other) / (1 - e))
    assert float(upper_rate(law, -scale * mean * model.log_symbol)) == pytest.approx(exact, rel=1e-7)


@given(SEEDS)
def test_the_law_of_an_automaton(seed: int) -> None:
    model = random_automaton(2, 2, np.random.default_rng(seed), 0.2, batch=(3,))
    law = of_automaton(model)
    np.testing.assert_array_equal(law.entropy, automata.entropy(model))
    np.testing.assert_array_equal(law.least, -model.log_best[:, 0])
    assert np.all(np.isinf(law.most))
    epsilon = 0.05 * np.sqrt(law.varentropy)
    for rate in (upper_rate, lower_rate):
        np.testing.assert_allclose(rate(law, epsilon), epsilon**2 / (2 * law.varentropy), rtol=0.25)
        assert np.all(rate(law, 2 * epsilon) > rate(law, epsilon))


@pytest.mark.parametrize("size", [1, 20])
def test_the_bound_adds_both_tails_and_stops_at_one(size: int) -> None:
    law = of_law(np.log([0.6, 0.3, 0.1]))
    epsilon = np.array([0.01, 0.2, 0.5])
    both = np.exp(-size * upper_rate(law, epsilon)) + np.exp(-size * lower_rate(law, epsilon))
    assert both[0] > 1
    np.testing.assert_allclose(chernoff_bound(law, size, epsilon), np.minimum(both, 1), rtol=1e-14)


def test_laws_of_a_batch_do_not_mix() -> None:
    log_p = log_dirichlet(4, np.random.default_rng(1), batch=(2, 3))
    many, many_automata = of_law(log_p), random_automaton(2, 1, np.random.default_rng(2), 0.2, batch=(2, 3))
    for i in np.ndindex(2, 3):
        alone, share = of_law(log_p[i]), np.array([0.3, 0.6])
        for field in ("entropy", "varentropy", "least", "most", "critical_alpha"):
            assert getattr(many, field)[i] == pytest.approx(float(getattr(alone, field)), rel=1e-13)
        for rate in (upper_rate, lower_rate):
            found = rate(of_law(log_p[i][None]), 0.1 * share)
            np.testing.assert_allclose(found, [float(rate(alone, 0.1 * one)) for one in share], rtol=1e-9, atol=1e-12)
            assert rate(many, 0.1)[i] == pytest.approx(float(rate(alone, 0.1)), rel=1e-9, abs=1e-12)
        one = automata.Automaton(many_automata.log_arcs[i], many_automata.log_stop[i])
        for field in ("entropy", "varentropy", "least", "most", "critical_alpha"):
            found = getattr(of_automaton(many_automata), field)[i]
            assert found == pytest.approx(float(getattr(of_automaton(one), field)), rel=1e-9)


def test_figures_of_our_audit() -> None:
    law, exact = of_automaton(geometric(2, 0.2)), Geometric(2, 0.2)
    for size, chebyshev, chernoff, true in ((50, 0.336, 0.555, 0.083), (200, 0.084, 0.0118, 7.0e-4)):
        doubled = 2 * math.exp(-size * min(upper_rate(law, 1.0), lower_rate(law, 1.0)))
        tail = exact.outside(size, exact.entropy, 1.0, -exact.log_symbol, -math.log(0.2))
        assert float(chebyshev_bound(law.varentropy, size, 1.0)) == pytest.approx(chebyshev, rel=6e-3)
        assert doubled == pytest.approx(chernoff, rel=6e-3)
        assert tail == pytest.approx(true, rel=2e-2)


def test_bad_input_is_named() -> None:
    law = of_law(np.log([0.7, 0.3]))
    for epsilon in (0.0, -1.0, math.nan, math.inf):
        for rate in (upper_rate, lower_rate):
            with pytest.raises(ValueError, match=r"^epsilon must be positive"):
                rate(law, epsilon)
    with pytest.raises(ValueError, match=r"^a corpus has at least one string"):
        chernoff_bound(law, 0, 1.0)
