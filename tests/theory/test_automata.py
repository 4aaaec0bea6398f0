"""Automata and families against enumeration of their strings, simulation-free."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory import information
from theory.automata import (
    Automaton,
    critical_alpha,
    entropy,
    expected_length,
    growth,
    log_power_sum,
    power_matrix,
    renyi_entropy,
    varentropy,
)
from theory.families import (
    geometric,
    golden_bigram,
    random_automaton,
)

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = {"n_states": st.integers(1, 3), "n_arcs": st.integers(1, 2)}
DEPTH = 9


def listed(model: Automaton, depth: int = DEPTH) -> tuple[np.ndarray, np.ndarray]:
    """log p and length of every string of at most `depth` symbols, path by path."""
    log_p, length, paths = [], [], [(0.0, 0)]
    for n in range(depth + 1):
        log_p += [mass + model.log_stop[state] for mass, state in paths]
        length += [n] * len(paths)
        arcs = [
            (mass, state, s, arc) for mass, state in paths for s, row in enumerate(model.log_arcs[state]) for arc in row
        ]
        paths = [(mass + arc, s) for mass, _, s, arc in arcs if arc > -np.inf and mass + arc > -60]
    return np.array(log_p), np.array(length)


@given(seed=SEEDS, **SHAPES)
def test_moments_are_those_of_the_listed_strings(seed: int, n_states: int, n_arcs: int) -> None:
    model = random_automaton(n_states, n_arcs, np.random.default_rng(seed), stop=0.98)
    log_p, length = listed(model, 4)
    live = log_p > -60
    p = np.exp(log_p[live])
    # What is not listed has mass 0.02^5 = 3e-9, length 5 and surprisals of 5 steps.
    assert float(p.sum()) == pytest.approx(1, abs=1e-8)
    assert float(entropy(model)) == pytest.approx(-p @ log_p[live], abs=2e-6)
    assert float(varentropy(model)) == pytest.approx(p @ (log_p[live] + entropy(model)) ** 2, abs=1e-4)
    assert float(expected_length(model)) == pytest.approx(p @ length[live], abs=1e-7)
    for alpha in (1.5, 4.0):
        assert float(renyi_entropy(model, alpha)) == pytest.approx(
            float(information.renyi_entropy(log_p, alpha)), abs=1e-6
        )
    assert float(renyi_entropy(model, math.inf)) == pytest.approx(-log_p.max(), abs=1e-12)
    assert float(renyi_entropy(model, 1)) == float(entropy(model))


@given(SEEDS, st.floats(0.3, 1))
def test_an_acyclic_automaton_is_summed_exactly_at_every_alpha(seed: int, alpha: float) -> None:
    model = random_automaton(4, 2, np.random.default_rng(seed))
    log_out = np.where(np.arange(4)[:, None] < np.arange(4), model.log_arcs.max(-1), -np.inf)
    log_out = np.concatenate([log_out, model.log_stop[:, None]], axis=-1)
    log_out -= np.logaddexp.reduce(log_out, axis=-1, keepdims=True)
    finite = Automaton(log_out[:, :-1, None], log_out[:, -1])
    log_p, length = listed(finite)
    assert log_p.size == 8
    assert float(log_power_sum(finite, alpha)) == pytest.approx(np.logaddexp.reduce(alpha * log_p), abs=1e-11)
    assert float(log_power_sum(finite, 0)) == pytest.approx(math.log(8), abs=1e-12)
    assert float(critical_alpha(finite)) == 0
    assert float(expected_length(finite)) == pytest.approx(np.exp(log_p) @ length, abs=1e-12)
    assert float(varentropy(finite)) == pytest.approx(float(information.varentropy(log_p)), abs=1e-10)


@given(SEEDS, st.floats(0.02, 0.5))
def test_the_sum_is_finite_exactly_above_the_critical_alpha(seed: int, stop: float) -> None:
    model = random_automaton(3, 2, np.random.default_rng(seed), stop, batch=(3,))
    critical = critical_alpha(model)
    assert np.all(growth(model, critical * (1 + 1e-6)) < 1)
    assert np.all(np.isfinite(log_power_sum(model, critical * (1 + 1e-6))))
    assert np.all(np.isinf(log_power_sum(model, critical * (1 - 1e-6))))
    np.testing.assert_allclose(log_power_sum(model, 1.0), 0, atol=1e-12)
    assert np.all(model.stop_bound >= stop - 1e-15)


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.floats(1.0, 400.0))
def test_geometric_closed_forms(m: int, e: float, alpha: float) -> None:
    model = geometric(m, e)
    step = math.log((1 - e) / m)
    assert float(entropy(model)) == pytest.approx(-math.log(e) - (1 - e) / e * step, rel=1e-10)
    assert float(varentropy(model)) == pytest.approx((1 - e) / e**2 * step**2, rel=1e-9, abs=1e-14)
    assert float(expected_length(model)) == pytest.approx((1 - e) / e, rel=1e-10)
    closed = alpha * math.log(e) - math.log1p(-m * math.exp(alpha * step))
    assert float(log_power_sum(model, alpha)) == pytest.approx(closed, rel=1e-9, abs=1e-12)
    ratio = math.log(m) / (math.log(m) - math.log1p(-e))
    assert float(critical_alpha(model)) == pytest.approx(ratio, abs=1e-12)


def test_automata_of_a_batch_do_not_mix() -> None:
    many = random_automaton(3, 2, np.random.default_rng(0), 0.1, batch=(2, 4))
    measures = [entropy, varentropy, expected_length, critical_alpha, lambda model: growth(model, 0.5)]
    measures += [lambda model: log_power_sum(model, 1.5), lambda model: model.stop_bound]
    for measure in measures:
        found = measure(many)
        assert found.shape == (2, 4)
        for i in np.ndindex(2, 4):
            alone = measure(Automaton(many.log_arcs[i], many.log_stop[i]))
            assert found[i] == pytest.approx(float(alone), rel=1e-9)  # a system of 3 equations, well conditioned


def test_one_string_of_each_length_is_the_border_of_divergence() -> None:
    """a^n: infinitely many strings at alpha = 0, a radius of exactly 1, and a finite sum at every alpha > 0."""
    model = geometric(1, 0.5)
    assert float(growth(model, 0)) == 1
    assert np.isinf(log_power_sum(model, 0))
    assert float(critical_alpha(model)) == 0
    assert float(log_power_sum(model, 0.01)) == pytest.approx(-math.log(2**0.01 - 1), rel=1e-12)


def test_large_powers_do_not_underflow() -> None:
    model = geometric(2, 0.3)
    assert float(log_power_sum(model, 1e5) / 1e5) == pytest.approx(math.log(0.3), rel=1e-12)


def test_golden_bigram_has_the_figures_of_our_audit() -> None:
    model = golden_bigram()
    assert model.stop_bound == 0
    assert float(np.exp(log_power_sum(model, 0.7))) == pytest.approx(68.9, abs=0.05)
    assert np.isinf(log_power_sum(model, 0.69))
    assert float(np.exp(log_power_sum(model, 1.0))) == pytest.approx(1, abs=1e-12)
    assert float(critical_alpha(model)) == pytest.approx(0.6942, abs=5e-5)


def test_states_that_no_string_uses_change_nothing() -> None:
    with np.errstate(divide="ignore"):
        arcs = np.log([[0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.9]])[..., None]
        model = Automaton(arcs, np.log([0.5, 0.5, 0.1]))
    assert float(log_power_sum(model, 0.7)) == pytest.approx(float(log_power_sum(geometric(1, 0.5), 0.7)), abs=1e-12)
    assert float(entropy(model)) == pytest.approx(2 * math.log(2), abs=1e-12)
    assert model.stop_bound == 0.5
    assert np.count_nonzero(power_matrix(model, 1.0)[0]) == 1


def test_a_trap_loses_mass_and_is_refused_where_that_matters() -> None:
    with np.errstate(divide="ignore"):
        model = Automaton(np.log([[0.2, 0.3], [0, 1.0]])[..., None], np.log([0.5, 0]))
    assert float(np.exp(log_power_sum(model, 1.0))) == pytest.approx(0.5 / 0.8, abs=1e-12)
    assert float(growth(model, 1.0)) == pytest.approx(0.2, abs=1e-12)
    for measure in (entropy, varentropy, expected_length):
        with pytest.raises(ValueError, match=r"^the automaton is not tight"):
            measure(model)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"^log_arcs .* and log_stop .* do not fit"):
        Automaton(np.zeros((2, 1, 1)), np.zeros(2))
    with pytest.raises(ValueError, match=r"^a state's arcs and stop hold NaN or do not sum to 1"):
        Automaton(np.log([[[0.5]]]), np.log([0.4]))
    with pytest.raises(ValueError, match=r"^a state's arcs and stop hold NaN or do not sum to 1"):
        Automaton(np.full((1, 1, 1), np.nan), np.log([0.4]))
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match=r"^no string ends"):
        Automaton(np.log([[[1.0]]]), np.log([0.0]))
    for alpha in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"^alpha must be a number in"):
            log_power_sum(geometric(1, 0.5), alpha)
    with pytest.raises(ValueError, match=r"^alpha must be a number in"):
        renyi_entropy(geometric(1, 0.5), -1.0)
