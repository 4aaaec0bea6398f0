"""The samplers of a globally normalised law, against enumeration and the cases that break careless ones."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.statistical.p_values import bernstein, cells
from tests.statistical.randomised import Randomised
from theory.adaptors import local, top_k
from theory.arrays import normalised
from theory.language_models import Tree, adapted, random_tree
from theory.samplers import draw, pool_weights, rejection, sequential_monte_carlo

log_weights = st.integers(1, 7).flatmap(
    lambda n: arrays(float, n, elements=st.one_of(st.floats(-700, 700), st.just(-np.inf)))
)


@given(log_weights.filter(lambda log_w: np.any(log_w > -np.inf)), st.floats(0, 1, exclude_max=True))
def test_draw_inverts_the_distribution_function(log_w, uniform):
    token = int(draw(log_w, np.asarray(uniform)))
    p = np.exp(log_w - log_w.max())
    p = p / p.sum()
    assert p[token] > 0
    # Two running sums of at most seven terms differ by a few ulp.
    assert p[:token].sum() <= uniform + 1e-14
    assert p[: token + 1].sum() >= uniform - 1e-14


@given(st.integers(1, 5), st.integers(1, 5))
def test_draw_never_returns_mass_zero_at_either_end(before, after):
    log_p = np.array([-np.inf] * before + [0.0] + [-np.inf] * after)
    assert draw(np.stack([log_p] * 2), np.array([0.0, np.nextafter(1, 0)])).tolist() == [before, before]


@given(st.floats(-50, 0), st.floats(0, 1, exclude_max=True))
def test_rejection_accepts_below_the_weight(log_w, uniform):
    assert bool(rejection(np.asarray(log_w), np.asarray(uniform))) == (uniform < np.exp(log_w))


def test_a_uniform_on_the_weight_rejects():
    assert rejection(np.log([0.5, 0.5]), np.array([0.5, np.nextafter(0.5, 0)])).tolist() == [False, True]


def test_rows_of_any_scale_are_drawn_from_alike():
    rows = np.log([0.5, 0.25, 0.25]) + np.array([[0.0], [-2000.0], [700.0]])
    assert draw(rows, np.full(3, 0.6)).tolist() == [1, 1, 1]


@pytest.mark.parametrize("log_w", [0.1, np.nan])
def test_rejection_refuses_what_it_cannot_target(log_w):
    with pytest.raises(ValueError, match=r"^a weight exceeds 1: rejection needs .* T <= 1"):
        rejection(np.array([-1.0, log_w]), np.zeros(2))


@given(log_weights.filter(lambda log_w: np.any(log_w > -np.inf)), st.floats(-100, 100))
def test_pool_weights_sum_to_one_and_carry_the_scale(log_w, shift):
    log_share, log_z = pool_weights(log_w)
    assert np.exp(log_share).sum() == pytest.approx(1, abs=1e-12)  # exponentials of numbers near 700 lose three digits
    moved, moved_z = pool_weights(log_w + shift)
    assert np.exp(moved) == pytest.approx(np.exp(log_share), abs=1e-12)
    assert float(moved_z - log_z) == pytest.approx(shift, abs=1e-12)
    linear = log_w - log_w.max()
    assert float(log_z) == pytest.approx(np.log(np.mean(np.exp(linear))) + log_w.max(), abs=1e-12)


def test_a_pool_without_weight():
    with pytest.raises(ValueError, match=r"^log_w has a row"):
        pool_weights(np.full(3, -np.inf))


@pytest.mark.parametrize(("n_particles", "runs"), [(0, 1), (1, 0)])
def test_no_particles(n_particles, runs):
    tree = random_tree(2, 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"^n_particles and runs must be at least 1"):
        sequential_monte_carlo(tree.log_steps, np.zeros(3), n_particles, runs, np.random.default_rng(0))


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(0, 3), st.integers(1, 4))
def test_particles_end_at_strings_of_the_tree(seed, n_symbols, depth, n_particles):
    rng = np.random.default_rng(seed)
    tree = random_tree(n_symbols, depth, rng)
    log_q, log_kept = local(top_k(2), tree.log_steps)
    places, log_z = sequential_monte_carlo(log_q, log_kept, n_particles, 5, rng)
    assert places.shape == (5, n_particles)
    assert np.all(adapted(tree, top_k(2)).log_scores[places] > -np.inf)
    assert np.all(log_z <= 1e-12)  # top-k keeps at most all the mass, up to rounding


@cache
def small_tree(seed):
    return random_tree(2, 2, np.random.default_rng(seed))


def ancestral_places(rng):
    places, log_z = sequential_monte_carlo(small_tree(1).log_steps, np.zeros(7), 1, 40_000, rng)
    assert np.all(log_z == 0)
    return np.bincount(places[:, 0], minlength=7)


@cache
def heated():
    """The law of strings at temperature 1.1."""
    return np.exp(Tree(normalised(small_tree(1).log_steps / 1.1)).log_prob)


PARTICLES = Randomised(
    __name__,
    "without weights particles are ancestral samples",
    draw=ancestral_places,
    judge=lambda counts: cells(counts, np.exp(small_tree(1).log_prob)),
    planted={"T = 1.1 at every step": lambda rng: rng.multinomial(40_000, heated())},
    sample="40,000 strings of 7, each an exact binomial",
)


def test_without_weights_particles_are_ancestral_samples():
    PARTICLES.hold()


def test_a_finished_particle_is_not_weighed_again():
    """Only the first step keeps half of its mass, so that every run's estimate of Z is exactly one half."""
    tree = random_tree(1, 3, np.random.default_rng(5))
    log_kept = np.log([0.5, 1, 1, 1])
    for runs in (1, 200):
        places, log_z = sequential_monte_carlo(tree.log_steps, log_kept, 4, runs, np.random.default_rng(6))
        assert places.shape == (runs, 4)
        np.testing.assert_allclose(log_z, np.log(0.5), rtol=1e-14)


