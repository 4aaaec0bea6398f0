"""Rules of guidance: what each is called, what is refused, and that its law is theory's."""

from math import inf, nan

import numpy as np
import pytest
import torch

from empirical.guidance.rules import Guidance
from theory.guidance import classifier_free_guidance, classifier_guidance, greedy, kl_guided_temperature

LOG_P, WITHOUT, SUCCESS = np.log([[0.5, 0.3, 0.2], [0.2, 0.4, 0.4], [0.9, 0.6, 0.1]])


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (Guidance(), "ancestral"),
        (Guidance(T=0), "greedy"),
        (Guidance(T=0.7), "temperature(0.7)"),
        (Guidance("free", 1.0), "free(1)"),
        (Guidance("kl", 0.5, 0.0), "kl(0.5) at temperature 0"),
    ],
)
def test_names(rule, name):
    assert rule.name == name


@pytest.mark.parametrize("temperature", [-0.1, inf, nan])
def test_a_temperature_is_a_number_of_at_least_0(temperature):
    with pytest.raises(ValueError, match=f"^A temperature must be a number of at least 0, not {temperature}"):
        Guidance(T=temperature)


@pytest.mark.parametrize("sigma", [0.0, -1.0, inf, nan])
def test_sigma_is_positive(sigma):
    with pytest.raises(ValueError, match=f"^sigma must be a positive number of nats, not {sigma}"):
        Guidance("kl", sigma)


@pytest.mark.parametrize("strength", [inf, -inf, nan])
@pytest.mark.parametrize("kind", ["free", "classifier", "none"])
def test_lambda_is_finite(kind, strength):
    with pytest.raises(ValueError, match=f"^lambda must be a finite number, not {strength}"):
        Guidance(kind, strength)


@pytest.mark.parametrize(
    ("rule", "law"),
    [
        (Guidance(), LOG_P),
        (Guidance("free", 0.5), classifier_free_guidance(LOG_P, WITHOUT, 0.5)),
        (Guidance("kl", 0.5), kl_guided_temperature(LOG_P, WITHOUT, 0.5)),
        (Guidance("classifier", 2.0), classifier_guidance(LOG_P, SUCCESS, 2.0)),
        (Guidance("free", 0.5, 0.0), greedy(classifier_free_guidance(LOG_P, WITHOUT, 0.5))),
        (Guidance(T=0.5), 2 * LOG_P - np.log(np.exp(2 * LOG_P).sum())),
    ],
)
def test_the_law_is_theorys(rule, law):
    found = rule.law(*(torch.from_numpy(line) for line in (LOG_P, WITHOUT, SUCCESS)))
    np.testing.assert_allclose(found.numpy(), law, rtol=1e-12)  # sums of three numbers
