import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.adaptors import ancestral, nucleus, temperature, top_k
from theory.automata import Automaton, log_power_sum
from theory.families import geometric, golden_bigram
from toy.reward_automata import (
    critical_beta,
    critical_temperature,
    finite_mass,
    globally_adapted,
    globally_tempered,
    keeps_strings,
    locally_adapted,
    random_bigram,
    reward_automaton,
)
from toy.weighted_automata import additive

SEEDS = st.integers(0, 2**32 - 1)


def bigram(seed, n=3, stop=0.3):
    return random_bigram(np.random.default_rng(seed), n, 1.0, stop)


def walk(rows, string):
    """Sum a table of outcomes [S, S + 1] along a string of symbols 1, 2, ... and its end."""
    states = [0, *string]
    return sum(rows[s, t] for s, t in zip(states, [*string, rows.shape[-1] - 1], strict=True))


@given(SEEDS)
def test_p_plus_is_p_times_exp_r_over_beta_string_by_string(seed):
    rng = np.random.default_rng(seed)
    prior, beta = bigram(seed), 0.5
    pay, end = rng.uniform(-0.1, 0.1, (4, 4, 1)), rng.normal(size=4)  # (1 - .3) e^(.2) < 1, so Z is finite
    at = reward_automaton(prior, pay, end, beta)
    for string in [(), (1,), (2, 3), (3, 1, 1), (1, 2, 3, 2)]:
        states = [0, *string]
        reward = sum(pay[s, t, 0] for s, t in zip(states, string, strict=False)) + end[states[-1]]
        # Sums of some ten logarithms.
        assert beta * walk(at.r, string) == pytest.approx(reward, abs=1e-12)
        expected = walk(at.x, string) + reward / beta - at.log_z
        assert walk(at.aligned.log_outcomes, string) == pytest.approx(expected, abs=1e-11)


@given(SEEDS)
def test_mean_x_and_mean_r_add_up_to_mean_s_under_every_law(seed):
    at = reward_automaton(bigram(seed), np.full((4, 4, 1), 0.1), np.zeros(4), 1.0)
    for law in (at.prior, at.aligned, globally_adapted(at.aligned, top_k(3))[0]):
        x, r, s = additive(law, at.x, at.r, at.aligned.log_outcomes).mean
        assert x + r - at.log_z == pytest.approx(s, abs=1e-10)  # three solves


