"""Families of endless strings against sums over their terms and against closed forms."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.statistical.p_values import distribution
from tests.statistical.randomised import Randomised
from theory.automata import critical_alpha, entropy, expected_length, log_power_sum, varentropy
from theory.families import (
    geometric,
    golden_bigram,
    integer_bit_bigram,
    log_fourth,
    log_fourth_block,
    log_harmonic,
    log_telescoping,
    random_automaton,
)


@given(st.integers(1, 10**6))
def test_heavy_tails_telescope(n: int) -> None:
    k = np.arange(n, dtype=float)
    assert float(np.exp(log_telescoping(k)).sum()) == pytest.approx(1 - 1 / math.log2(n + 2), abs=1e-9)
    assert float(np.exp(log_harmonic(k)).sum()) == pytest.approx(1 - 1 / (n + 1), abs=1e-9)


@given(st.integers(1, 14), st.floats(0, 3))
def test_a_block_is_bounded_from_below(j: int, alpha: float) -> None:
    n = np.arange(2**j, 2 ** (j + 1), dtype=float)
    exact = np.logaddexp.reduce(alpha * log_fourth(n))
    assert float(log_fourth_block(np.float64(j), alpha)) <= exact + 1e-9
    assert float(log_fourth(np.float64(n[0]))) == pytest.approx(-math.log(n[0] * math.log(n[0]) ** 4), abs=1e-12)
    # Every term exceeds the block's end: the bound is 2^j times the weight there.
    assert float(log_fourth_block(np.float64(j), alpha)) == pytest.approx(
        j * math.log(2) + alpha * float(log_fourth(np.float64(2 ** (j + 1)))), abs=1e-9
    )


@given(st.integers(1, 10**5))
def test_every_term_has_its_formula(n: int) -> None:
    # The difference of two reciprocals loses as many digits as n has.
    telescoping = 1 / math.log2(n + 2) - 1 / math.log2(n + 3)
    assert float(np.exp(log_telescoping(np.float64(n)))) == pytest.approx(telescoping, rel=1e-8)
    assert float(np.exp(log_harmonic(np.float64(n)))) == pytest.approx(1 / ((n + 1) * (n + 2)), rel=1e-12)
    assert float(np.exp(log_fourth(np.float64(n + 1)))) == pytest.approx(
        1 / ((n + 1) * math.log(n + 1) ** 4), rel=1e-12
    )


@given(st.lists(st.tuples(st.integers(1, 6), st.floats(0.05, 0.95)), min_size=1, max_size=4))
def test_geometric_models_of_a_batch_are_those_one_by_one(parameters: list[tuple[int, float]]) -> None:
    m, e = (np.array(side) for side in zip(*parameters, strict=True))
    many = geometric(m, e)
    for i, (symbols, end) in enumerate(parameters):
        one = geometric(symbols, end)
        assert one.log_arcs.shape == (1, 1, symbols)
        np.testing.assert_allclose(np.exp(one.log_arcs), (1 - end) / symbols, rtol=1e-13)
        np.testing.assert_array_equal(np.exp(many.log_arcs[i, ..., symbols:]), 0)
        np.testing.assert_array_equal(many.log_arcs[i, ..., :symbols], one.log_arcs)
        np.testing.assert_array_equal(many.log_stop[i], one.log_stop)
        assert math.exp(one.log_stop[0]) == pytest.approx(end, rel=1e-13)


def test_the_golden_bigram_follows_its_rules() -> None:
    model = golden_bigram()
    start, a, b = np.exp(model.log_arcs[..., 0])
    assert (start.tolist(), a.tolist(), b.tolist()) == ([0, 1, 0], [0, 0.5, 0.5], [0, 0.5, 0])
    np.testing.assert_array_equal(np.exp(model.log_stop), [0, 0, 0.5])
    assert float(critical_alpha(model)) == pytest.approx(math.log2((1 + math.sqrt(5)) / 2), abs=1e-12)


def test_the_integer_bit_bigram_has_whole_bits_and_its_moments() -> None:
    model = integer_bit_bigram()
    bits = -model.log_outcomes[model.log_outcomes > -np.inf] / math.log(2)
    np.testing.assert_allclose(bits, np.round(bits), atol=1e-14)
    assert model.log_arcs.shape == (2, 2, 2)
    np.testing.assert_allclose(np.exp(model.log_arcs[0]), [[1 / 2, 0], [1 / 4, 0]], atol=1e-15)
    np.testing.assert_allclose(np.exp(model.log_arcs[1]), [[1 / 8, 1 / 8], [1 / 2, 0]], atol=1e-15)
    # Every state ends with probability 1/4, so lengths are geometric.
    assert float(expected_length(model)) == pytest.approx(3, abs=1e-12)
    assert float(entropy(model)) / math.log(2) == pytest.approx(19 / 3, abs=1e-12)
    assert float(varentropy(model)) / math.log(2) ** 2 == pytest.approx(250 / 9, abs=1e-11)
    assert float(1 / critical_alpha(model)) == pytest.approx(1.366, abs=5e-4)


def outcomes(rng, stop, planted=0.0):
    """Seven probabilities, 8,000 times; planted: end for sure with this much more."""
    model = random_automaton(2, 3, rng, stop + planted, batch=(4000,))
    return np.exp(model.log_outcomes).reshape(8000, 7)


def uniform_on_the_simplex(p, stop):
    """Each of seven is Beta(1, 6) but for the share of the sure end."""
    sure = np.append(np.zeros(6), stop)
    return [distribution(one, stats.beta(1, 6).cdf) for one in ((p - sure) / (1 - stop)).T]


OUTCOMES = {
    stop: Randomised(
        __name__,
        f"random automata are uniform mixtures, stop {stop}",
        draw=partial(outcomes, stop=stop),
        judge=partial(uniform_on_the_simplex, stop=stop),
        planted={"0.05 more for the end": partial(outcomes, stop=stop, planted=0.05)},
        sample="8,000 draws of 7 probabilities, DKW",
    )
    for stop in (0.0, 0.3)
}


@pytest.mark.parametrize("stop", [0.0, 0.3])
def test_random_automata_are_uniform_mixtures_with_a_sure_end(stop: float) -> None:
    model = random_automaton(2, 3, np.random.default_rng(0), stop, batch=(4000,))
    assert model.log_arcs.shape == (4000, 2, 2, 3)
    p = np.exp(model.log_outcomes)
    np.testing.assert_allclose(p.sum(axis=-1), 1, atol=1e-12)
    assert p[..., -1].min() >= stop * (1 - 1e-12)
    OUTCOMES[stop].hold()
    np.testing.assert_allclose(log_power_sum(model, 1.0), 0, atol=1e-9)


def test_random_automata_end_by_chance_alone_unless_told() -> None:
    """Without `stop` the mixture is the Dirichlet draw itself."""
    plain = random_automaton(2, 1, np.random.default_rng(1))
    mixed = random_automaton(2, 1, np.random.default_rng(1), 0.25)
    assert plain.log_arcs.shape == (2, 2, 1)
    np.testing.assert_allclose(np.exp(mixed.log_arcs), 0.75 * np.exp(plain.log_arcs), rtol=1e-12)
    np.testing.assert_allclose(np.exp(mixed.log_stop), 0.75 * np.exp(plain.log_stop) + 0.25, rtol=1e-12)
