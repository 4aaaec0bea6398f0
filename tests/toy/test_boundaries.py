"""The exact boundaries against large worlds and quadrature."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from theory.covariance import covariance, typical_shrinkage
from theory.language_models import log_dirichlet
from toy.boundaries import echo, noise_threshold, predicted, published_shrinkage


@pytest.mark.parametrize("weighting", ["uniform", "aligned"])
@given(s=st.floats(0.1, 2), alpha=st.floats(0.3, 3))
def test_echo_is_the_gamma_integral(weighting, s, alpha):
    k = alpha + (weighting == "aligned")
    found = echo(np.array(s), weighting, alpha, 1000)

    def mean(f):
        # Over y = log g, whose density is smooth where that of g has a pole.
        return (
            integrate.quad(lambda y: f(np.exp(y)) * np.exp(k * y - np.exp(y)), -200 / k, 8, limit=400, epsabs=0)[0]
            / norm
        )

    norm = integrate.quad(lambda y: np.exp(k * y - np.exp(y)), -200 / k, 8, limit=400, epsabs=0)[0]
    unit = (1000 * alpha) ** -s
    mean_f, mean_l = mean(lambda g: unit * g**s), mean(np.log)
    exact = (
        mean(lambda g: (unit * g**s - mean_f) ** 2),
        mean(lambda g: (np.log(g) - mean_l) ** 2),
        mean(lambda g: (unit * g**s - mean_f) * (np.log(g) - mean_l)),
    )
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_a_large_world_has_the_predicted_covariances():
    rng = np.random.default_rng(0)
    log_p = log_dirichlet(1_000_000, rng, 0.1)
    for s, n in ((1 / 42, 0.42), (0.2, 1.0)):
        x = np.exp(s * log_p) + rng.uniform(-n, n, len(log_p))
        for weighting, law in (("uniform", np.full(len(log_p), -np.log(len(log_p)))), ("aligned", log_p)):
            found = covariance(law, x, log_p - x)
            # A world this large: some 90,000 objects carry p_+, and p_+^s is scaled for its own size.
            exact = predicted_for(s, n, weighting, len(log_p))
            np.testing.assert_allclose(found, exact, rtol=0.04, atol=0.005)


def predicted_for(s, n, weighting, objects):
    f, level, both = echo(np.array(s), weighting, 0.1, objects)
    return f + n**2 / 3, f + n**2 / 3 + level - 2 * both, both - f - n**2 / 3


@pytest.mark.parametrize("weighting", ["uniform", "aligned", "typical"])
@given(s=st.floats(0.003, 1), kappa=st.floats(0.01, 1))
def test_the_sign_turns_at_the_threshold(weighting, s, kappa):
    exponent = np.array(s)
    edge = noise_threshold(exponent, weighting, kappa)
    if edge > 0:
        assert predicted(exponent, edge * 0.999, weighting, kappa).xr > 0
    assert predicted(exponent, edge * 1.001 + 1e-9, weighting, kappa).xr < 0


def test_selection_only_lowers_the_threshold():
    s = np.geomspace(0.003, 1, 50)
    plain, strict = noise_threshold(s, "aligned"), noise_threshold(s, "typical", 0.02)
    np.testing.assert_allclose(noise_threshold(s, "typical", 1.0), plain, rtol=1e-9)
    assert np.all(strict < plain)
    assert np.all(plain < noise_threshold(s, "uniform"))


def test_the_published_world_lies_between_the_boundaries():
    s = np.array(1 / 42)
    assert noise_threshold(s, "aligned") < 0.42 < noise_threshold(s, "uniform")


def test_published_shrinkage_is_that_of_its_probability():
    varentropy = stats.loggamma(1.1).var()
    probability = 2 * stats.norm.cdf(0.001 * np.sqrt(1e5 / varentropy)) - 1
    assert published_shrinkage(100_000, 0.001) == pytest.approx(float(typical_shrinkage(probability)), rel=1e-9)


def test_bad_parameters_are_named():
    one = np.array(1.0)
    with pytest.raises(ValueError, match=r"^the exponent must"):
        echo(np.array(0.0), "uniform")
    with pytest.raises(ValueError, match=r"^a world needs"):
        echo(one, "uniform", 0.0)
    with pytest.raises(ValueError, match=r"^the noise must"):
        predicted(one, np.array(-0.1), "uniform")
    with pytest.raises(ValueError, match="N must be"):
        published_shrinkage(0, 0.1)
    with pytest.raises(ValueError, match="epsilon positive"):
        published_shrinkage(10, 0.0)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: echo(np.array(0.5), "typical"), "uniform or aligned, not 'typical'"),
        (lambda: predicted(np.array(0.5), np.array(0.1), "unknown"), "no weighting is called 'unknown'"),
        (lambda: predicted(np.array(0.5), np.array(0.1), "typical", 1.1), r"in \[0, 1\], not 1.1"),
        (lambda: predicted(np.array(0.5), np.array(0.1), "typical", np.nan), r"in \[0, 1\], not nan"),
        (lambda: predicted(np.array(0.5), np.array(1e200), "uniform"), "^the noise must be"),
        (lambda: echo(np.array([0.5, 78.0]), "aligned"), "^the exponent is too large"),
        (lambda: echo(np.array(200.0), "uniform"), "^the exponent is too large"),
        (lambda: published_shrinkage(10, 0.1, -1.0), "a positive concentration, not -1.0"),
        (lambda: published_shrinkage(10, 0.1, 0.0), "a positive concentration, not 0.0"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