@pytest.mark.parametrize(("e", "pay"), [(0.3, 0.5), (0.05, 2.0)])
def test_critical_beta_has_its_closed_form(e, pay):
    """(1 - e) e^(pay / beta) = 1."""
    expected = -pay / np.log1p(-e)
    assert critical_beta(geometric(2, e), np.full((1, 1, 2), pay)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("pay", [-1.0, 0.0])
def test_no_critical_beta_where_no_symbol_pays(pay):
    assert critical_beta(geometric(2, 0.3), np.full((1, 1, 2), pay)) == 0


def test_a_cycle_that_never_ends_pays_nothing():
    with np.errstate(divide="ignore"):
        prior = Automaton(np.log([[[0.0], [0.5]], [[0.0], [1.0]]]), np.log([0.5, 0.0]))
    assert critical_beta(prior, np.ones((2, 2, 1))) == 0


def test_an_infinite_reward_normaliser_names_the_critical_beta():
    prior, pay, end = geometric(1, 0.5), np.ones((1, 1, 1)), np.zeros(1)
    critical = 1 / np.log(2)
    for beta in (critical * (1 - 1e-9), 0.1):
        with pytest.raises(ValueError, match=f"infinite at beta = .*above the critical {critical:.6g}"):
            reward_automaton(prior, pay, end, beta)
    assert np.isfinite(reward_automaton(prior, pay, end, critical * (1 + 1e-9)).log_z)


@pytest.mark.parametrize("beta", [0.0, -1.0, np.inf, np.nan])
def test_beta_must_be_positive(beta):
    with pytest.raises(ValueError, match="beta must be a positive number"):
        reward_automaton(geometric(1, 0.5), np.ones((1, 1, 1)), np.zeros(1), beta)


def test_rewards_must_be_finite():
    with pytest.raises(ValueError, match=r"^the rewards of arcs"):
        reward_automaton(geometric(1, 0.5), np.full((1, 1, 1), np.nan), np.zeros(1))


@given(SEEDS, st.floats(0.05, 0.999))
def test_global_temperature_has_the_power_sum_as_normaliser(seed, share):
    model = bigram(seed)
    heat = share * critical_temperature(model)
    law, log_z = globally_tempered(model, heat)
    expected = log_power_sum(model, 1 / heat)
    # Near the pole both solves lose the digits that 1 - rho has lost: three of twelve at .999.
    assert log_z == pytest.approx(expected, rel=1e-9, abs=1e-9)
    string = (1, 3, 2)
    assert walk(law.log_outcomes, string) == pytest.approx(walk(model.log_outcomes, string) / heat - log_z, abs=1e-8)


@given(SEEDS, st.floats(1.0, 3.0))
def test_at_and_above_the_critical_temperature_the_sentence_names_it(seed, factor):
    model = bigram(seed)
    critical = critical_temperature(model)
    with pytest.raises(ValueError, match=f"infinite at T = .*critical temperature {critical:.6g}"):
        globally_tempered(model, factor * critical)
    assert finite_mass(locally_adapted(model, temperature(factor * critical))[0]) == pytest.approx(1, abs=1e-9)


def test_critical_temperatures_known_in_closed_form():
    golden = 1 / np.log2((1 + np.sqrt(5)) / 2)
    assert critical_temperature(golden_bigram()) == pytest.approx(golden, rel=1e-12)
    assert critical_temperature(geometric(1, 0.5)) == np.inf


@pytest.mark.parametrize("heat", [0.0, -1.0, np.nan, np.inf])
def test_temperature_must_be_a_positive_number(heat):
    with pytest.raises(ValueError, match="temperature T must be a positive number"):
        globally_tempered(golden_bigram(), heat)


@given(SEEDS, st.sampled_from([ancestral(), top_k(3), nucleus(0.9), temperature(0.7)]))
def test_local_times_kept_mass_is_global_times_z(seed, adaptor):
    model = bigram(seed)
    (loc, log_kept), (glob, log_z) = locally_adapted(model, adaptor), globally_adapted(model, adaptor)
    kept = np.broadcast_to(log_kept[:, None], loc.log_outcomes.shape)
    for string in [(), (1,), (2, 2), (3, 1, 2)]:
        weight = walk(loc.log_outcomes, string) + walk(kept, string)
        found = walk(glob.log_outcomes, string) + log_z
        assert found == weight or found == pytest.approx(weight, abs=1e-11)  # both may be -inf


def test_a_cut_end_leaves_no_string():
    model = Automaton(np.log([[[0.9]]]), np.log([0.1]))
    assert not keeps_strings(model, top_k(1))
    assert keeps_strings(model, ancestral())
    with pytest.raises(ValueError, match=r"^the normaliser Z is zero"):
        globally_adapted(model, top_k(1))


def test_finite_mass_of_a_leak():
    """From the start, half of the strings end and half fall into a loop."""
    with np.errstate(divide="ignore"):
        model = Automaton(np.log([[[0.0], [0.5]], [[0.0], [1.0]]]), np.log([0.5, 0.0]))
    assert finite_mass(model) == pytest.approx(0.5, abs=1e-15)


@given(SEEDS, st.floats(0, 0.9))
def test_bigrams_keep_their_floor_and_never_return_to_the_start(seed, stop):
    model = random_bigram(np.random.default_rng(seed), 4, 0.5, stop)
    assert np.all(model.log_arcs[:, 0] == -np.inf)
    assert model.stop_bound >= stop * (1 - 1e-12)


@pytest.mark.parametrize(("n", "stop"), [(0, 0.1), (3, 1.0), (3, -0.1)])
def test_bigram_parameters(n, stop):
    with pytest.raises(ValueError, match="a bigram needs"):
        random_bigram(np.random.default_rng(0), n, 1.0, stop)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: reward_automaton(geometric(2, 0.5), np.zeros(1), np.zeros(1)), "^arc_reward must have the shape"),
        (
            lambda: reward_automaton(geometric(2, 0.5), np.zeros((1, 1, 2)), np.zeros(2)),
            "^stop_reward must have the shape",
        ),
        (lambda: critical_beta(geometric(2, 0.5), np.zeros(2)), "^arc_reward must have the shape"),
        (lambda: critical_beta(geometric(2, 0.5), np.full((1, 1, 2), np.nan)), "^the rewards of arcs must be finite"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
