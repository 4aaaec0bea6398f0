"""The Bradley-Terry fit against statsmodels' logistic regression and a planted preference."""

import numpy as np
import pytest
import statsmodels.api as sm

from empirical.bradley_terry import _fit, fit_bradley_terry


def planted(pairs, seed, weight=(1.0, -2.0, 0.0)):
    """Feature differences of chosen minus rejected when P(chosen) = sigmoid(w . d)."""
    rng = np.random.default_rng(seed)
    d = rng.normal(size=(pairs, len(weight)))
    first_wins = rng.random(pairs) < 1 / (1 + np.exp(-d @ np.array(weight)))
    return np.where(first_wins[:, None], d, -d)


def test_without_ridge_it_is_logistic_regression():
    d = planted(500, 0)
    signs = np.where(np.arange(500) % 2, 1, -1)  # half of the pairs turned round, so that both outcomes occur
    oracle = sm.Logit((signs > 0).astype(float), d * signs[:, None]).fit(disp=0).params
    np.testing.assert_allclose(_fit(d, 0.0), oracle, atol=1e-4)  # L-BFGS stops at a gradient of 1e-5


def test_the_planted_preference_is_found():
    """2,000 pairs: the angle to the planted weight is within 10 degrees; shuffled labels miss it."""
    splits = {"train": planted(2000, 1), "validation": planted(500, 2), "test": planted(500, 3)}
    fit = fit_bradley_terry(splits)
    assert cosine(fit.weight) > 0.98
    assert fit.accuracy["test"] > 0.75
    noise = {name: d * np.random.default_rng(4).choice([-1, 1], (len(d), 1)) for name, d in splits.items()}
    assert fit_bradley_terry(noise).accuracy["test"] < 0.6


def cosine(weight):
    truth = np.array([1.0, -2.0, 0.0])
    return weight @ truth / np.linalg.norm(weight) / np.linalg.norm(truth)


def test_summary_has_no_weights():
    fit = fit_bradley_terry({name: planted(50, seed) for seed, name in enumerate(("train", "validation", "test"))})
    assert set(fit.summary()) == {"ridge", "accuracy", "pairs"}
    assert fit.pairs == {"train": 50, "validation": 50, "test": 50}


def test_scale_of_features_does_not_matter():
    splits = {name: planted(300, seed) for seed, name in enumerate(("train", "validation", "test"))}
    scaled = {name: d * np.array([1.0, 100.0, 0.01]) for name, d in splits.items()}
    a, b = fit_bradley_terry(splits), fit_bradley_terry(scaled)
    assert b.weight * np.array([1.0, 100.0, 0.01]) == pytest.approx(a.weight, rel=1e-3)
