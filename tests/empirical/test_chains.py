"""Algorithm 1 per prompt: exact acceptance by brute force, the right law in the end, planted wrong chains."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empirical.chains import LAG, MIXED, acceptance, chains, most_association, without_proposal_ratio
from empirical.corpora import Pool
from empirical.preregistration import sentences
from empirical.studies.measures import chain_rows
from theory.metropolis import transition_matrix


def strings_of(k=3, p=4, n=5, spread=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x, r = rng.normal(size=(2, k, p, n))
    names = [tuple(f"{letter}{i}" for i in range(size)) for letter, size in (("s", k), ("p", p))]
    return Pool(*names, x, r, spread * rng.normal(size=(k, p, n)))


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=7))
def test_acceptance_is_the_sum_over_pairs(log_w):
    w = np.exp(np.array(log_w) - max(log_w))
    n = len(w)
    pairs = [w[i] / w.sum() / (n - 1) * min(1, w[j] / w[i]) for i in range(n) for j in range(n) if i != j and w[i] > 0]
    assert acceptance(np.array(log_w)) == pytest.approx(sum(pairs), abs=1e-12)  # a few float64 sums


def test_prompts_of_very_different_weights_do_not_meet():
    """Weights count within a prompt: where one's are e^-2000 of another's, neither is lost."""
    log_w = np.log([1.0, 0.25])
    assert acceptance(np.stack([log_w, log_w - 2000])) == pytest.approx([0.4, 0.4])


def test_one_text_has_no_other_proposal():
    assert np.isnan(acceptance(np.zeros((2, 1)))).all()


def test_the_chain_ends_in_the_prompts_own_law():
    strings = strings_of()
    found = chains(strings, strings.log_kept, np.random.default_rng(1))
    assert found.steps == 10_000  # four prompts could have 50,000 each
    # 5 texts, 10,000 steps worth at least a tenth of that: a total variation of about sqrt(4 / 1000) / 2 = 0.03.
    assert found.distance.max() < 0.05
    np.testing.assert_allclose(found.accepted, found.acceptance, atol=0.05)
    assert (found.cramers_v < 0.1).all()
    assert ((found.ess > 1_000) & (found.ess <= found.steps)).all()


def test_a_shift_of_a_prompts_weights_changes_nothing():
    """Per prompt, its normaliser plays no part: the pitfall of one chain over all prompts."""
    strings = strings_of()
    lifted = strings.log_kept + 40 * np.arange(4)[None, :, None]
    one, other = (chains(strings, log_w, np.random.default_rng(1)) for log_w in (strings.log_kept, lifted))
    np.testing.assert_allclose(one.acceptance, other.acceptance)
    np.testing.assert_array_equal(one.distance, other.distance)


def test_planted_chains_are_told_apart():
    strings = strings_of()
    log_proposal = 3 * np.random.default_rng(2).normal(size=strings.x.shape)
    slipped = chains(strings, without_proposal_ratio(log_proposal, strings.log_kept), np.random.default_rng(1))
    assert slipped.distance.mean() > 0.2
    always = chains(strings, np.zeros(strings.x.shape), np.random.default_rng(1))
    assert always.distance.mean() > 0.1
    np.testing.assert_allclose(always.accepted, 1)


def test_steps_are_shared_among_prompts():
    strings = strings_of(k=1, p=40, n=2)
    assert chains(strings, strings.log_kept, np.random.default_rng(0)).steps == 5_000
    assert chains(strings, strings.log_kept, np.random.default_rng(0), steps=100).steps == 1_000


def test_a_chain_that_never_moves_is_one_draw():
    """One text of e^1000 times the weight of the others: chains that begin there stay, the others move there once."""
    strings = strings_of(k=1, p=40)
    log_w = np.where(np.arange(5) == 2, 1_000.0, 0.0) + np.zeros(strings.x.shape)
    found = chains(strings, log_w, np.random.default_rng(3))
    stuck = found.accepted == 0
    assert 0 < stuck.sum() < 40
    assert (found.ess[stuck] == 1).all(), "and not all their length"
    assert (found.ess[~stuck] > 1).all(), "one draw is not the answer to everything"


def test_a_weight_lost_to_cancellation_stops_the_chain():
    """log(1 - cut) in float32 is -inf where the kept mass is 1e-9: that text would never be held again."""
    strings = strings_of()
    log_w = strings.log_kept.copy()
    log_w[0, 0, 0] = np.log(1e-9)
    assert np.isfinite(chains(strings, log_w, np.random.default_rng(1)).accepted).all()
    with np.errstate(divide="ignore"):
        log_w[0, 0, 0] = np.log(1 - np.float32(1 - 1e-9))
    assert log_w[0, 0, 0] == -np.inf
    with pytest.raises(ValueError, match="log-weight must be finite"):
        chains(strings, log_w, np.random.default_rng(1))


def exact_association(log_w, lag):
    """Cramer's V of a stationary chain's states `lag` moves apart, from the exact joint law of both."""
    n, pi = len(log_w), np.exp(log_w) / np.exp(log_w).sum()
    kernel = transition_matrix(np.log(pi), np.full(n, -np.log(n)))
    joint = pi[:, None] * np.linalg.matrix_power(kernel, lag)
    return np.sqrt(max((joint**2 / np.outer(pi, pi)).sum() - 1, 0) / (n - 1))


@given(st.lists(st.floats(-8, 8), min_size=2, max_size=6), st.integers(1, 4))
def test_few_texts_mix_whatever_their_weights(log_w, lag):
    """V of the exact chain over n texts is at most (1 - 1 / n)^lag."""
    bound = most_association(len(log_w)) ** (lag / LAG)
    assert exact_association(np.array(log_w), lag) <= bound + 1e-6  # a square root of float64 cancellation


def test_one_text_of_nearly_all_the_weight_comes_near_that_bound():
    """Two texts, one of weight 1 - 1e-6: 1 - 1 / (2 pi) = 1/2 in the limit, so that the bound is no idle one."""
    assert exact_association(np.array([0.0, np.log(1e-6)]), 1) == pytest.approx(
        most_association(2) ** (1 / LAG), rel=1e-5
    )


@pytest.mark.parametrize(("texts", "told"), [(2, False), (4, False), (20, False), (43, False), (44, True)])
def test_convergence_is_not_called_reproduced_where_no_weights_could_deny_it(texts, told):
    """The worst weights of so few texts meet the threshold by arithmetic: no interval, and no verdict from it."""
    [one] = [sentence for sentence in sentences() if sentence.id == "tan.emp.mixing"]
    assert [(c.quantity, c.below) for c in one.conditions] == [("cramers_v", MIXED)]
    strings = strings_of(k=2, p=10, n=texts, spread=0.3)
    found = chains(strings, strings.log_kept, np.random.default_rng(1))
    table = chain_rows(found, strings, np.ones((50, 10)), "reward")
    assert (one.verdict(table, 10) == "reproduced") is told
    other = table[table.quantity == "acceptance"]
    assert np.isfinite(other[["value", "low", "high"]].to_numpy(float)).all(), "acceptance is told by any number"
    assert np.isfinite(table.value).all(), "what was measured is shown all the same"
