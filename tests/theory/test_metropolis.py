"""Independence Metropolis-Hastings against double sums, kernel powers, a plain loop, and planted bugs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.statistical.p_values import bernstein, cells
from tests.statistical.randomised import Randomised
from theory import metropolis
from theory.adaptors import temperature, top_k
from theory.language_models import adapted, log_dirichlet, random_tree
from theory.metropolis import (
    certificate,
    convergence_bound,
    log_acceptance,
    log_weights,
    run,
    stationary_acceptance,
    step,
    total_variation,
    transition_matrix,
)

TARGET, PROPOSAL = np.log([0.5, 0.3, 0.2]), np.log([0.2, 0.2, 0.6])
ROUNDING = 1e-13  # sums of at most 64 products of probabilities


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """An un-normalised target and a normalised proposal of one support, with ties of the weight and dead states."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 8))
    log_q, log_w = log_dirichlet(n, rng), rng.normal(0, draw(st.sampled_from([0.0, 1.0, 5.0])), n)
    if draw(st.booleans()):
        log_w = np.round(log_w)
    dead = np.arange(n) < draw(st.integers(0, n - 1))
    log_q = np.where(dead, -np.inf, log_q)
    log_q = log_q - np.logaddexp.reduce(log_q)
    return log_q + log_w, log_q


def acceptance_by_double_sum(log_target: np.ndarray, log_q: np.ndarray) -> float:
    """sum_xy pi(x) q(y) min(1, pi(y) q(x) / (pi(x) q(y))), every pair of states."""
    pi, q = np.exp(log_target - np.logaddexp.reduce(log_target)), np.exp(log_q)
    return sum(min(pi[x] * q[y], pi[y] * q[x]) for x in range(pi.size) for y in range(pi.size))


