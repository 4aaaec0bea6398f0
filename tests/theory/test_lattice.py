"""The law of one string's surprisal, against brute force in rational numbers."""

from fractions import Fraction
from math import inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import automata
from theory.automata import Automaton
from theory.claims.tan.concentration import integer_bit_models
from theory.claims.tan.rational_tails import string_counts
from theory.families import geometric, golden_bigram, integer_bit_bigram
from theory.lattice import absolute_third, of_automaton, of_law

SEEDS = st.integers(0, 2**32 - 1)
BIT = log(2)


def random_model(seed: int) -> Automaton:
    model = integer_bit_models(np.random.default_rng(seed), 3)
    return Automaton(model.log_arcs[2], model.log_stop[2])


def spelt_out(model: Automaton, most: int) -> dict[int, Fraction]:
    """P(a string has k bits) for k <= most, string by string."""
    law: dict[int, Fraction] = {}
    open_paths = [(0, 0)]
    while open_paths:
        state, bits = open_paths.pop()
        for arriving, arcs in enumerate(-model.log_arcs[state] / BIT):
            open_paths += [(arriving, bits + round(arc)) for arc in arcs if bits + arc <= most + 1e-9]
        if np.isfinite(model.log_stop[state]):
            total = bits + round(-model.log_stop[state] / BIT)
            law[total] = law.get(total, Fraction(0)) + Fraction(1, 2**total)
    return law


def test_the_bigram_of_the_audit() -> None:
    model = integer_bit_bigram()
    assert float(automata.entropy(model) / BIT) == pytest.approx(19 / 3, rel=1e-14)
    assert float(automata.varentropy(model) / BIT**2) == pytest.approx(250 / 9, rel=1e-14)
    assert round(1 / float(automata.critical_alpha(model)), 3) == 1.366


