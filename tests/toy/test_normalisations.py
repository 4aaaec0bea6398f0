import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.toy.promised import columns_of
from theory.adaptors import top_k
from theory.arrays import expectation
from theory.automata import Automaton, expected_length
from theory.families import geometric, golden_bigram
from toy import normalisations
from toy.adaptor_menu import TEMPERATURES, TRUNCATIONS, adaptor
from toy.reward_automata import critical_temperature, finite_mass, globally_adapted, locally_adapted, random_bigram
from toy.reward_trees import random_worlds, single
from toy.weighted_automata import additive

SEEDS = st.integers(0, 2**32 - 1)


def menu(n_tokens, hottest=np.inf):
    families = {**TRUNCATIONS, "temperature": [T for T in TEMPERATURES if hottest > T]}
    return [(family, s, adaptor(family, s, n_tokens)) for family, strengths in families.items() for s in strengths]


@given(SEEDS)
@settings(max_examples=15)
def test_divergences_by_the_normalisers_are_those_of_the_enumerated_laws(seed):
    tree = single(random_worlds(np.random.default_rng(seed), 1), 0).aligned
    table = normalisations.distances(tree, menu(4))
    assert list(table) == columns_of("toy_adaptors_distances")
    # Sums of 40 probabilities times logarithms below 100.
    np.testing.assert_allclose(table["kl_global_local"], table["enumerated_global_local"], atol=1e-12)
    np.testing.assert_allclose(table["kl_local_global"], table["enumerated_local_global"], atol=1e-12)
    assert (table["tv_low"] <= table["tv"] + 1e-12).all()
    assert (table["tv"] <= table["tv_high"] + 1e-12).all()
    assert (table.loc[table["family"] != "temperature", "log_z"] <= 1e-12).all()


@given(SEEDS)
@settings(max_examples=15)
def test_divergences_over_endless_strings_are_those_of_the_steps(seed):
    """KL by the chain rule, a sum of the steps' log-ratios, against the formula by the normalisers."""
    model = random_bigram(np.random.default_rng(seed), 3, 1.0, 0.3)
    table = normalisations.automaton_distances(model, menu(4, critical_temperature(model)))
    assert list(table) == columns_of("toy_adaptors_endless_distances")
    for (_, rows), (_, _, a) in zip(table.iterrows(), menu(4, critical_temperature(model)), strict=True):
        (loc, _), (glob, _) = locally_adapted(model, a), globally_adapted(model, a)
        ratio = np.where(glob.log_outcomes > -np.inf, glob.log_outcomes, 0) - np.where(
            loc.log_outcomes > -np.inf, loc.log_outcomes, 0
        )
        # Solves whose condition is 1 / (1 - rho), below 1e4 here, of steps of some nats.
        assert rows["kl_global_local"] == pytest.approx(additive(glob, ratio).mean[0], abs=1e-8)
        tight = finite_mass(loc) > 1 - 1e-9  # as much as the solve's rounding may take
        assert np.isfinite([rows["kl_local_global"], rows["length_local"]]).tolist() == [tight, tight]
        if tight:
            assert rows["kl_local_global"] == pytest.approx(-additive(loc, ratio).mean[0], abs=1e-8)
            assert rows["length_local"] == pytest.approx(expected_length(loc), rel=1e-9)
        assert rows["length_global"] == pytest.approx(expected_length(glob), rel=1e-9)


def test_a_leak_makes_kl_and_length_infinite_and_a_cut_end_leaves_no_row():
    with np.errstate(divide="ignore"):
        arcs = np.log([[0.0, 0.6, 0.0], [0.0, 0.5, 0.4], [0.0, 0.5, 0.3]])[..., None]
    model = Automaton(arcs, np.log([0.4, 0.1, 0.2]))
    table = normalisations.automaton_distances(model, [("top_k", 2, top_k(2))])
    assert table["finite_local"].item() == pytest.approx(0.4, abs=1e-15)  # past the start, top-2 never ends
    assert np.isinf(table["kl_local_global"]).all()
    assert np.isinf(table["length_local"]).all()
    assert np.isfinite(table["kl_global_local"]).all()
    assert normalisations.automaton_distances(model, [("top_k", 1, top_k(1))]).empty


