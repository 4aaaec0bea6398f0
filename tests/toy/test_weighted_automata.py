from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory import automata
from theory.automata import Automaton
from theory.families import random_automaton
from toy.weighted_automata import additive, along, complete, log_growth, pushed

SEEDS = st.integers(0, 2**32 - 1)


def weights(rng, n_states, n_arcs, scale):
    """Positive weights whose matrix A has spectral radius below `scale`."""
    arcs = rng.uniform(0.1, 1, (n_states, n_states, n_arcs))
    arcs *= scale / arcs.sum(axis=(1, 2), keepdims=True)
    return np.log(arcs), np.log(rng.uniform(0.1, 3, n_states))


def paths(log_arcs, log_stop, longest):
    """Every path from state 0 of at most so many arcs: (tuple of (next state, arc), log-weight)."""
    n, _, m = log_arcs.shape
    for length in range(longest + 1):
        for path in product(product(range(n), range(m)), repeat=length):
            state, total = 0, 0.0
            for after, arc in path:
                total += log_arcs[state, after, arc]
                state = after
            yield path, total + log_stop[state]


@given(SEEDS)
def test_pushing_divides_the_weight_of_every_string_by_z(seed):
    arcs, stop = weights(np.random.default_rng(seed), 2, 2, 0.8)
    model, log_z = pushed(arcs, stop)
    heavy, light = (dict(paths(*pair, 3)) for pair in ((arcs, stop), (model.log_arcs, model.log_stop)))
    for path, log_weight in heavy.items():
        assert light[path] == pytest.approx(log_weight - log_z, abs=1e-12)  # sums of four logarithms


@given(SEEDS)
def test_z_is_the_sum_over_all_lengths(seed):
    rng = np.random.default_rng(seed)
    arcs, stop = weights(rng, 3, 1, 0.7)
    step, power, total = np.exp(arcs).sum(axis=-1), np.eye(3), 0.0
    for _ in range(200):  # .7^200 is below rounding
        total += power[0] @ np.exp(stop)
        power = power @ step
    assert pushed(arcs, stop)[1] == pytest.approx(np.log(total), abs=1e-12)


@given(SEEDS, st.floats(-2000, 2000))
def test_scale_of_the_stops_goes_into_z_alone(seed, shift):
    arcs, stop = weights(np.random.default_rng(seed), 3, 2, 0.9)
    model, log_z = pushed(arcs, stop)
    moved, log_moved = pushed(arcs, stop + shift)  # exp of it may under- or overflow
    np.testing.assert_allclose(moved.log_arcs, model.log_arcs, atol=1e-11)  # of numbers up to 2000
    assert log_moved - shift == pytest.approx(log_z, abs=1e-11)


@pytest.mark.parametrize("growth", [1.0, 1.25])
def test_an_infinite_normaliser_is_refused_with_its_growth(growth):
    with pytest.raises(ValueError, match=rf"Z is infinite: the weights grow {growth:g}-fold"):
        pushed(np.log(np.full((1, 1, 1), growth)), np.zeros(1))


def test_states_off_complete_strings_neither_count_nor_diverge():
    with np.errstate(divide="ignore"):
        arcs = np.log([[0.5, 0.2, 0.0], [0.0, 3.0, 0.0], [0.4, 0.0, 9.0]])[..., None]  # 1 never ends, 2 is not reached
    stop = np.array([np.log(0.25), -np.inf, 0.0])
    assert complete(arcs, stop).tolist() == [True, False, False]
    model, log_z = pushed(arcs, stop)
    assert log_z == pytest.approx(np.log(0.5), abs=1e-15)
    assert model.log_arcs[0, 1, 0] == -np.inf


def test_no_weight_at_all_is_refused():
    with pytest.raises(ValueError, match=r"^the normaliser Z is zero"):
        pushed(np.zeros((1, 1, 1)), np.array([-np.inf]))


def test_a_nilpotent_matrix_does_not_grow():
    arcs = np.full((6, 6, 1), -np.inf)
    arcs[np.arange(5), np.arange(1, 6)] = 5.0
    assert log_growth(arcs) == -np.inf
    assert log_growth(np.full((2, 2, 1), -np.inf)) == -np.inf
    _, log_z = pushed(arcs, np.zeros(6))
    assert log_z == pytest.approx(np.log(sum(np.exp(5.0 * k) for k in range(6))), abs=1e-12)


@given(SEEDS)
def test_moments_of_surprisal_and_length_are_those_of_theory(seed):
    model = random_automaton(3, 2, np.random.default_rng(seed), stop=0.1)
    one = along(np.ones(model.log_arcs.shape), np.zeros(3))
    found = additive(model, model.log_outcomes, one)
    # Relative: solves with (I - A)^-1 up to 10 in norm.
    np.testing.assert_allclose(found.mean, [-automata.entropy(model), automata.expected_length(model)], rtol=1e-10)
    np.testing.assert_allclose(found.cov[0, 0], automata.varentropy(model), rtol=1e-10)
    np.testing.assert_allclose(found.cov, found.cov.T, rtol=1e-10)


@given(SEEDS)
def test_moments_are_those_of_enumerated_strings(seed):
    """An acyclic model: at most three arcs, 0 -> 1 -> 2 -> 3."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.ones(3), 4)
    rows[3] = [0, 0, 1]
    arcs = np.full((4, 4, 2), -np.inf)
    arcs[np.arange(3), np.arange(1, 4)] = np.log(rows[:3, :2])
    model = Automaton(arcs, np.log(rows[:, 2]))
    values = [rng.normal(size=(4, 4, 2)) for _ in range(2)]
    ends = [rng.normal(size=4) for _ in range(2)]
    found = additive(model, *(along(*pair) for pair in zip(values, ends, strict=True)))
    sums, law = [], []
    for length in range(4):
        for choice in product(range(2), repeat=length):
            steps = [(k, k + 1, arc) for k, arc in enumerate(choice)]
            law.append(np.exp(sum(arcs[s] for s in steps) + model.log_stop[length]))
            sums.append([sum(v[s] for s in steps) + e[length] for v, e in zip(values, ends, strict=True)])
    np.testing.assert_allclose(found.mean, np.average(sums, axis=0, weights=law), atol=1e-12)
    np.testing.assert_allclose(found.cov, np.cov(np.transpose(sums), aweights=law, bias=True), atol=1e-12)


def test_moments_of_a_leaking_model_are_refused():
    with np.errstate(divide="ignore"):
        leaking = Automaton(np.log([[[0.5], [0.25]], [[0.0], [1.0]]]), np.log([0.25, 0.0]))
    with pytest.raises(ValueError, match=r"^the model is not tight"):
        additive(leaking, leaking.log_outcomes)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: pushed(np.zeros((1, 2, 1)), np.zeros(1)), r"^log_arcs must have the shape \[\*, 1, \*\]"),
        (lambda: complete(np.zeros((2, 2, 1)), np.zeros(1)), "^log_stop must have the shape"),
        (lambda: log_growth(np.zeros((2, 2))), "^log_arcs must have the shape"),
        (lambda: log_growth(np.zeros((2, 2, 0))), "^log_arcs needs a state and a place for an arc"),
        (lambda: along(np.zeros((2, 2, 1)), np.zeros(3)), "^stop_values must have the shape"),
        (lambda: along(np.zeros(2), np.zeros(3)), "^arc_values must have the shape"),
        (
            lambda: additive(random_automaton(2, 1, np.random.default_rng(0)), np.zeros(3)),
            "^values must have the shape",
        ),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
