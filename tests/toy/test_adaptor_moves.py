import numpy as np
import pytest

from tests.toy.promised import columns_of
from theory.adaptors import top_k
from theory.arrays import expectation
from theory.automata import Automaton, expected_length
from theory.language_models import adapted, strings
from toy import adaptor_moves
from toy.adaptor_menu import TEMPERATURES, TRUNCATIONS
from toy.reward_automata import (
    critical_temperature,
    globally_tempered,
    random_bigram,
    reward_automaton,
)
from toy.reward_trees import random_worlds, single
from toy.weighted_automata import additive


@pytest.fixture(scope="module")
def at():
    return adaptor_moves.world(0)[0]


@pytest.fixture(scope="module")
def table(at):
    return adaptor_moves.moves(at)


def test_world_is_what_the_search_promises(at):
    (vx, c), (_, vr) = additive(at.aligned, at.x, at.r).cov
    assert -vx < c < -vr
    assert c / np.sqrt(vx * vr) < -0.8
    assert critical_temperature(at.aligned) > 1.2
    with pytest.raises(ValueError, match="none of the first 0 worlds"):
        adaptor_moves.world(0, most=0)


def test_heat_moves_this_world_as_printed(at):
    """The response of the automaton's means is Var + C here too: a central difference against the solves."""
    (vx, c), (_, vr) = additive(at.aligned, at.x, at.r).cov
    below, above = (
        additive(globally_tempered(at.aligned, 1 / (1 + step))[0], at.x, at.r).mean for step in (-1e-5, 1e-5)
    )
    # 1e-10 times a third derivative of some 1e4 (strings of length some 1 / (T_c - 1)), over means rounded at 1e-12.
    assert (above - below) / 2e-5 == pytest.approx([vx + c, vr + c], rel=1e-5)


def test_every_law_has_its_row(at, table):
    n_cuts, critical = sum(map(len, TRUNCATIONS.values())), critical_temperature(at.aligned)
    below = sum(critical > T for T in TEMPERATURES)
    assert (table["normalisation"] == "local").sum() == n_cuts + len(TEMPERATURES)
    assert (table["normalisation"] == "global").sum() == n_cuts + below
    assert table.loc[0, "family"] == "ancestral"
    assert table.loc[0, "length"] == pytest.approx(float(expected_length(at.aligned)), rel=1e-10)


def test_slope_is_minus_beta_times_one_less_the_defect(at, table):
    rows = table.dropna(subset="slope")
    assert len(rows) == len(table) - 1
    # Means to 1e-12 over steps of more than 1e-3.
    np.testing.assert_allclose(rows["slope"], -at.beta * (1 - rows["defect"]), atol=1e-8)
    assert (table["line"] == -at.beta).all()
    x_plus_r = table["log_prior"] + table["reward"] / at.beta - at.log_z
    np.testing.assert_allclose(table["log_aligned"], x_plus_r, atol=1e-10)


def test_a_cut_that_leaves_no_string_has_a_local_row_without_means():
    """Three like symbols and the end, the least of all: top-3 and top-2 cut it at every step."""
    arcs = np.full((4, 4, 1), -np.inf)
    arcs[:, 1:] = np.log(0.3)
    at = reward_automaton(Automaton(arcs, np.full(4, np.log(0.1))), np.zeros((4, 4, 1)), np.zeros(4))
    rows = adaptor_moves.moves(at).set_index(["family", "strength", "normalisation"])
    assert rows.loc[("top_k", 2.0, "local"), "finite"] == 0
    assert np.isnan(rows.loc[("top_k", 2.0, "local"), "log_prior"])
    assert ("top_k", 2.0, "global") not in rows.index
    assert rows.loc[("top_k", 4.0, "global"), "finite"] == 1


def test_a_law_that_leaks_has_no_means_and_says_how_much_it_keeps(at):
    with np.errstate(divide="ignore"):
        leaking = Automaton(np.log([[0.0, 0.5, 0.0], [0, 1, 0], [0, 0, 0]])[..., None], np.log([0.5, 0.0, 1.0]))
    *means, finite = adaptor_moves._means(at, leaking)
    assert np.isnan(means).all()
    assert finite == pytest.approx(0.5, abs=1e-15)


def test_too_few_tokens_for_the_menu_are_named():
    prior = random_bigram(np.random.default_rng(0), 2, 1.0, 0.3)
    with pytest.raises(ValueError, match="k = 4 exceeds the 3 tokens"):
        adaptor_moves.moves(reward_automaton(prior, np.zeros((3, 3, 1)), np.zeros(3)))


def test_directions_count_worlds():
    table = adaptor_moves.directions(0, 40)
    assert list(table) == columns_of("toy_adaptors_directions")
    assert len(table) == 2 * sum(map(len, TRUNCATIONS.values())) * 2 * 3
    assert ((table["low"] <= table["share"]) & (table["share"] <= table["high"])).all()
    weakest = table[table["strength"] == table["family"].map({f: s[0] for f, s in TRUNCATIONS.items()})]
    first, against = (weakest[weakest["statement"] == s]["share"].tolist() for s in ("r falls", "r falls more"))
    assert first == against  # the weakest cut is compared with p_plus


def test_directions_agree_with_one_world_by_hand():
    trees = random_worlds(np.random.default_rng(1), 1)
    tree = single(trees, 0)
    counts = {row[:4]: row[4] for row in adaptor_moves._counts(trees)}
    steps = np.where(np.argsort(np.argsort(-tree.aligned.log_steps)) < 2, tree.aligned.log_steps, -np.inf)
    scores = np.exp(_products(tree.prior.n_symbols, steps))
    law, plus = scores / scores.sum(), np.exp(tree.aligned.log_prob)
    assert counts["top_k", 2, "global", "log p rises"] == int(law @ tree.x >= plus @ tree.x)
    assert counts["top_k", 2, "global", "r falls"] == int(law @ tree.r <= plus @ tree.r)


def test_deeper_cuts_are_compared_with_the_next_weaker_one():
    trees = random_worlds(np.random.default_rng(2), 60)
    counts = {row[:4]: row[4] for row in adaptor_moves._counts(trees)}
    mean = {k: expectation(adapted(trees.aligned, top_k(k)).log_global, trees.r) for k in (2, 3, 4)}
    for k in (2, 3):
        assert counts["top_k", k, "global", "r falls more"] == np.sum(mean[k] <= mean[k + 1] + 1e-12)  # ties count
    assert counts["top_k", 2, "global", "r falls more"] != counts["top_k", 2, "global", "r falls"]


def _products(n, steps):
    """The sum of the steps along each string, one string at a time."""
    every = strings(n, 3)
    number = {y: k for k, y in enumerate(every)}
    return [sum(steps[number[y[:t]], (*y, n)[t]] for t in range(len(y) + 1)) for y in every]