def estimates(n_particles, power=1.0):
    """Estimates of Z, 20,000 runs, with weights to the given power."""

    def draw(rng):
        log_q, log_kept = local(top_k(2), small_tree(3).log_steps)
        _, log_z = sequential_monte_carlo(log_q, power * log_kept, n_particles, 20_000, rng)
        return np.exp(log_z)

    return draw


UNBIASED = {
    n: Randomised(
        __name__,
        f"the estimate of Z is unbiased, {n} particles",
        draw=estimates(n),
        judge=lambda z: bernstein(z, 0, 1, np.exp(adapted(small_tree(3), top_k(2)).log_z)),
        planted={"weights to the power 0.9": estimates(n, 0.9)},
        sample="20,000 estimates in [0, 1], empirical Bernstein",
    )
    for n in (1, 2, 8)
}


@pytest.mark.parametrize("n_particles", UNBIASED)
def test_the_estimate_of_z_is_unbiased_at_any_size(n_particles):
    UNBIASED[n_particles].hold()
    assert estimates(n_particles)(np.random.default_rng(4)).std() > 1e-3


@pytest.mark.parametrize(("batch", "kept"), [((2,), (2, 7)), ((), (6,)), ((), (7, 1))])
def test_particles_grow_in_one_tree(batch, kept):
    rng = np.random.default_rng(0)
    tree = random_tree(2, 2, rng, batch=batch)
    with pytest.raises(ValueError, match=r"must be \[M, n \+ 1\] and \[M\]\.$"):
        sequential_monte_carlo(tree.log_steps, np.zeros(kept), 2, 2, rng)
    with pytest.raises(ValueError, match="are no tree"):
        sequential_monte_carlo(tree.log_steps[..., :5, :], np.zeros(5), 2, 2, rng)


def test_a_pool_needs_an_axis():
    with pytest.raises(ValueError, match=r"^log_w needs 1 or more axes"):
        pool_weights(np.array(0.0))
