import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from tests.toy.promised import columns_of
from theory.adaptors import local, temperature
from theory.arrays import normalised
from theory.claims.trees import apart
from theory.guidance import kl_guided_temperature
from theory.information import entropy, kl
from theory.language_models import Tree, adapted, from_scores
from toy.dynamic_temperature import (
    FAMILIES,
    MATCHED,
    SIGMAS,
    compare,
    comparison,
    grader_guided,
    kl_guided,
    matching,
    tilted,
)
from toy.evidence import SYMBOLS, even, measures, mixture
from toy.guidance_tradeoffs import classifier_free

FEW = settings(max_examples=15, deadline=None)


@FEW
@given(st.integers(0, 2**32), st.floats(0.1, 5))
def test_one_tilt_is_temperature_and_classifier_free_guidance(seed, strength):
    world = mixture(np.random.default_rng(seed), 3)
    strengths = np.full(3, strength)
    warm = tilted(world.prior, world.prior.log_steps, 1 / strengths - 1)
    assert apart(warm, adapted(world.prior, temperature(strength)).local).max() < 1e-12
    inside = np.isfinite(world.prior.log_steps)
    ratio = np.where(inside, world.prior.log_steps, 0.0) - np.where(inside, world.without.log_steps, 0.0)
    assert apart(tilted(world.prior, ratio, strengths), classifier_free(world, strength)).max() < 1e-12


def test_matching_against_scipys_root_world_by_world():
    world = mixture(np.random.default_rng(1), 4)
    target = 0.7 * entropy(world.prior.log_prob)
    found = matching(world.prior, world.prior.log_steps, MATCHED["entropy"][0], target)
    for row in range(4):
        prior, aim = Tree(world.prior.log_steps[row]), float(target[row])
        by_hand = brentq(lambda t, p=prior, h=aim: entropy(adapted(p, temperature(t)).local.log_prob) - h, 0.05, 1)
        assert 1 / (1 + found[row]) == pytest.approx(by_hand, abs=1e-9)


def test_what_cannot_be_matched_is_nan():
    world = mixture(np.random.default_rng(1), 3)
    found = matching(world.prior, world.prior.log_steps, MATCHED["entropy"][0], np.array([0.5, 100.0, -1.0]))
    assert np.isfinite(found).tolist() == [True, False, False]


@pytest.mark.parametrize("matched", MATCHED)
@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_two_are_equal_in_what_was_matched(sigma, matched):
    world = mixture(np.random.default_rng(2), 30)
    differences, residual, static = compare(world, kl_guided(world, sigma), matched)
    assert residual.max() < 1e-12  # a root to the last digits of a few nats
    assert np.abs(differences[matched]).max() < 1e-12
    assert np.all((static > 0) & (static < MATCHED[matched][1][-1][1]))
    assert all(np.abs(differences[name]).max() > 1e-3 for name in ("information", "posterior"))
    # KL = surprisal - entropy.
    left = differences["kl"] - differences["surprisal"] + differences["entropy"]
    assert np.abs(left).max() < 1e-11


def test_the_even_world_is_a_static_temperature():
    world = even(np.random.default_rng(3), 20)
    differences, _, static = compare(world, kl_guided(world, 1.0), "kl")
    assert max(np.abs(value).max() for value in differences.values()) < 1e-9
    x = kl(world.prior.log_steps, world.without.log_steps)[:, 0]
    np.testing.assert_allclose(static, 2.0**-x, rtol=1e-7)
    dynamic = kl_guided_temperature(world.prior.log_steps, world.without.log_steps, 1.0)
    assert entropy(dynamic).mean() < entropy(world.prior.log_steps).mean()


def test_the_classifiers_weight_is_a_temperature_of_each_step():
    world = mixture(np.random.default_rng(5), 3)
    prior, sigma = world.prior, 0.2
    guided = grader_guided(world, sigma)
    weight = normalised(prior.log_prob + world.log_posterior)
    posterior = from_scores(weight, SYMBOLS)[0]
    x = kl(posterior.log_steps, prior.log_steps)
    for row in range(3):
        for prefix in (0, 1, 7, 30):
            step = prior.log_steps[row, prefix]
            expected = local(temperature(2.0 ** -(x[row, prefix] / sigma)), step)[0]
            np.testing.assert_allclose(np.exp(guided.log_steps[row, prefix]), np.exp(expected), atol=1e-12)
    cold = grader_guided(world, 1e-9)  # no overflow on the way to greedy
    assert np.isfinite(cold.log_prob.max(axis=-1)).all()
    for bad in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="sigma must be a positive number"):
            grader_guided(world, bad)


def test_differences_are_dynamic_minus_static():
    world = mixture(np.random.default_rng(4), 5)
    differences, _, static = compare(world, kl_guided(world, 0.3), "kl")
    dynamic = Tree(kl_guided_temperature(world.prior.log_steps, world.without.log_steps, 0.3))
    other = tilted(world.prior, world.prior.log_steps, 1 / static - 1)
    for name, value in differences.items():
        np.testing.assert_allclose(value, measures(dynamic, world)[name] - measures(other, world)[name], atol=1e-12)


def test_table_has_the_promised_rows():
    table = comparison(0, 8)
    assert list(table) == columns_of("toy_evidence_dynamic")
    assert set(table["family"]) == set(FAMILIES)
    assert len(table) == len(FAMILIES) * len(SIGMAS) * len(MATCHED) * 5
    assert table["share"].between(0, 1).all()
    assert (table["residual"] < 1e-12).all()
    assert (table["worlds"] <= 8).all()
    control = table[table["family"].str.contains("control")]
    assert control["value"].abs().max() < 1e-9


WORLD = mixture(np.random.default_rng(0), 2)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: tilted(WORLD.prior, WORLD.prior.log_steps[0], np.ones(2)), "^u must have the shape"),
        (
            lambda: tilted(WORLD.prior, WORLD.prior.log_steps, np.ones(3)),
            r"^strength must have the shape \[2\], not \[3\]",
        ),
        (
            lambda: tilted(Tree(WORLD.prior.log_steps[0]), WORLD.prior.log_steps[0], np.ones(2)),
            "^the tree must have the shape",
        ),
        (
            lambda: matching(WORLD.prior, WORLD.prior.log_steps, MATCHED["kl"][0], np.ones(3)),
            "^target must have the shape",
        ),
        (lambda: compare(WORLD, WORLD.prior, "length"), "^what is matched must be one of"),
        (lambda: compare(WORLD, Tree(WORLD.prior.log_steps[0]), "kl"), "^the dynamic policy must have the shape"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
