import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gamma, zeta

from theory.adaptors import local, temperature
from theory.families import log_harmonic
from toy.endless import CRITICAL_TEMPERATURE, endless_mass, log_normaliser, masses


@pytest.mark.parametrize(
    ("heat", "closed"),
    [(1 / 2, np.pi / np.sinh(np.pi)), (1 / 3, np.pi / np.cosh(np.sqrt(3) * np.pi / 2))],
)
def test_endless_mass_has_its_closed_forms(heat, closed):
    assert endless_mass(heat) == pytest.approx(closed, abs=1e-15)


def test_endless_mass_at_a_quarter_from_the_gamma_function():
    """prod k^4 / (k^4 + 1) = |Gamma(1 + w)|^4-like: prod over the fourth roots of -1 of Gamma(1 - w)."""
    roots = np.exp(1j * np.pi * np.array([1, 3, 5, 7]) / 4)
    assert endless_mass(0.25) == pytest.approx(np.prod(gamma(1 - roots)).real, abs=1e-13)


@given(st.floats(0.05, 0.9))
def test_endless_mass_is_the_product_of_the_local_steps(heat):
    n = 3000
    rows = -np.log(np.arange(2, n + 2))[:, None] + np.stack([np.log(np.arange(1, n + 1)), np.zeros(n)], axis=-1)
    product = np.sum(local(temperature(heat), rows)[0][:, 0])
    missing = zeta(1 / heat, n + 1)  # log of what is left out lies between this and this less its square
    assert product - missing - 1e-9 <= np.log(endless_mass(heat)) <= product - missing + missing**2 + 1e-9


@given(st.floats(0.02, 1.8))
def test_log_normaliser_is_the_sum_over_lengths(heat):
    n, alpha = np.arange(100_000.0), 1 / heat
    some = np.sum(np.exp(alpha * log_harmonic(n) + alpha * np.log(2)))
    # The terms left out are between (k + 1)^-2a and k^-2a, whose sums are Hurwitz zetas.
    low, high = (some + 2**alpha * zeta(2 * alpha, len(n) + shift) for shift in (2, 1))
    found = np.exp(log_normaliser(heat) + alpha * np.log(2))
    assert low * (1 - 1e-12) <= found <= high * (1 + 1e-12)


@pytest.mark.parametrize("heat", [1e-4, 1.999, 2 - 1e-9])
def test_extreme_temperatures_stay_finite(heat):
    assert np.isfinite(log_normaliser(heat))
    assert 0 <= endless_mass(heat) <= 0.5


@pytest.mark.parametrize("heat", [1e-4, 1 / 501, 1 / 499])
def test_in_the_cold_the_likeliest_string_is_all(heat):
    assert log_normaliser(heat) == pytest.approx(-np.log(2) / heat, rel=1e-13)  # the others are 3^499 times rarer


@pytest.mark.parametrize("heat", [2.0, 5.0])
def test_the_sentence_names_the_critical_temperature(heat):
    with pytest.raises(ValueError, match=f"infinite at T = {heat:g}.*critical temperature 2"):
        log_normaliser(heat)


@pytest.mark.parametrize("heat", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("function", [endless_mass, log_normaliser])
def test_temperature_must_be_a_positive_number(function, heat):
    with pytest.raises(ValueError, match="temperature T must be a positive number"):
        function(heat)


def test_table_loses_local_mass_in_the_cold_and_the_global_law_in_the_heat():
    table = masses((0.5, 1.0, 1.5, 2.0, 3.0)).set_index("temperature")
    assert table.loc[0.5, "finite_local"] == pytest.approx(1 - np.pi / np.sinh(np.pi), abs=1e-15)
    assert (table.loc[1:, "finite_local"] == 1).all()
    hot = table.index >= CRITICAL_TEMPERATURE
    assert np.isinf(table.loc[hot, "log_z"]).all()
    assert table.loc[hot, "finite_global"].isna().all()
    assert (table.loc[~hot, "finite_global"] == 1).all()


@pytest.mark.parametrize("heat", [1e-3, 1e-10, 1e-100, 1e-300, 5e-324])
def test_in_the_cold_only_the_first_choice_is_open(heat):
    """P(end) of the first step is 1/2 at any T, and k^(1/T) has no rival from k = 2 on."""
    assert endless_mass(heat) == 0.5
