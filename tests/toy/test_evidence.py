import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.information import kl
from theory.language_models import Tree, random_tree, strings
from toy import evidence
from toy.evidence import DEPTH, EVIDENCES, LEVELS, SYMBOLS, even, mean_and_interval, measures, mixture, two_prompts

FEW = settings(max_examples=20, deadline=None)
SEEDS = st.integers(0, 2**32)


def told(world):
    """KL(P_G || P_G^-) of every step."""
    return kl(world.prior.log_steps, world.without.log_steps)


@FEW
@given(SEEDS, st.integers(0, DEPTH))
def test_evidence_matters_exactly_where_the_labels_say(seed, steps):
    for make in (mixture, two_prompts):
        world = make(np.random.default_rng(seed), 3, steps)
        given = np.exp(world.given.log_steps)
        differs = np.any(np.abs(given - given[:, :1]) > 1e-9, axis=(1, 3))
        np.testing.assert_array_equal(differs, world.relevant)
        assert np.abs(told(world)[~world.relevant]).max() < 1e-13
        by_level = [world.relevant[:, level == LEVELS] for level in range(DEPTH + 1)]
        assert all(np.all(rows == rows[:, :1]) for rows in by_level)
        np.testing.assert_array_equal(sum(rows[:, 0] for rows in by_level), steps)


@FEW
@given(SEEDS)
def test_the_marginal_is_the_sum_over_the_evidence(seed):
    world = mixture(np.random.default_rng(seed), 3)
    direct = np.exp(world.given.log_prob).mean(axis=1)
    np.testing.assert_allclose(np.exp(world.without.log_prob), direct, rtol=1e-12)
    np.testing.assert_allclose(world.marginal.log_prob, world.without.log_prob, atol=1e-12)
    bayes = np.exp(world.given.log_prob[:, 0]) / EVIDENCES / direct
    np.testing.assert_allclose(np.exp(world.log_posterior), bayes, rtol=1e-12)


def test_two_prompts_have_no_marginal():
    world = two_prompts(np.random.default_rng(0), 50)
    assert np.all(kl(world.marginal.log_prob, world.without.log_prob) > 1e-3)


@FEW
@given(SEEDS)
def test_in_the_control_the_evidence_says_the_same_everywhere(seed):
    world = even(np.random.default_rng(seed), 4)
    inner = told(world)[:, LEVELS < DEPTH]
    np.testing.assert_allclose(inner, np.broadcast_to(inner[:, :1], inner.shape), atol=1e-12)
    assert np.all(inner > 0)
    assert not np.allclose(world.prior.log_steps[:, 0], world.prior.log_steps[:, 1])


@FEW
@given(SEEDS)
def test_measures_against_loops_over_strings(seed):
    rng = np.random.default_rng(seed)
    world, policy = mixture(rng, 1), random_tree(SYMBOLS, DEPTH, rng, batch=(1,))
    found = {name: float(value[0]) for name, value in measures(policy, world).items()}
    by_hand = dict.fromkeys(found, 0.0)
    for number, _ in enumerate(strings(SYMBOLS, DEPTH)):
        log_pi, log_p = policy.log_prob[0, number], world.prior.log_prob[0, number]
        likelihoods = np.exp(world.given.log_prob[0, :, number])
        posterior = likelihoods[0] / likelihoods.sum()
        by_hand["kl"] += np.exp(log_pi) * (log_pi - log_p)
        by_hand["surprisal"] -= np.exp(log_pi) * log_p
        by_hand["entropy"] -= np.exp(log_pi) * log_pi
        by_hand["posterior"] += np.exp(log_pi) * posterior
        by_hand["information"] += np.exp(log_pi) * np.log(posterior * EVIDENCES)
    assert found == pytest.approx(by_hand, abs=1e-11)  # 121 terms of a few nats
    assert found["kl"] == pytest.approx(found["surprisal"] - found["entropy"], abs=1e-11)


def test_measures_of_a_sure_policy_are_finite():
    world = mixture(np.random.default_rng(0), 2)
    sure = Tree(np.where(np.arange(SYMBOLS + 1) == SYMBOLS, 0.0, -np.inf) + np.zeros((2, LEVELS.size, 1)))
    found = measures(sure, world)
    assert all(np.isfinite(value).all() for value in found.values())
    np.testing.assert_allclose(found["surprisal"], -np.log(evidence.STOP), atol=1e-12)


@pytest.mark.parametrize("steps", [-1, DEPTH + 1])
@pytest.mark.parametrize("make", [mixture, two_prompts])
def test_an_impossible_number_of_relevant_steps_is_named(make, steps):
    with pytest.raises(ValueError, match=f"not at {steps}"):
        make(np.random.default_rng(0), 1, steps)


def test_interval_of_a_mean():
    values = np.random.default_rng(0).normal(3, 2, 10_000)
    mean, low, high = mean_and_interval(values)
    assert mean == pytest.approx(values.mean())
    assert high - mean == pytest.approx(mean - low) == pytest.approx(1.96 * 2 / 100, rel=0.05)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: mean_and_interval(np.ones(1)), "at least two worlds, not 1"),
        (lambda: mixture(np.random.default_rng(0), 0), "at least one world, not 0"),
        (lambda: two_prompts(np.random.default_rng(0), -1), "at least one world, not -1"),
        (lambda: even(np.random.default_rng(0), 0), "at least one world, not 0"),
        (
            lambda: measures(random_tree(2, 2, np.random.default_rng(0)), mixture(np.random.default_rng(0), 2)),
            "^the policy must have the shape",
        ),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