@settings(max_examples=25)
@given(SEEDS)
def test_the_law_is_that_of_the_strings_one_by_one(seed: int) -> None:
    model = random_model(seed)
    lattice, law = of_automaton(model, length=40), spelt_out(model, 10)
    first = round(lattice.offset / BIT)
    step = round(lattice.span / BIT)
    assert min(law) == first
    assert all((bits - first) % step == 0 for bits in law)
    for k in range((10 - first) // step + 1):
        exact = float(law.get(first + k * step, 0))
        assert np.exp(lattice.log_mass[k]) == pytest.approx(exact, rel=1e-13, abs=0)


def test_the_lattice_is_the_coarsest() -> None:
    model = integer_bit_models(np.random.default_rng(0), 2)  # the second one has strings of 2, 4, 6, ... bits
    quarters = of_automaton(Automaton(model.log_arcs[1], model.log_stop[1]))
    assert (quarters.offset, quarters.span) == pytest.approx((2 * BIT, 2 * BIT))
    np.testing.assert_allclose(np.exp(quarters.log_mass[:9]), 0.25 * 0.75 ** np.arange(9), rtol=1e-13)
    sixteenths = of_law(np.log([0.5, *[1 / 16] * 8]))
    assert sixteenths.span == pytest.approx(3 * BIT)
    np.testing.assert_allclose(np.exp(sixteenths.log_mass), 0.5, rtol=1e-14)
    single = of_law(np.log([0.25] * 4))
    assert single.log_mass == pytest.approx([0.0], abs=1e-15)
    assert (single.offset, single.span) == pytest.approx((2 * BIT, BIT))


def halves(*bits: float) -> np.ndarray:
    """log 2^-bits; inf bits for what never happens."""
    return -BIT * np.array(bits)


def test_the_lattice_starts_at_the_shortest_string() -> None:
    """Strings of 5, 8, 11, ... bits, where the cheapest stop costs 3: two states, the second of which alone stops."""
    arcs = np.stack(
        [
            np.stack([halves(*[inf] * 7), halves(*[2] * 4, *[inf] * 3)]),
            np.stack([halves(*[inf] * 7), halves(*[3] * 7)]),
        ]
    )
    lattice = of_automaton(Automaton(arcs, halves(inf, 3)))
    assert (lattice.offset, lattice.span) == pytest.approx((5 * BIT, 3 * BIT))
    np.testing.assert_allclose(np.exp(lattice.log_mass[:20]), 0.125 * 0.875 ** np.arange(20), rtol=1e-12)
    assert lattice.rounding > 50 * np.finfo(float).eps  # a step stands for three, each a sum of ten products or more
    assert lattice.whole is False


def test_states_out_of_reach_change_nothing() -> None:
    model = integer_bit_bigram()
    size = len(model.log_stop)
    arcs = np.full((size + 1, size + 1, model.log_arcs.shape[-1]), -np.inf)
    arcs[:size, :size] = model.log_arcs
    found, exact = of_automaton(Automaton(arcs, np.append(model.log_stop, 0.0)), length=50), of_automaton(model)
    np.testing.assert_allclose(found.log_mass, exact.log_mass[:50], atol=1e-12)


def test_probabilities_need_not_be_on_the_lattice_themselves() -> None:
    thirds = of_law(np.log([1 / 3, 2 / 3]))
    assert (thirds.offset, thirds.span) == pytest.approx((log(1.5), BIT))
    np.testing.assert_allclose(np.exp(thirds.log_mass), [2 / 3, 1 / 3], rtol=1e-14)
    assert float(thirds.law.entropy) == pytest.approx(log(3) - 2 / 3 * BIT, rel=1e-13)


def test_the_least_length_is_enough() -> None:
    assert of_automaton(integer_bit_bigram(), length=19).span == pytest.approx(BIT)


@settings(max_examples=25)
@given(SEEDS)
def test_moments_are_those_of_the_automaton(seed: int) -> None:
    model = random_model(seed)
    lattice = of_automaton(model)
    mass, surprisal = np.exp(lattice.log_mass), lattice.surprisal
    assert mass.sum() == pytest.approx(1, abs=1e-13)
    assert mass @ surprisal == pytest.approx(float(automata.entropy(model)), rel=1e-12)
    variance = mass @ (surprisal - automata.entropy(model)) ** 2
    assert variance == pytest.approx(float(automata.varentropy(model)), rel=1e-11)
    t = lattice.end / 2
    assert float(lattice.log_moment(np.float64(t))) == pytest.approx(
        np.log(mass @ np.exp(t * np.arange(mass.size))), abs=1e-10
    )
    assert variance**1.5 < absolute_third(lattice)  # Lyapunov: strict, as |I - H| takes more than one value
    assert absolute_third(lattice) == pytest.approx(mass @ np.abs(surprisal - lattice.law.entropy) ** 3, rel=1e-13)


def test_masses_far_out_do_not_underflow() -> None:
    model = integer_bit_bigram()
    lattice, counts = of_automaton(model, length=6000), string_counts(model, 6002)
    for k in (0, 1, 10, 300, 1500, 5999):
        exact = log(counts[k + 2]) - (k + 2) * BIT  # the shortest string has 2 bits
        assert lattice.log_mass[k] == pytest.approx(exact, abs=lattice.rounding * (k + 1))
    assert lattice.log_mass[5999] < -1000
    assert lattice.rounding < 1e-13  # some tens of operations a step


def test_other_lattices_and_arcs_that_cost_nothing() -> None:
    single = of_automaton(geometric(7, 0.3), span=log(10), length=7)
    np.testing.assert_allclose(np.exp(single.log_mass), 0.3 * 0.7 ** np.arange(7), rtol=1e-13)
    assert single.offset == pytest.approx(-log(0.3))
    golden = of_automaton(golden_bigram())  # strings of 2, 3, 4, ... bits, one more than the shortest stop
    np.testing.assert_allclose(np.exp(golden.log_mass[:8]) * 2.0 ** np.arange(2, 10), [1, 1, 2, 3, 5, 8, 13, 21])


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(0, 3))
def test_a_finite_law(extra: list[int], unused: int) -> None:
    """A chain of halvings, its last leaf shared: probabilities 1/2, 1/4, ..., in any order and with zeros beside."""
    bits = [*range(1, len(extra) + 1), len(extra)]
    order = np.argsort([*extra, 5], kind="stable")
    with np.errstate(divide="ignore"):
        log_p = np.log(np.concatenate([np.array([2.0 ** -bits[i] for i in order]), np.zeros(unused)]))
    lattice = of_law(log_p)
    exact = [Fraction(bits.count(k), 2**k) for k in range(1, len(extra) + 1)]
    np.testing.assert_allclose(np.exp(lattice.log_mass), np.array(exact, dtype=float), rtol=1e-14)
    assert lattice.whole
    assert 0 < lattice.rounding < 1e-13
    assert lattice.offset == pytest.approx(BIT)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"^the surprisals are no multiples of"):
        of_automaton(geometric(3, 0.5))
    with pytest.raises(ValueError, match=r"^the surprisals are no multiples of"):
        of_law(np.log([0.6, 0.4]))
    with pytest.raises(ValueError, match=r"^the surprisals are no multiples of"):
        of_law(np.log([0.5, 0.5]), span=-1.0)
    with pytest.raises(ValueError, match=r"^length must be at least 19 to show the coarsest lattice"):
        of_automaton(integer_bit_bigram(), length=10)
    with pytest.raises(ValueError, match="NaN"):
        of_law(np.array([np.nan, 0.0]))
    with np.errstate(divide="ignore"):
        arcs = np.log(np.array([[[0.0], [0.5]], [[0.0], [1.0]]]))
        trapped = Automaton(arcs, np.log(np.array([0.5, 0.0])))
    with pytest.raises(ValueError, match="tight"):
        of_automaton(trapped)


def test_a_lattice_too_fine_to_lay_out_is_refused() -> None:
    """Every number is a multiple of a tiny span to 1e-9; the law of so many steps would fill the memory."""
    for law, span in ((np.log([0.5, 0.25, 0.25]), 1e-300), (np.array([0.0, -(2.0**24)]), 1.0)):
        with pytest.raises(ValueError, match=r"^the surprisals reach over .* steps of .* nats: choose a wider span"):
            of_law(law, span)
    assert of_law(np.array([0.0, 1.0 - 2.0**24]), 1.0).log_mass.size > 0
