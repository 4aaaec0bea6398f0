"""The claim on the exact tail and its estimates stands, and falls when the code it proves is broken."""

import numpy as np
import pytest

from theory import concentration as rates
from theory import lattice_tails, tail_estimates
from theory.automata import Automaton, expected_length
from theory.claims.tan import concentration
from theory.claims.tan.rational_tails import log_rational_tails, string_counts
from theory.families import integer_bit_bigram
from theory.ledger import REGISTRY, verify

NAME = "new.concentration"


def test_claim_stands() -> None:
    entry = verify(REGISTRY[NAME], seed=3)
    assert entry.faults() == []
    assert len(entry.controls) == 8
    assert sum(check.instances >= 1000 for check in entry.checks) == len(entry.checks) - 1 == 9


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    smaller = {"MODELS": 3, "EPSILONS": 10, "SIZES": (40, 640), "SHARP_SIZES": (60, 960), "SMALL_SIZES": (6,)}
    for name, value in smaller.items():
        monkeypatch.setattr(concentration, name, value)


def faults() -> str:
    return "; ".join(verify(REGISTRY[NAME]).faults())


@pytest.mark.usefixtures("few")
class TestBrokenCode:
    def test_sound_code_on_few_instances(self) -> None:
        assert "check failed" not in faults()

    def test_rates_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        right = rates._supremum
        monkeypatch.setattr(rates, "_supremum", lambda *arguments: 1.2 * right(*arguments))
        assert "Chernoff's bound" in faults()

    def test_half_of_the_variance(self, monkeypatch: pytest.MonkeyPatch) -> None:
        right = concentration.chebyshev_bound
        broken = lambda varentropy, size, epsilon: right(varentropy / 20, size, epsilon)  # noqa: E731
        monkeypatch.setattr(concentration, "chebyshev_bound", broken)
        assert "Chebyshev's bound" in faults()

    def test_no_lattice(self, monkeypatch: pytest.MonkeyPatch) -> None:
        right = concentration.bahadur_rao
        monkeypatch.setattr(concentration, "bahadur_rao", lambda law, size, epsilon, span: right(law, size, epsilon))
        assert "Bahadur and Rao's" in faults()

    def test_a_smaller_constant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tail_estimates, "SHEVTSOVA", 0.02)
        assert "Berry-Esseen's radius" in faults()

    def test_a_heavier_normal_law(self, monkeypatch: pytest.MonkeyPatch) -> None:
        right = concentration.normal_approximation
        broken = lambda varentropy, size, epsilon: right(2 * varentropy, size, epsilon)  # noqa: E731
        monkeypatch.setattr(concentration, "normal_approximation", broken)
        assert "normal tail" in faults()

    def test_an_error_understated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        right = lattice_tails.log_tail

        def broken(*arguments, **options):
            tail = right(*arguments, **options)
            return lattice_tails.Tail(tail.log_prob + 1e-6, tail.error)

        monkeypatch.setattr(concentration, "log_tail", broken)
        assert "relative error of the exact tail" in faults()


def test_models_are_dyadic_and_differ() -> None:
    models = concentration.integer_bit_models(np.random.default_rng(0), 40)
    assert isinstance(models, Automaton)
    assert models.log_stop.min() >= -3 * np.log(2) - 1e-9
    bits = -models.log_outcomes / np.log(2)
    assert np.all(np.isfinite(bits[1:]).sum(axis=-1) == 4)
    live = bits[np.isfinite(bits)]
    np.testing.assert_allclose(live, np.rint(live), atol=1e-12)
    assert live.min() >= 1
    assert len({tuple(row.ravel().round(9)) for row in bits}) > 30
    assert expected_length(models).max() <= 7 + 1e-9


def test_counts_of_the_bigram() -> None:
    # Two bits: the end at once; three: a; four: aa, b; five: aaa, ab, and b followed by b: 3.
    assert string_counts(integer_bit_bigram(), 6) == [0, 0, 1, 1, 2, 3]
    assert log_rational_tails(integer_bit_bigram(), 1, [3]) == pytest.approx([np.log(3 / 4)], abs=1e-15)