def test_acceptance_is_that_of_all_pairs():
    rng = np.random.default_rng(0)
    tree = single(random_worlds(rng, 1), 0).aligned
    table = normalisations.distances(tree, [("temperature", 0.5, adaptor("temperature", 0.5, 4))])
    glob = np.exp(2 * tree.log_prob) / np.sum(np.exp(2 * tree.log_prob))
    loc = tree.log_steps * 2 - np.log(np.sum(np.exp(2 * tree.log_steps), axis=-1, keepdims=True))
    law = np.exp(type(tree)(loc).log_prob)
    w = glob / law
    pairs = np.sum(glob[:, None] * law * np.minimum(1, w / w[:, None]))
    assert table["acceptance"].item() == pytest.approx(pairs, abs=1e-12)


def test_accepted_counts_worlds_above_what_the_paper_reports(monkeypatch):
    table = normalisations.accepted(0, 30).set_index("adaptor")
    assert len(table) == 20
    assert (table["low"] <= table["share"]).all()
    assert (table["share"] <= table["high"]).all()
    assert ((table["share"] == 1) == (table["least"] > 0.9)).all()
    monkeypatch.setattr(normalisations, "ACCEPTED", 0.0)
    assert (normalisations.accepted(0, 30)["share"] == 1).all()


def test_heating_runs_into_the_pole_globally_alone():
    model = random_bigram(np.random.default_rng(3), 3, 1.0, 0.3)
    table = normalisations.heating(model, 20)
    assert list(table) == columns_of("toy_adaptors_heating")
    critical = critical_temperature(model)
    left = ((critical - table["temperature"]) / (critical - 0.3)).to_numpy()
    np.testing.assert_allclose(left[:11], np.arange(1, 0.09, -0.09), atol=1e-12)
    np.testing.assert_allclose(left[11:] / left[10:-1], 1e-3 ** (1 / 9), rtol=1e-9)  # 1e-16 of T_c is 1e-12 of the last
    assert len(left) == 20
    assert table["log_z"].is_monotonic_increasing
    assert table["length_global"].iloc[-1] > 100 * table["length_global"].iloc[0]
    assert table["length_local"].max() < 10
    at_one = (table["temperature"] - 1).abs().idxmin()
    assert np.sign(table.loc[at_one, "log_z"]) == np.sign(table.loc[at_one, "temperature"] - 1)


def test_heating_needs_a_pole():
    assert len(normalisations.heating(geometric(2, 0.5), 2)) == 2
    with pytest.raises(ValueError, match="a pole can be approached only where"):
        normalisations.heating(geometric(1, 0.5), 10)


def test_poles_are_where_log_z_turns_infinite():
    models = {"golden": golden_bigram(), "geometric": geometric(2, 0.3)}
    table = normalisations.poles(models, [0.5, 1.0, 1.2, 1.5, 1.6])
    assert list(table) == columns_of("toy_adaptors_poles")
    for name, rows in table.groupby("model"):
        critical = critical_temperature(models[name])
        assert (rows["critical"] == critical).all()
        assert (np.isinf(rows["log_z"]) == (rows["temperature"] >= critical)).all()
    # log 1, and the closed form e^g / (1 - m^(1 - g) (1 - e)^g) at T = 1/2.
    np.testing.assert_allclose(table.loc[table["temperature"] == 1, "log_z"], 0, atol=1e-12)
    half = table[(table["model"] == "geometric") & (table["temperature"] == 0.5)]["log_z"].item()
    assert half == pytest.approx(np.log(0.09 / (1 - 0.49 / 2)), abs=1e-12)


def test_lengths_are_means_of_the_strings():
    tree = single(random_worlds(np.random.default_rng(4), 1, n_symbols=2, depth=1), 0).aligned
    table = normalisations.distances(tree, [("nucleus", 1.0, adaptor("nucleus", 1.0, 3))])
    expected = expectation(tree.log_prob, np.array([0.0, 1.0, 1.0]))
    assert table[["length_global", "length_local"]].to_numpy() == pytest.approx(np.full((1, 2), expected), abs=1e-12)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: normalisations.heating(geometric(2, 0.1), 1), "points must be at least 2, not 1"),
        (lambda: normalisations.accepted(0, 1), "at least two worlds, not 1"),
        (
            lambda: normalisations.distances(random_worlds(np.random.default_rng(0), 2).prior, []),
            "^the tree must have the shape",
        ),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
