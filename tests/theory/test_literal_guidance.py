import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_expit

from theory.arrays import expectation, normalised
from theory.guidance import classifier_guidance, greedy
from theory.information import kl
from theory.literal_guidance import concavity_threshold, literal_guidance

INF = float("inf")
FEW = settings(max_examples=25, deadline=None)


def objective(log_pi, log_p, log_q, lam):
    """The printed objective, for any policy."""
    log_v = np.log(np.sum(np.exp(log_pi + log_q), axis=-1))
    return lam * (expectation(log_pi, log_q) - log_v) - kl(log_pi, log_p)


@st.composite
def steps(draw):
    """log p and log Q of 30 steps over a few tokens, some impossible, and lambda."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = draw(st.integers(2, 5))
    log_p = np.log(rng.dirichlet(np.ones(size), size=30))
    log_p[:, 1:][rng.random((30, size - 1)) < 0.1] = -INF
    log_q = np.log(rng.uniform(draw(st.sampled_from([1e-6, 0.05, 0.5])), 1, size=(30, size)))
    return normalised(log_p), log_q, draw(st.floats(0.01, 20)), rng


@FEW
@given(steps())
def test_no_other_policy_is_better(world):
    log_p, log_q, lam, rng = world
    best = objective(literal_guidance(log_p, log_q, lam), log_p, log_q, lam)
    with np.errstate(divide="ignore"):
        rivals = [normalised(log_p + rng.normal(0, scale, log_p.shape)) for scale in np.geomspace(0.01, 30, 40)]
        rivals += [greedy(log_p), classifier_guidance(log_p, log_q, lam), log_p]
        rivals += [np.log(np.eye(log_p.shape[1])[a]) + 0 * log_q for a in range(log_p.shape[1])]
    for rival in rivals:
        outside = np.any(np.isneginf(log_p) & ~np.isneginf(rival), axis=-1)
        # 1e-11: objectives of up to 300 nats in double precision.
        assert np.all((objective(rival, log_p, log_q, lam) <= best + 1e-11)[~outside])


def test_two_tokens_against_a_fine_grid():
    rng = np.random.default_rng(0)
    odds = np.linspace(-60, 60, 6001)
    log_grid = np.stack([log_expit(odds), log_expit(-odds)], axis=-1)
    for lam in (0.2, 1.0, 5.0):
        for _ in range(10):
            log_p, log_q = np.log(rng.dirichlet([1, 1])), np.log(rng.uniform(0.05, 0.95, 2))
            heights = objective(log_grid, log_p, log_q, lam)
            found = objective(literal_guidance(log_p, log_q, lam), log_p, log_q, lam)
            assert found >= heights.max() - 1e-12  # rounding
            # In log-odds, spaced by .02, the objective bends by less than 5 (20 + 1): it rises by .02^2 / 8 of that.
            assert found <= heights.max() + 0.006


@FEW
@given(steps())
def test_the_solution_solves_the_stationarity_equation(world):
    log_p, log_q, lam, _ = world
    found = literal_guidance(log_p, log_q, lam)
    q = np.exp(log_q)
    v = np.sum(np.exp(found) * q, axis=-1, keepdims=True)
    again = np.exp(normalised(log_p + lam * (log_q - q / v)))
    # v is good to 1e-15 relative, the exponent lambda Q / v goes up to 20 max Q / min Q.
    steepness = lam * q.max(axis=-1) / q.min(axis=-1)
    assert np.all(np.abs(again - np.exp(found)).max(axis=-1) < 1e-14 * (1 + steepness) ** 2 + 1e-12)


@FEW
@given(steps(), st.floats(-50, 0))
def test_only_ratios_of_success_matter(world, shift):
    log_p, log_q, lam, _ = world
    np.testing.assert_allclose(
        objective(literal_guidance(log_p, log_q + shift, lam), log_p, log_q, lam),
        objective(literal_guidance(log_p, log_q, lam), log_p, log_q, lam),
        atol=1e-9,  # at a near tie either maximum may be taken; they are then equally high
    )


def test_limits():
    log_p, log_q = np.log([0.2, 0.5, 0.3]), np.log([0.9, 0.1, 0.4])
    np.testing.assert_allclose(literal_guidance(log_p, log_q, 0.0), log_p, atol=1e-15)
    np.testing.assert_allclose(np.exp(literal_guidance(log_p, log_q, 1e4)), [0, 1, 0], atol=1e-12)  # greedy
    np.testing.assert_allclose(literal_guidance(log_p, np.full(3, -2.0), 3.0), log_p, atol=1e-15)
    barred = literal_guidance(log_p, np.array([-0.1, -INF, -1.0]), 1.0)
    assert barred[1] == -INF
    np.testing.assert_allclose(barred[[0, 2]], literal_guidance(normalised(log_p[[0, 2]]), np.array([-0.1, -1.0]), 1.0))


@FEW
@given(steps())
def test_below_the_threshold_there_is_one_maximum(world):
    """Concavity along random chords."""
    log_p, log_q, _, rng = world
    inside = ~np.isneginf(log_p).any(axis=-1)
    log_p, log_q = log_p[inside], log_q[inside]
    lam = 0.99 * concavity_threshold(log_q)
    ends = [normalised(rng.normal(0, 2, log_p.shape)) for _ in range(2)]
    middle = np.logaddexp(*ends) - np.log(2)
    chord = sum(objective(end, log_p, log_q, lam) for end in ends) / 2
    scale = 1 + np.abs(chord)
    assert np.all(objective(middle, log_p, log_q, lam) >= chord - 1e-12 * scale)


@FEW
@given(st.lists(st.tuples(st.floats(0.05, 0.45), st.floats(0.5, 1)), min_size=1, max_size=4))
def test_the_threshold_is_where_a_mix_of_the_extremes_stops_being_concave(ends):
    """Between the extremes m, M the objective bends by lambda (M - m)^2 / v^2 - 1 / (w (1 - w)) at weight w of M."""
    low, high = np.array(ends).T[..., None]
    w = np.linspace(0, 1, 20_001)[1:-1]
    bends = ((1 - w) * low + w * high) ** 2 / (w * (1 - w) * (high - low) ** 2)
    found = concavity_threshold(np.log(np.concatenate([low, (low + high) / 2, high], axis=-1)))
    # The least lies at a weight above 1/21, spaced by 5e-5: a quadratic misses some (5e-5 * 21 / 2)^2 at most.
    np.testing.assert_allclose(found, bends.min(axis=-1), rtol=1e-5)


def test_batches_agree_with_their_rows():
    rng = np.random.default_rng(1)
    log_p, log_q = np.log(rng.dirichlet(np.ones(3), size=(2, 4))), np.log(rng.uniform(0.05, 1, (2, 4, 3)))
    log_q[0, 1] = -1.0  # nothing to choose from
    found = literal_guidance(log_p, log_q, 3.0)
    for place in np.ndindex(2, 4):
        np.testing.assert_allclose(found[place], literal_guidance(log_p[place], log_q[place], 3.0), atol=1e-12)


def test_rows_of_one_batch_may_differ_by_any_constant_and_steepness():
    log_p = np.log([[0.9, 0.1], [0.5, 0.5], [0.3, 0.7]])
    log_q = np.log([[1e-6, 1.0], [0.4, 0.6], [0.2, 0.9]])
    found = literal_guidance(log_p, log_q + np.array([[0.0], [0.0], [-1e5]]), 100.0)
    for row, p, q in zip(found, log_p, log_q, strict=True):
        # Beside 1e5 a logarithm is good to 1e-11, and lambda is 100.
        np.testing.assert_allclose(np.exp(row), np.exp(literal_guidance(p, q, 100.0)), atol=1e-8)
    assert np.exp(found[0, 0]) > 0.99  # greedy, though the other token succeeds a million times as often


def test_a_forbidden_token_does_not_matter_however_rare_its_success():
    log_p, log_q = np.log([0.55, 0.45]), np.log([0.1, 0.9])
    found = literal_guidance(np.append(log_p, -INF), np.append(log_q, -1e5), 5.0)
    np.testing.assert_allclose(found, np.append(literal_guidance(log_p, log_q, 5.0), -INF), atol=1e-12)


@pytest.mark.parametrize("left_over", [False, True])
def test_no_memory_is_read_that_was_never_set(monkeypatch, left_over):
    log_p, log_q = np.log([0.9, 0.1]), np.log([1.0, 1e-6])  # v is within 1e-3 of the greatest Q
    exact = np.array([1.0, 1e-4])
    for _ in range(60):  # pi ~ p sqrt(Q) e^(-Q / 2v), v = <pi, Q>, which is a contraction here
        v = exact @ np.exp(log_q) / exact.sum()
        exact = np.exp(log_p + 0.5 * (log_q - np.exp(log_q) / v))
    monkeypatch.setattr(np, "empty", lambda shape, dtype=float: np.full(shape, left_over, dtype=dtype))
    np.testing.assert_allclose(np.exp(literal_guidance(log_p, log_q, 0.5)), exact / exact.sum(), rtol=1e-12)


def test_threshold_of_equal_successes_is_infinite():
    assert concavity_threshold(np.log([0.3, 0.3])) == INF
    assert concavity_threshold(np.log([[0.1, 0.9], [0.5, 0.9]])).shape == (2,)


@pytest.mark.parametrize("lam", [-1.0, INF, np.nan])
def test_a_bad_lambda_is_named(lam):
    with pytest.raises(ValueError, match=r"^lambda must be a finite number >= 0 for the printed objective"):
        literal_guidance(np.log([0.5, 0.5]), np.log([0.1, 0.9]), lam)


def test_hopeless_steps_and_nan_are_named():
    with pytest.raises(ValueError, match="-inf everywhere"):
        literal_guidance(np.log([0.5, 0.5]), np.array([-INF, -INF]), 1.0)
    with pytest.raises(ValueError, match="NaN"):
        literal_guidance(np.log([0.5, 0.5]), np.array([np.nan, -1.0]), 1.0)


def test_inputs_are_left_alone():
    log_p, log_q = np.log([[0.5, 0.5]]), np.log([[0.2, 0.9]])
    before = log_p.copy(), log_q.copy()
    literal_guidance(log_p, log_q, 2.0)
    np.testing.assert_array_equal(log_p, before[0])
    np.testing.assert_array_equal(log_q, before[1])
