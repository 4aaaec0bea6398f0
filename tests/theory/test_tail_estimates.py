"""Sharp tail estimates against exact binomial and negative binomial tails."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from theory.concentration import of_automaton, of_law
from theory.families import geometric
from theory.language_models import log_dirichlet
from theory.tail_estimates import bahadur_rao, berry_esseen
from theory.typicality import corpus_types, counted, type_log_probs


@given(st.floats(0.1, 0.4), st.integers(200, 600), st.floats(0.2, 0.5))
def test_bahadur_rao_on_two_strings(p: float, size: int, share: float) -> None:
    """The surprisal of a corpus over two strings is a binomial count of the rarer one."""
    law, span = of_law(np.log([1 - p, p])), math.log((1 - p) / p)
    count = math.ceil(size * (p + share * (1 - p) * 0.5))
    epsilon = (count / size - p) * span
    exact = stats.binom.logsf(count - 1, size, p)
    z = (count - size * p) / math.sqrt(size * p * (1 - p))
    # The next term of the expansion is led by 1 / (N t^2 K''), about 1 / z^2.
    assert math.log(bahadur_rao(law, size, epsilon, span)) == pytest.approx(exact, abs=1.2 / z**2)


def test_the_error_falls_as_one_over_n() -> None:
    law, span = of_automaton(geometric(2, 0.3)), -math.log(0.35)
    errors = []
    for size in (100, 400):
        total = math.ceil(size * 3.5)
        epsilon = (total / size - 0.7 / 0.3) * span
        exact = stats.nbinom.sf(total - 1, size, 0.3)
        errors.append(abs(float(bahadur_rao(law, size, epsilon, span)) / exact - 1))
    assert errors[0] < 0.1
    assert errors[1] == pytest.approx(errors[0] / 4, rel=0.2)


@given(st.integers(0, 2**32 - 1))
def test_duality_gives_the_tilt_and_its_variance(seed: int) -> None:
    log_p = log_dirichlet(4, np.random.default_rng(seed), 3.0)
    law = of_law(log_p)
    epsilon = 0.3 * float(law.most - law.entropy)
    level = float(law.entropy) + epsilon

    def tilt(t: float) -> np.ndarray:
        return np.exp((1 - t) * log_p - np.logaddexp.reduce((1 - t) * log_p))

    t = optimize.brentq(lambda t: float(-tilt(t) @ log_p) - level, 0, 300, xtol=1e-13)
    variance = float(tilt(t) @ (log_p + level) ** 2)
    rate = t * level - np.logaddexp.reduce((1 - t) * log_p)
    smooth = math.exp(-50 * rate) / (t * math.sqrt(2 * math.pi * 50 * variance))
    assert float(bahadur_rao(law, 50, epsilon)) == pytest.approx(smooth, rel=1e-4)  # differences of step epsilon / 100


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_berry_esseen_holds(seed: int, size: int) -> None:
    log_p = log_dirichlet(3, np.random.default_rng(seed), 2.0)
    law, counts = of_law(log_p), corpus_types(3, size)
    third = float(np.exp(log_p) @ np.abs(log_p + law.entropy) ** 3)
    z = (-counted(log_p, counts) / size - law.entropy) * np.sqrt(size / law.varentropy)
    order = np.argsort(z)
    above = np.cumsum(np.exp(type_log_probs(log_p, counts))[order])
    below = above - np.exp(type_log_probs(log_p, counts))[order]
    distance = np.maximum(np.abs(above - stats.norm.cdf(z[order])), np.abs(below - stats.norm.cdf(z[order]))).max()
    assert distance <= float(berry_esseen(law.varentropy, third, size)) + 1e-12


@given(st.floats(0.1, 10), st.floats(0.1, 10), st.integers(1, 1000))
def test_berry_esseen_is_its_formula(varentropy: float, third: float, size: int) -> None:
    """0.4748 rho / (sigma^3 sqrt(N)), with the constant of Shevtsova, 2011, for equal laws."""
    expected = 0.4748 * third / (math.sqrt(varentropy) ** 3 * math.sqrt(size))
    assert float(berry_esseen(varentropy, third, size)) == pytest.approx(expected, rel=1e-12)


def test_beyond_the_rarest_string_the_tail_is_empty() -> None:
    """Its surprisal is the end of the range: 0 behind it, a positive figure well before."""
    law = of_law(np.log([0.7, 0.3]))
    end = -math.log(0.3) - law.entropy
    assert bahadur_rao(law, 10, np.array([1.1, 0.5]) * end).tolist()[0] == 0.0
    assert bahadur_rao(law, 10, 0.5 * end) > 0


def test_bad_input_is_named() -> None:
    law = of_law(np.log([0.7, 0.3]))
    with pytest.raises(ValueError, match=r"^a corpus has at least one string"):
        bahadur_rao(law, 0, 0.1)
    with pytest.raises(ValueError, match=r"^epsilon must be positive"):
        bahadur_rao(law, 1, -0.1)
    for arguments in ((0.0, 1.0, 5), (1.0, math.nan, 5), (1.0, 0.0, 5), (1.0, 1.0, 0)):
        with pytest.raises(ValueError, match=r"^Berry-Esseen needs a corpus size"):
            berry_esseen(*arguments)


def test_an_epsilon_whose_square_overflows_is_beyond_the_range() -> None:
    assert float(bahadur_rao(of_law(np.log([0.5, 0.25, 0.25])), 5, 1e300)) == 0.0
