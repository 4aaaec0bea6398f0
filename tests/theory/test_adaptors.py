"""Truncations against brute force over all subsets and against transformers' warpers, and the field's known bugs."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from transformers import (
    EtaLogitsWarper,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from theory.adaptors import (
    ancestral,
    compose,
    eta,
    local,
    locally_typical,
    min_p,
    nucleus,
    temperature,
    top_k,
)
from theory.arrays import normalised

INF = float("inf")
WEIGHTS = st.one_of(st.floats(0.01, 1), st.sampled_from([0.25, 0.5, 1.0, 0.0, 1e-300]))
ROWS = st.lists(WEIGHTS, min_size=1, max_size=7).map(lambda weights: np.array([1.0, *weights]) / (1.0 + sum(weights)))
MASSES = st.one_of(st.floats(0.01, 1), st.sampled_from([0.5, 0.75, 0.8]))
# The rules count a mass as reached from 8 rounding errors below it, so kept mass may be short by as much.
SLACK = 1e-14


def log(p):
    with np.errstate(divide="ignore"):
        return np.log(p)


def kept_by(adaptor, p):
    return np.isfinite(adaptor(log(np.asarray(p))))


def subsets(size):
    return [list(chosen) for count in range(1, size + 1) for chosen in combinations(range(size), count)]


def is_smallest_with_mass(kept, p, mass):
    """No smaller set reaches the mass, and none of the same size holds more."""
    total = p[kept].sum()
    fewer = [p[chosen].sum() for chosen in subsets(p.size) if len(chosen) < kept.sum()]
    same = [p[chosen].sum() for chosen in subsets(p.size) if len(chosen) == kept.sum()]
    return total >= mass - SLACK and max(fewer, default=0.0) < mass and total >= max(same) - SLACK


@given(ROWS, MASSES)
@example(np.array([0.5, 0.3, 0.2]), 0.8)
def test_nucleus_is_the_smallest_set_that_reaches_the_mass(p, mass):
    kept = kept_by(nucleus(mass), p) & (p > 0)
    if mass < 1:
        assert is_smallest_with_mass(kept, p, mass)
    else:
        assert kept.tolist() == (p > 0).tolist()


def test_one_token_too_many_at_equality_would_be_noticed():
    """Pitfall 27: a cut-off that compares the mass before each token with <= keeps (.5, .3, .2) whole at .8."""
    p = np.array([0.5, 0.3, 0.2])
    bug = np.cumsum(p) - p <= 0.8 + SLACK
    assert bug.all()
    assert not is_smallest_with_mass(bug, p, 0.8)
    assert kept_by(nucleus(0.8), p).tolist() == [True, True, False]


def test_nucleus_survives_a_large_vocabulary_in_half_precision():
    """Pitfall 27: a running sum of 4096 equal terms saturates in bfloat16 and never reaches one half."""
    log_p = normalised(torch.zeros(4096, dtype=torch.bfloat16))
    running = torch.zeros((), dtype=torch.bfloat16)
    for mass in log_p.exp()[:1000]:
        running = running + mass
    assert running < 0.2  # the planted bug: 1000 of 4096 tokens weigh 0.24
    kept = int(torch.isfinite(nucleus(0.5)(log_p)).sum())
    # bfloat16 rounds log 4096 = 8.3 by up to 1/32, so the mass of a token by up to 3%.
    assert kept == pytest.approx(2048, rel=0.03)


def test_nucleus_survives_numpys_running_sum_in_half_precision():
    """NumPy adds float16 up in float16: terms of 1 / 8192 no longer move a sum of 1/2, whose ulp is eight of them."""
    log_p = normalised(np.zeros(8192, np.float16))
    assert np.exp(log_p).cumsum()[-1] < 0.6  # the planted bug: the sum of all tokens
    kept = int(np.isfinite(nucleus(0.6)(log_p)).sum())
    # float16 rounds log 8192 = 9.01 by up to 1/256, so the mass of a token by as much.
    assert kept == pytest.approx(0.6 * 8192, rel=1 / 256)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("mass", [0.1113, 0.3332, 0.7137, 0.8999])
def test_nucleus_adds_up_in_double_precision(dtype, mass):
    """Summed in bfloat16 the count would be off by a dozen of 3000 like tokens."""
    log_p = normalised(torch.zeros(3000, dtype=dtype))
    kept = int(torch.isfinite(nucleus(mass)(log_p)).sum())
    assert kept == np.ceil(mass / np.exp(log_p[0].item()))


def test_a_mass_missed_by_a_hair_takes_one_more_token():
    p = np.array([0.5, 0.3, 0.2])
    for rule in (nucleus, locally_typical):
        assert kept_by(rule(0.8 - 1e-13), p).sum() == kept_by(rule(0.8), p).sum() == 2
        assert kept_by(rule(0.8 + 1e-13), p).sum() == 3


@given(ROWS, st.integers(1, 9))
def test_top_k_holds_the_most_mass_of_all_sets_of_its_size(p, k):
    kept = kept_by(top_k(k), p) & (p > 0)
    assert kept.sum() == min(k, np.count_nonzero(p))
    best = max(p[list(chosen)].sum() for chosen in combinations(range(p.size), min(k, p.size)))
    assert p[kept].sum() == pytest.approx(best, abs=SLACK)


@given(ROWS, MASSES)
def test_locally_typical_takes_the_nearest_to_the_entropy_just_up_to_the_mass(p, mass):
    kept = kept_by(locally_typical(mass), p) & (p > 0)
    assert is_typical_prefix(kept, p, mass)


def is_typical_prefix(kept, p, mass):
    """No cut token is nearer to the entropy than a kept one; the mass is reached, and not without the farthest."""
    positive = p > 0
    distance = np.full(p.size, INF)
    distance[positive] = np.abs(np.log(p[positive]) - np.sum(p[positive] * np.log(p[positive])))
    farthest = distance[kept].max()
    if not positive[kept].all() or np.any(distance[positive & ~kept] < farthest - 1e-12):
        return False
    if mass == 1:
        return kept.tolist() == positive.tolist()
    # Of tokens equally far the one with the least mass gives the sharpest test that it was needed; rounding of the
    # distances may order them either way, so any of them may be the last.
    last = [p[token] for token in np.flatnonzero(kept) if distance[token] >= farthest - 1e-12]
    return p[kept].sum() >= mass - SLACK and p[kept].sum() - max(last) < mass


def test_a_typical_cut_off_by_one_would_be_noticed():
    """Pitfall 25: a prefix one token shorter misses the mass."""
    p = np.array([0.4, 0.3, 0.2, 0.1])
    kept = kept_by(locally_typical(0.6), p)
    assert is_typical_prefix(kept, p, 0.6)
    for token in np.flatnonzero(kept):
        bug = kept.copy()
        bug[token] = False
        assert not is_typical_prefix(bug, p, 0.6)
    assert not is_typical_prefix(np.ones(4, dtype=bool), p, 0.6)


@given(ROWS, st.floats(0.001, 1))
def test_eta_keeps_what_exceeds_its_threshold(p, epsilon):
    positive = p[p > 0]
    threshold = min(epsilon, np.sqrt(epsilon) * np.exp(np.sum(positive * np.log(positive))))
    kept = kept_by(eta(epsilon), p)
    decided = np.abs(p / threshold - 1) > 1e-12
    assert np.array_equal(kept[decided], (p > threshold)[decided])
    assert kept[np.argmax(p)]


def test_eta_is_not_confused_by_impossible_tokens():
    """Pitfall 26: an entropy from probabilities is NaN at 0 log 0, and every comparison with it false."""
    p = np.array([0.6, 0.4, 0.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        assert np.isnan(-np.sum(p * np.log(p)))
    assert kept_by(eta(0.1), p).tolist() == [True, True, False]


@pytest.mark.parametrize("size", range(2, 60))
def test_eta_keeps_a_uniform_row_at_its_largest_threshold(size):
    assert kept_by(eta(1.0), np.full(size, 1 / size)).all()


@given(ROWS, st.floats(0.001, 1))
def test_min_p_keeps_a_fraction_of_the_largest(p, rho):
    kept = kept_by(min_p(rho), p)
    decided = np.abs(p / (rho * p.max()) - 1) > 1e-12
    assert np.array_equal(kept[decided], (p > rho * p.max())[decided])
    assert kept[np.argmax(p)]


@given(ROWS, st.floats(0.05, 20))
def test_temperature_is_a_power(p, T):  # noqa: N803
    np.testing.assert_allclose(np.exp(temperature(T)(log(p))), p ** (1 / T), rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("adaptor", [top_k(2), nucleus(0.5), locally_typical(0.5), nucleus(0.3)])
def test_ties_go_to_the_lower_token(adaptor):
    assert kept_by(adaptor, np.full(4, 0.25)).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (temperature(0.7), TemperatureLogitsWarper(0.7)),
        (top_k(3), TopKLogitsWarper(3)),
        (nucleus(0.8137), TopPLogitsWarper(0.8137)),
        (locally_typical(0.7131), TypicalLogitsWarper(0.7131)),
        (eta(0.0313), EtaLogitsWarper(0.0313)),
        (min_p(0.2117), MinPLogitsWarper(0.2117)),
    ],
    ids=lambda rule: getattr(rule, "name", ""),
)
def test_transformers_agrees_away_from_ties(ours, theirs):
    logits = torch.from_numpy(np.random.default_rng(0).normal(scale=2.0, size=(500, 20)))
    log_q, _ = local(ours, torch.log_softmax(logits, dim=-1))
    expected = torch.log_softmax(theirs(torch.zeros((500, 1), dtype=torch.long), logits), dim=-1)
    np.testing.assert_allclose(log_q.numpy(), expected.numpy(), atol=1e-12)


@given(ROWS, st.floats(0.1, 5), st.integers(1, 8))
def test_top_k_commutes_with_temperature(p, T, k):  # noqa: N803
    one, other = compose(temperature(T), top_k(k)), compose(top_k(k), temperature(T))
    assert kept_by(one, p).tolist() == kept_by(other, p).tolist()


@given(ROWS, st.sampled_from([top_k(2), nucleus(0.6), eta(0.1), locally_typical(0.6), min_p(0.3), ancestral()]))
def test_a_truncation_keeps_weights_as_they_are_and_reports_the_kept_mass(p, adaptor):
    log_p = log(p)
    log_w = adaptor(log_p)
    kept = np.isfinite(log_w)
    assert np.array_equal(log_w[kept], log_p[kept])
    log_q, log_kept = local(adaptor, log_p)
    assert np.exp(log_kept) == pytest.approx(p[kept].sum(), abs=1e-12)
    assert np.all(np.exp(log_q[~kept]) == 0.0)  # pitfall 28: nothing cut has any probability left


@pytest.mark.parametrize("k", [1, 2, 50, 999, 1000, 1001])
def test_top_k_finds_the_largest_of_a_thousand(k):
    log_p = np.random.default_rng(k).permutation(1000).astype(float)
    assert np.isfinite(top_k(k)(log_p)).tolist() == (log_p >= 1000 - k).tolist()


def test_min_p_at_one_keeps_the_most_probable():
    assert kept_by(min_p(1.0), np.array([0.4, 0.4, 0.2])).tolist() == [True, True, False]


def test_eta_looks_at_one_row_at_a_time():
    """At epsilon = 1 a uniform row is at its threshold, and a surer row beside it must not change that."""
    for size in range(2, 60):
        sure = np.append(1.0, np.zeros(size - 1))
        assert kept_by(eta(1.0), np.stack([np.full(size, 1 / size), sure])).tolist() == [
            [True] * size,
            (sure > 0).tolist(),
        ]


@pytest.mark.parametrize("rule", [nucleus, locally_typical])
def test_all_of_the_mass_keeps_every_token_that_has_any(rule):
    """Rounding must not cut a tail of 1e-17 that the running sum no longer sees."""
    log_p = np.log([0.5, 0.5, 1e-17, 1e-300])
    np.testing.assert_array_equal(rule(1.0)(log_p), log_p)
    assert np.isneginf(rule(0.9)(log_p)[2:]).all()
