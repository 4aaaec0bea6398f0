"""Samplers, finite pools, the table of objectives, and what is not testable here; broken code breaks them."""

from functools import cache, partial

import numpy as np
import pytest

import theory.claims  # noqa: F401  fills the registry
from tests.statistical.p_values import binomial
from tests.statistical.randomised import Randomised
from theory.adaptors import nucleus, top_k
from theory.arrays import normalised
from theory.claims.chang import unification
from theory.claims.tan import finite_pool, sampled_worlds, samplers, truncation_objectives
from theory.ledger import REGISTRY, verify

NAMES = ["new.five-samplers", "new.finite-pool", "new.unification", "new.truncation-objectives"]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_claim_stands(name, seed):
    entry = verify(REGISTRY[name], seed)
    assert entry.faults() == []
    assert entry.controls
    assert max(check.instances for check in entry.checks) >= 1000


@pytest.mark.parametrize("name", ["cd.experiments"])
def test_what_is_not_testable_says_why(name):
    entry = verify(REGISTRY[name])
    assert entry.verdict == "not-testable-here"
    assert not entry.checks
    assert "too large for this machine" in entry.assumptions


def failed(name):
    return "; ".join(verify(REGISTRY[name]).faults())


@cache
def worlds():
    """20 worlds, the same in every draw: given them, tests are independent."""
    rng = np.random.default_rng(0)
    return [sampled_worlds.random_sampled_world(rng) for _ in range(20)]


def failures(rng, size=0.1):
    """How often right samplers fail in 100 tests, each of five in 20 worlds, at this size a world."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampled_worlds, "SIZE", size * sampled_worlds.WORLDS)
        patch.setattr(sampled_worlds, "at_most", lambda name, *, residuals, **_: found.setdefault(name, residuals))
        for name, sampler in samplers.SAMPLERS.items():
            sampled_worlds.agrees(name, sampler, worlds(), rng)
    assert len(found) == 5
    return int(sum(np.sum(np.array(ratios) > 1) for ratios in found.values()))


SIZE = Randomised(
    __name__,
    "the test of samplers has its size",
    draw=failures,
    judge=lambda failed: binomial(failed, 100, 0, 0.15),  # a tenth, by the chi-square limit
    planted={"six times the size": partial(failures, size=0.6)},
    sample="100 tests of size 0.1 fail in 15 % or fewer, exact binomial",
    trials=100,  # of several probabilities, as worlds differ
)


def test_the_test_of_samplers_has_its_size():
    SIZE.hold()


def test_weights_forgotten_break_the_samplers(monkeypatch):
    monkeypatch.setattr(samplers, "pool_weights", lambda log_w: (np.full_like(log_w, -np.log(8)), np.zeros(len(log_w))))
    assert "importance sampling" in failed("new.five-samplers")


def test_a_chain_that_takes_all_breaks_the_samplers(monkeypatch):
    right = samplers.run
    monkeypatch.setattr(samplers, "run", lambda log_w, uniforms: right(np.zeros_like(log_w), uniforms))
    assert "Metropolis" in failed("new.five-samplers")


def test_rejection_by_the_square_of_the_weight_breaks_the_samplers(monkeypatch):
    right = samplers.rejection
    monkeypatch.setattr(samplers, "rejection", lambda log_w, uniform: right(2 * log_w, uniform))
    assert "rejection" in failed("new.five-samplers")


def test_particles_that_are_not_resampled_break_the_samplers(monkeypatch):
    right = samplers.sequential_monte_carlo
    broken = lambda log_q, log_kept, *rest: right(log_q, np.zeros_like(log_kept), *rest)  # noqa: E731
    monkeypatch.setattr(samplers, "sequential_monte_carlo", broken)
    assert "sequential" in failed("new.five-samplers")


def test_a_biased_draw_breaks_every_sampler(monkeypatch):
    right = samplers.draw
    monkeypatch.setattr(samplers, "draw", lambda log_p, uniform: right(log_p, uniform**1.2))
    assert "enumeration" in failed("new.five-samplers")


def test_few_draws_lack_the_power(monkeypatch):
    monkeypatch.setattr(samplers, "DRAWS", 5)
    right = sampled_worlds.second_kind
    monkeypatch.setattr(samplers, "agrees", lambda *_: iter(()))
    monkeypatch.setattr(samplers, "rejects", lambda *_: None)
    checks = [
        item for item in REGISTRY["new.five-samplers"].evidence(np.random.default_rng(0)) if hasattr(item, "worst")
    ]
    assert not next(check for check in checks if check.name == "power against p_loc").passed
    assert right(sampled_worlds.random_sampled_world(np.random.default_rng(0)), 10**6) < 1e-6


def test_a_kernel_of_another_target_breaks_the_finite_pool(monkeypatch):
    right = finite_pool.transition_matrix
    broken = lambda target, proposal: right(proposal + 0.9 * (target - proposal), proposal)  # noqa: E731
    monkeypatch.setattr(finite_pool, "transition_matrix", broken)
    assert "w_i / Σ w" in failed("new.finite-pool")
    assert "share" in failed("new.finite-pool")


def test_a_wrong_normaliser_breaks_the_finite_pool(monkeypatch):
    monkeypatch.setattr(finite_pool, "_by_string", lambda pool, law: np.ones((*pool.shape[:-1], 7)) * law[..., :1])
    assert failed("new.finite-pool")


@pytest.mark.parametrize(
    ("rule", "row"),
    [
        ("greedy", "greedy"),
        ("classifier_free_guidance", "CFG"),
        ("classifier_guidance", "GeDi"),
        ("controlled", "CD"),
        ("gibbs", "DExperts"),
        ("kl_guided_temperature", "KL-guided"),
        ("best_of", "best-of-K"),
    ],
)
def test_a_bent_rule_breaks_its_row(monkeypatch, rule, row):
    right = getattr(unification, rule)

    def bent(log_p, *rest):
        log_pi = right(log_p, *rest)
        tilt = 0.01 * np.arange(log_pi.shape[-1])
        return normalised(log_pi + tilt) if rule != "greedy" else normalised(0.99 * log_p)

    monkeypatch.setattr(unification, rule, bent)
    assert f"{row}" in failed("new.unification")


@pytest.mark.parametrize("row", ["temperature by u", "temperature by τ"])
def test_a_bent_temperature_breaks_its_rows(monkeypatch, row):
    right = unification.temperature
    monkeypatch.setattr(unification, "temperature", lambda T: right(1.01 * T))  # noqa: N803
    assert row in failed("new.unification")


@pytest.mark.parametrize(
    ("rule", "broken", "check"),
    [
        ("top_k", lambda k: top_k(k + 1), "top-1"),
        ("nucleus", lambda mass: nucleus(mass - 0.1), "nucleus"),
        ("eta", lambda epsilon: nucleus(0.9), "η"),
        ("min_p", lambda rho: nucleus(0.9), "min-p"),
    ],
)
def test_a_bent_truncation_breaks_its_objective(monkeypatch, rule, broken, check):
    monkeypatch.setattr(truncation_objectives, rule, broken)
    assert f"check failed: {check}" in failed("new.truncation-objectives")


def test_a_bent_price_breaks_the_new_rule(monkeypatch):
    right = truncation_objectives._affordable
    monkeypatch.setattr(truncation_objectives, "_affordable", lambda log_p, rate: right(log_p, 1.05 * rate))
    assert "-KL - 0.2 |supp|" in failed("new.truncation-objectives")