def chains(rng: np.random.Generator, n_chains: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Texts proposed to stationary chains on the 3-state target [n_chains, steps + 1], and their log-weights."""
    texts = rng.choice(3, (n_chains, steps + 1), p=np.exp(PROPOSAL))
    texts[:, 0] = rng.choice(3, n_chains, p=np.exp(TARGET))
    return texts, (TARGET - PROPOSAL)[texts]


def acceptances(rng: np.random.Generator) -> np.ndarray:
    """The mean acceptance of each of 20,000 chains, as it was and as it should be on average: [2, chains]."""
    _, log_w = chains(rng, 20_000, 20)
    chain = run(log_w, rng.random((20_000, 20)))
    return np.stack([chain.accepted.mean(axis=-1), np.exp(chain.log_acceptance).mean(axis=-1)])


def a_little_more(rng: np.random.Generator) -> np.ndarray:
    """Planted: one rejection in twenty is overruled."""
    found = acceptances(rng)
    return found + (1 - found) / 20


ACCEPTANCE = Randomised(
    __name__,
    "mean acceptance is the exact sum",
    draw=acceptances,
    judge=lambda found: bernstein(found, 0, 1, acceptance_by_double_sum(TARGET, PROPOSAL)),
    planted={
        "always accepting": lambda rng: np.ones_like(acceptances(rng)),
        "a rejection in twenty overruled": a_little_more,
    },
    sample="20,000 chains of 20 steps, two means by empirical Bernstein",
)


def states(rng: np.random.Generator) -> np.ndarray:
    """How often each text is the last state of 20,000 chains."""
    texts, log_w = chains(rng, 20_000, 20)
    last = run(log_w, rng.random((20_000, 20))).states[:, -1]
    return np.bincount(np.take_along_axis(texts, last[:, None], axis=-1)[:, 0], minlength=3)


STATES = Randomised(
    __name__,
    "states have the target's law",
    draw=states,
    judge=lambda counts: cells(counts, np.exp(TARGET)),
    planted={"always accepting": lambda rng: rng.multinomial(20_000, np.exp(PROPOSAL))},
    sample="20,000 chains of 20 steps, 3 states, each an exact binomial",
)


def test_mean_acceptance_is_the_exact_sum_and_always_accepting_fails() -> None:
    ACCEPTANCE.hold()


def test_states_have_the_target_s_law_and_always_accepting_fails() -> None:
    STATES.hold()


def test_kernel_has_the_proposal_ratio() -> None:
    kernel = transition_matrix(TARGET, PROPOSAL)
    # w = (2.5, 1.5, 1/3): moves to a heavier text are certain, to a lighter one they have the ratio of weights.
    expected = np.array([[0, 0.2 * 0.6, 0.6 / 7.5], [0.2, 0, 0.6 / 4.5], [0.2, 0.2, 0]])
    expected += np.diag(1 - expected.sum(-1))
    np.testing.assert_allclose(kernel, expected, atol=ROUNDING)
    np.testing.assert_allclose(np.exp(TARGET) @ kernel, np.exp(TARGET), atol=ROUNDING)
    without_ratio = transition_matrix(TARGET + PROPOSAL, PROPOSAL)
    assert np.abs(np.exp(TARGET) @ without_ratio - np.exp(TARGET)).max() > 0.05


@given(pairs())
def test_kernel_is_reversible_and_its_rejections_are_the_diagonal(pair: tuple[np.ndarray, np.ndarray]) -> None:
    log_target, log_q = pair
    kernel, pi = transition_matrix(*pair), np.exp(log_target - np.logaddexp.reduce(log_target))
    flow = pi[:, None] * kernel
    np.testing.assert_allclose(flow, flow.T, atol=ROUNDING)
    np.testing.assert_allclose(kernel.sum(-1), 1, atol=ROUNDING)
    assert kernel.min() > -ROUNDING
    for x in np.flatnonzero(pi):
        for y in np.flatnonzero(pi):
            if x != y:
                ratio = np.exp(log_target[y] - log_target[x] + log_q[x] - log_q[y])
                assert kernel[x, y] == pytest.approx(np.exp(log_q[y]) * min(1, ratio), rel=1e-10)


@given(pairs())
def test_stationary_acceptance_is_the_double_sum_and_certifies_the_distance(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    log_target, log_q = pair
    acceptance = stationary_acceptance(*pair)
    assert acceptance == pytest.approx(acceptance_by_double_sum(*pair), abs=ROUNDING)
    low, high = certificate(acceptance)
    distance = total_variation(log_target - np.logaddexp.reduce(log_target), log_q)
    assert low - ROUNDING <= distance <= high + ROUNDING


@given(pairs(), st.integers(1, 12))
def test_convergence_from_the_worst_start_keeps_the_bound(pair: tuple[np.ndarray, np.ndarray], steps: int) -> None:
    log_target, _ = pair
    pi = np.exp(log_target - np.logaddexp.reduce(log_target))
    power = np.linalg.matrix_power(transition_matrix(*pair), steps)
    distance = 0.5 * np.abs(power - pi).sum(-1)[pi > 0].max()
    bound = convergence_bound(*pair, steps)
    assert 0 <= bound <= 1
    assert distance <= bound + 1e-12  # a dozen products of rounded matrices


@given(pairs())
def test_batches_are_separate_chains(pair: tuple[np.ndarray, np.ndarray]) -> None:
    log_target, log_q = (np.stack([side, side[::-1]]) for side in pair)
    functions = (transition_matrix, stationary_acceptance, log_weights, lambda *side: convergence_bound(*side, 3))
    for function in (*functions, lambda target, q: total_variation(target - 1, q)):
        both = function(log_target, log_q)
        for i in range(2):
            np.testing.assert_allclose(both[i], function(log_target[i], log_q[i]), atol=ROUNDING)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_run_is_a_loop_that_holds_or_takes(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    log_w, uniforms = np.round(rng.normal(0, 1, (2, n)), 1), rng.random((2, n - 1))
    chain = run(log_w, uniforms)
    for row in range(2):
        held, states = 0, [0]
        for t in range(1, n):
            assert chain.log_acceptance[row, t - 1] == min(0, log_w[row, t] - log_w[row, held])
            if uniforms[row, t - 1] < min(1, np.exp(log_w[row, t] - log_w[row, held])):
                held = t
            states.append(held)
        assert chain.states[row].tolist() == states
    assert chain.accepted.dtype == bool
    # A proposal that was turned down leaves the state, and only that is not an acceptance.
    np.testing.assert_array_equal(chain.accepted, np.diff(chain.states, axis=-1) != 0)


def test_a_proposal_of_the_text_held_is_accepted_as_in_the_exact_sum() -> None:
    accepted, log_alpha = step(np.asarray(-3.0), np.asarray(-3.0), np.asarray(1 - 2**-53))
    assert bool(accepted)
    assert log_alpha == 0


@given(st.floats(-700, 700), st.floats(-700, 700), st.floats(0, 1, exclude_max=True))
def test_step_accepts_below_the_ratio(state: float, proposal: float, uniform: float) -> None:
    accepted, log_alpha = step(np.asarray(state), np.asarray(proposal), np.asarray(uniform))
    assert log_alpha == min(0, proposal - state)
    assert bool(accepted) == (uniform < np.exp(min(0, proposal - state)))


def test_a_uniform_on_the_ratio_rejects() -> None:
    assert step(np.asarray(0.0), np.log(0.5), np.array([0.5, np.nextafter(0.5, 0)]))[0].tolist() == [False, True]


def test_a_text_without_mass_has_no_weight() -> None:
    log_w = log_weights(np.array([0.0, -np.inf, 1.0]), np.array([np.log(0.25), -np.inf, np.log(0.75)]))
    np.testing.assert_allclose(log_w, [np.log(4), -np.inf, 1 - np.log(0.75)], rtol=1e-14)


def test_the_bounds_are_their_formulas() -> None:
    low, high = certificate(np.array([0.0, 0.4, 1.0]))
    np.testing.assert_allclose([low, high], [[0.5, 0.3, 0], [1, 0.6, 0]], atol=1e-15)
    # w* = 1.25 here, so the distance shrinks by a fifth a step; on a law proposed by itself it is gone at once.
    target, proposal = np.log([0.5, 0.5]), np.log([0.6, 0.4])
    for steps in (1, 2, 5):
        assert float(convergence_bound(target + 3, proposal, steps)) == pytest.approx(0.2**steps, rel=1e-12)
    assert float(convergence_bound(proposal, proposal, 1)) == pytest.approx(0, abs=1e-15)


def test_target_of_a_tempered_adaptor_is_not_the_model_at_temperature_one() -> None:
    tree = random_tree(2, 2, np.random.default_rng(0))
    result = adapted(tree, temperature(1.5))
    law = np.exp(result.log_global)
    kernel = transition_matrix(result.local.log_prob + result.log_kept, result.local.log_prob)
    np.testing.assert_allclose(law @ kernel, law, atol=ROUNDING)
    at_one = transition_matrix(tree.log_prob, result.local.log_prob)
    assert np.abs(law @ at_one - law).max() > 1e-2


@pytest.mark.parametrize("function", [log_weights, transition_matrix, stationary_acceptance])
@pytest.mark.parametrize("swap", [False, True])
def test_different_supports_raise(function, swap: bool) -> None:
    smaller, larger = np.array([0.0, -np.inf]), np.log([0.5, 0.5])
    with pytest.raises(ValueError, match=r"^target and proposal differ in support"):
        function(*((larger, smaller) if swap else (smaller, larger)))


def test_a_law_with_nan_is_named() -> None:
    good, bad = np.log([0.5, 0.5]), np.array([np.nan, 0.0])
    with pytest.raises(ValueError, match=r"^log_target contains NaN"):
        log_weights(bad, good)
    with pytest.raises(ValueError, match=r"^log_proposal contains NaN"):
        log_weights(good, bad)


def test_truncated_proposal_against_the_untruncated_target_raises() -> None:
    tree = random_tree(3, 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"^target and proposal differ in support"):
        log_weights(tree.log_prob, adapted(tree, top_k(2)).local.log_prob)


@pytest.mark.parametrize("bad", [-np.inf, np.inf, np.nan])
def test_a_weight_lost_to_cancellation_raises(bad: float) -> None:
    with pytest.raises(ValueError, match=r"^the proposal's log-weight must be finite"):
        log_acceptance(np.asarray(0.0), np.asarray(bad))
    with pytest.raises(ValueError, match=r"^the state's log-weight must be finite"):
        log_acceptance(np.asarray(bad), np.asarray(0.0))
    with pytest.raises(ValueError, match="log-weight"):
        run(np.array([0.0, bad, 0.0]), np.array([0.5, 0.5]))


@pytest.mark.parametrize("bad", [-0.1, 1.0, np.nan])
def test_uniform_outside_its_interval_raises(bad: float) -> None:
    with pytest.raises(ValueError, match=r"^uniform must lie in"):
        step(np.asarray(0.0), np.asarray(0.0), np.asarray(bad))


def test_a_kernel_that_accepts_always_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metropolis, "log_acceptance", lambda state, proposal: np.zeros_like(state + proposal))
    kernel = transition_matrix(TARGET, PROPOSAL)
    assert np.abs(np.exp(TARGET) @ kernel - np.exp(TARGET)).max() > 0.3


@pytest.mark.parametrize(
    ("weights", "uniforms"), [((0,), (0,)), ((3,), (3,)), ((3,), (1,)), ((2, 3), (2,)), ((3,), (2, 2))]
)
def test_a_run_needs_one_uniform_a_move(weights, uniforms) -> None:
    with pytest.raises(ValueError, match=r"^uniforms .* must hold one number for each move of log_w"):
        metropolis.run(np.zeros(weights), np.zeros(uniforms))


def test_a_run_needs_an_axis_and_may_be_one_proposal_long() -> None:
    with pytest.raises(ValueError, match=r"^log_w needs 1 or more axes"):
        metropolis.run(np.array(0.0), np.zeros(1))
    assert metropolis.run(np.zeros(1), np.zeros(0)).states.tolist() == [0]


def test_stationary_acceptance_broadcasts_either_side() -> None:
    target, proposals = np.log([0.5, 0.5]), np.log([[0.5, 0.5], [0.75, 0.25]])
    for found in (stationary_acceptance(target, proposals), stationary_acceptance(proposals, target)):
        np.testing.assert_allclose(found, [1.0, 0.75], rtol=1e-15)
