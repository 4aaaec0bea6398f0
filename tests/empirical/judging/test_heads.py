"""Heads: they find a planted direction, never judge what they saw, and their accuracies are as sure as stated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import binomtest

from empirical.judging import heads
from empirical.judging.heads import Pairs, accuracy, fitted, held_out_margins, pairs_of
from empirical.judging.human import Question


def drawn(seed, count, strength=3.0, hidden=6):
    """Pairs preferred by Bradley and Terry's law along one direction."""
    rng = np.random.default_rng(seed)
    direction = np.eye(hidden)[0] * strength
    d = rng.standard_normal((count, hidden))
    d[rng.random(count) > 1 / (1 + np.exp(-d @ direction))] *= -1
    return Pairs(d, np.arange(count), np.arange(count) % 5, rng.standard_normal(count))


def test_the_planted_direction():
    weight, ridge = fitted(drawn(0, 2000))
    assert ridge in heads.RIDGES
    assert weight[0] / np.linalg.norm(weight) > 0.98
    assert weight[0] == pytest.approx(3.0, abs=0.5)  # a standard error is 0.15


def test_the_ridge_is_the_one_that_serves_held_out_pairs_best():
    """Nothing can be learned of noise, so that it asks for the largest; a strong direction asks for less."""
    noise = np.random.default_rng(0).standard_normal((200, 50))
    assert fitted(Pairs(noise, np.arange(200), np.arange(200) % 5, np.ones(200)))[1] == max(heads.RIDGES)
    assert fitted(drawn(0, 2000))[1] < max(heads.RIDGES)


def test_the_units_of_a_feature_do_not_matter():
    pairs, units = drawn(1, 200), 10.0 ** np.arange(-3, 3)
    weight, ridge = fitted(Pairs(pairs.differences * units, pairs.question, pairs.fold, pairs.tokens))
    assert ridge == fitted(pairs)[1]
    np.testing.assert_allclose(weight * units, fitted(pairs)[0], rtol=1e-6)  # one minimum, rounded otherwise


def test_sides_do_not_matter():
    """Of the pairs with every second one the other way round, and said to be so, it is the ridge regression too."""
    pairs = drawn(1, 200)
    assert np.abs(pairs.differences.mean(axis=0)).max() > 0.05, "a fit about the mean would differ"
    first = np.arange(200) % 2
    sides = pairs.differences * (2 * first - 1)[:, None]
    weight, ridge = fitted(pairs)
    slope = (expit(sides @ weight) - first) @ sides / 200 + ridge * (sides**2).mean(axis=0) * weight
    np.testing.assert_allclose(slope, 0, atol=1e-4)  # what the minimiser leaves


def test_held_out_pairs_of_noise_are_not_ranked():
    """Planted: the head's own training pairs look well ranked although nothing can be learned.

    Only from above: the mean that a fold's head learned is the opposite of the fold's own, so it may fall below 1/2.
    """
    rng = np.random.default_rng(2)
    noise = Pairs(rng.standard_normal((200, 100)), np.arange(200), np.arange(200) % 5, rng.standard_normal(200))
    held_out = accuracy(held_out_margins(noise), noise.question)
    assert held_out["low"] < 0.5
    assert np.mean(noise.differences @ heads._weight(noise.differences, 1e-3) > 0) > 0.65


def test_no_fold_sees_itself(monkeypatch):
    seen = []
    monkeypatch.setattr(heads, "fitted", lambda pairs: (seen.append(set(pairs.fold)) or np.ones(6), 1.0))
    pairs = drawn(3, 50)
    margin = held_out_margins(pairs)
    assert seen == [set(range(5)) - {k} for k in range(5)]
    np.testing.assert_allclose(margin, pairs.differences.sum(axis=1))


@settings(max_examples=25)
@given(st.lists(st.sampled_from([-1.0, 0.0, 2.0]), min_size=2, max_size=60))
def test_accuracy(margins):
    margin = np.array(margins)
    found = accuracy(margin, np.arange(len(margin)))
    assert found["accuracy"] == pytest.approx((margin > 0).mean() + (margin == 0).mean() / 2)
    if (margin != 0).all():
        interval = binomtest(int((margin > 0).sum()), len(margin)).proportion_ci(method="wilson")
        assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high))


def test_questions_with_many_alike_pairs_widen_the_interval():
    right = np.repeat(np.random.default_rng(0).random(30) < 0.6, 20) - 0.5
    apart, together = accuracy(right, np.arange(600)), accuracy(right, np.repeat(np.arange(30), 20))
    assert (apart["low"], apart["high"]) == (together["low"], together["high"])
    width = {key: one["cluster_high"] - one["cluster_low"] for key, one in (("apart", apart), ("together", together))}
    assert width["together"] > 3 * width["apart"]  # by sqrt(20) = 4.5
    assert width["apart"] == pytest.approx(apart["high"] - apart["low"], rel=0.15)


def test_pairs_of_questions():
    questions = [Question(("a",), ("x", "yy"), ((1, 0),)), Question(("b",), ("x", "y", "z"), ((0, 2), (2, 1)))]
    features = [np.array([[1.0], [5.0]]), np.array([[1.0], [2.0], [4.0]])]
    found = pairs_of(questions, features, [np.array([1, 2]), np.array([1, 1, 3])])
    assert found.differences.ravel().tolist() == [4.0, -3.0, 2.0]
    assert found.tokens.tolist() == [1, -2, 2]
    assert found.question.tolist() == [0, 1, 1]
    both = found + found
    assert both.question.tolist() == [0, 1, 1, 2, 3, 3]
    assert both.fold.tolist() == [questions[k].fold for k in (0, 1, 1, 0, 1, 1)]
