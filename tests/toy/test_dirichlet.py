import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.statistical.p_values import bennett
from tests.statistical.randomised import Randomised
from theory.information import entropy, kl
from toy.dirichlet import dirichlet_triple, replayed_triple, unrelated

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=200, deadline=None)
@given(SEEDS, st.integers(2, 50), st.floats(0.1, 10), st.floats(0.01, 2), st.floats(0, 3))
def test_triple_is_two_laws_and_the_log_ratio_between_them(seed, objects, concentration, exponent, noise):
    triple = dirichlet_triple(np.random.default_rng(seed), objects, concentration, exponent, noise)
    for log_p in (triple.log_prior, triple.log_aligned):
        # 1e-12: sums of at most 50 numbers of order 1.
        assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-12)
    # The aligned law is p e^r with Z = 1, so E_+ r is KL(p_+ || p).
    assert np.exp(triple.log_aligned) @ triple.reward == pytest.approx(
        kl(triple.log_aligned, triple.log_prior), abs=1e-10
    )


@settings(max_examples=100, deadline=None)
@given(SEEDS, st.floats(0.05, 1), st.floats(0, 1))
def test_prior_stays_within_the_noise_of_the_flattened_law(seed, exponent, noise):
    triple = dirichlet_triple(np.random.default_rng(seed), 20, 1.0, exponent, noise)
    gap = triple.log_prior - np.exp(triple.log_aligned) ** exponent
    assert np.ptp(gap) <= 2 * noise + 1e-12  # rounding of numbers of order 10


def test_replay_follows_the_published_recipe_draw_by_draw():
    np.random.seed(42)  # noqa: NPY002 (the recipe's own global stream)
    aligned = np.random.dirichlet([0.1] * 1000)  # noqa: NPY002
    scores = [a ** (1 / 42) + np.random.uniform(-0.42, 0.42) for a in aligned]  # noqa: NPY002
    prior = np.exp(scores) / np.exp(scores).sum()
    triple = replayed_triple()
    np.testing.assert_array_equal(triple.log_aligned, np.log(aligned))
    np.testing.assert_allclose(np.exp(triple.log_prior), prior, rtol=1e-13)  # a sum of 1,000 terms in another order


def test_replay_keeps_the_aligned_law_when_only_the_noise_changes():
    np.testing.assert_array_equal(replayed_triple(0.4).log_aligned, replayed_triple().log_aligned)
    assert entropy(replayed_triple(0.4).log_prior) != entropy(replayed_triple().log_prior)


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_unrelated_deals_the_same_rewards_and_follows_them(seed):
    rng = np.random.default_rng(seed)
    triple = dirichlet_triple(rng, 30, 1.0)
    control = unrelated(triple, rng)
    np.testing.assert_array_equal(control.log_prior, triple.log_prior)
    shift = np.sort(control.reward) - np.sort(triple.reward)
    assert np.ptp(shift) < 1e-12  # one constant, log Z, up to rounding
    assert np.exp(control.log_aligned).sum() == pytest.approx(1, abs=1e-12)


def dealt(rng, kept=0.0):
    """Correlations of prior and dealt reward in 200 worlds; planted: a share of the objects keeps its own reward."""
    triple = replayed_triple()
    found = []
    for _ in range(200):
        own = rng.random(1000) < kept
        reward = np.where(own, triple.reward, unrelated(triple, rng).reward)
        found.append(np.corrcoef(triple.log_prior, reward)[0, 1])
    return np.array(found)


UNRELATED = Randomised(
    __name__,
    "an unrelated reward is uncorrelated with the prior on average",
    draw=dealt,
    # Over all ways to deal n rewards a correlation has mean 0 and variance 1 / (n - 1), whatever they are.
    judge=lambda found: bennett(found, 1, 1 / 999, 0),
    planted={"a quarter of the objects keep theirs": lambda rng: dealt(rng, 0.25)},
    sample="200 worlds of 1,000 objects, Bennett",
)


def test_unrelated_reward_is_uncorrelated_with_the_prior_on_average():
    UNRELATED.hold()
    triple = replayed_triple()
    assert np.corrcoef(triple.log_prior, triple.reward)[0, 1] > 0.4  # what the control must destroy


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"objects": 1}, "objects"),
        ({"concentration": 0.0}, "^concentration must be a positive number, not 0.0"),
        ({"concentration": float("nan")}, "concentration"),
        ({"concentration": float("inf")}, "^concentration must be a positive number, not inf"),
        ({"exponent": -1.0}, "exponent"),
        ({"exponent": 0.0}, "^exponent must be a positive number, not 0.0"),
        ({"exponent": float("inf")}, "^exponent must be a positive number, not inf"),
        ({"noise": float("inf")}, "^noise must be a number >= 0, not inf"),
        ({"noise": 1e308}, "^noise must be a number >= 0, not 1e[+]308, and half the largest float at most"),
        ({"noise": -0.1}, "noise"),
        ({"noise": float("nan")}, "noise"),
        ({"concentration": 1e-4}, "rounds to 0"),
    ],
)
def test_bad_parameters_are_named(bad, named):
    with pytest.raises(ValueError, match=named):
        dirichlet_triple(np.random.default_rng(0), **bad)
