"""Typical corpora against enumeration of every ordered corpus."""

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from theory.information import entropy, varentropy
from theory.language_models import log_dirichlet
from theory.typicality import (
    atypical_probability,
    chebyshev_bound,
    corpus_size,
    corpus_types,
    counted,
    is_typical,
    mean_information,
    trade_off_constant,
    type_log_probs,
)

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 4), st.integers(1, 5), st.floats(0.05, 3), st.floats(0, 3))
def test_exact_probability_is_that_of_all_ordered_corpora(
    seed: int, n_strings: int, size: int, epsilon: float, centre: float
) -> None:
    log_q = log_dirichlet(n_strings, np.random.default_rng(seed))
    counts = corpus_types(n_strings, size)
    exact = atypical_probability(log_q, counts, -counted(log_q, counts) / size, np.asarray(centre), np.asarray(epsilon))
    corpora = np.array(list(product(range(n_strings), repeat=size)))
    information = mean_information(log_q[corpora])
    typical = is_typical(information, centre, epsilon)
    margin = np.abs(np.abs(information - centre) - epsilon)
    if margin.min() > 1e-9:  # on the border the two orders of summation may fall on either side
        assert exact == pytest.approx(np.exp(log_q[corpora].sum(-1))[~typical].sum(), abs=1e-12)


@given(SEEDS, st.integers(1, 4), st.integers(1, 30))
def test_types_are_all_compositions_with_their_multinomial_law(seed: int, n_strings: int, size: int) -> None:
    log_q = log_dirichlet(n_strings, np.random.default_rng(seed), batch=(2,))
    counts = corpus_types(n_strings, size)
    assert len({tuple(row) for row in counts.tolist()}) == len(counts) == comb(size + n_strings - 1, n_strings - 1)
    assert np.all(counts >= 0)
    assert np.all(counts.sum(-1) == size)
    log_probs = type_log_probs(log_q, counts)
    for law, row in zip(np.exp(log_q), log_probs, strict=True):
        np.testing.assert_allclose(
            np.exp(row), stats.multinomial.pmf(counts, size, law / law.sum()), rtol=1e-10, atol=1e-300
        )  # log-factorials of 30 round to 1e-14, times 30 draws
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=1e-11)


def test_a_string_without_mass_has_no_part_in_a_corpus() -> None:
    log_q = np.array([np.log(0.5), np.log(0.5), -np.inf])
    counts = corpus_types(3, 2)
    log_probs = type_log_probs(log_q, counts)
    assert np.exp(log_probs).sum() == pytest.approx(1)
    assert np.all(log_probs[counts[:, 2] > 0] == -np.inf)


@given(SEEDS, st.integers(2, 4), st.integers(1, 15), st.floats(0.05, 3))
def test_chebyshev_holds_exactly(seed: int, n_strings: int, size: int, epsilon: float) -> None:
    log_q = log_dirichlet(n_strings, np.random.default_rng(seed))
    counts = corpus_types(n_strings, size)
    exact = atypical_probability(log_q, counts, -counted(log_q, counts) / size, entropy(log_q), np.asarray(epsilon))
    assert exact <= chebyshev_bound(varentropy(log_q), size, epsilon) + 1e-11  # rounding of the exact law


@given(st.floats(0, 100), st.floats(0.01, 10), st.floats(0.001, 1))
def test_corpus_size_is_the_least_that_the_bound_allows(variance: float, epsilon: float, delta: float) -> None:
    size = corpus_size(variance, epsilon, delta)
    assert chebyshev_bound(variance, size, epsilon) <= delta * (1 + 1e-14)  # one rounding of the quotient
    assert size == 1 or variance / ((size - 1) * epsilon**2) > delta


def test_typical_set_is_open_and_the_constant_is_log_z_minus_entropy() -> None:
    assert is_typical(np.array([0.5, 1.0, 1.5]), 1.0, 0.5).tolist() == [False, True, False]
    assert trade_off_constant(np.asarray(0.3), np.asarray(1.0)) == pytest.approx(-0.7)
    assert mean_information(np.log([[0.5, 0.25]]))[0] == pytest.approx(1.5 * np.log(2))


def test_batches_keep_their_rows_apart() -> None:
    log_q = log_dirichlet(3, np.random.default_rng(0), batch=(2, 4))
    np.testing.assert_allclose(mean_information(log_q), -log_q.sum(axis=-1) / 3, rtol=1e-14)
    counts = corpus_types(3, 5)
    assert counts.dtype == np.int64
    statistic, centre = -counted(log_q, counts) / 5, entropy(log_q)
    found = atypical_probability(log_q, counts, statistic, centre, np.full((2, 4), 0.3))
    for row in np.ndindex(2, 4):
        alone = atypical_probability(log_q[row], counts, statistic[row], centre[row], np.asarray(0.3))
        assert found[row] == pytest.approx(alone, rel=1e-12)


def test_a_corpus_on_the_border_is_not_typical() -> None:
    """A fair coin thrown twice: the share of heads is 0, 1/2 or 1, and 1/2 away from 1/2 counts as outside."""
    counts = corpus_types(2, 2)
    outside = atypical_probability(np.log([0.5, 0.5]), counts, counts[:, 0] / 2, np.asarray(0.5), np.asarray(0.5))
    assert outside == pytest.approx(0.5, rel=1e-14)


def test_no_bound_on_a_probability_exceeds_one() -> None:
    assert chebyshev_bound(np.array([0.5, 10.0]), 1, 1.0).tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mean_information(np.array([0.0, -np.inf])), "log_q holds NaN or an infinity"),
        (lambda: mean_information(np.array([0.0, np.nan])), "log_q holds NaN or an infinity"),
        (lambda: is_typical(np.array([1.0]), 1.0, 0.0), "epsilon must be positive and finite, not 0.0"),
        (lambda: chebyshev_bound(1.0, 10, -1.0), "epsilon must be positive and finite, not -1.0"),
        (lambda: chebyshev_bound(1.0, 0, 1.0), "size must"),
        (lambda: chebyshev_bound(-1.0, 1, 1.0), "varentropy must be a finite number >= 0: Chebyshev"),
        (lambda: chebyshev_bound(np.nan, 1, 1.0), "varentropy must"),
        (lambda: corpus_size(1.0, np.nan, 0.1), "epsilon must"),
        (lambda: corpus_size(1.0, 1.0, 0.0), "delta must"),
        (lambda: corpus_size(np.inf, 1.0, 0.5), "varentropy must"),
        (lambda: corpus_size(1.0, 1e-200, 0.5), "no float holds the size that epsilon = 1e-200 and delta = 0.5 need"),
        (lambda: corpus_size(1e308, 1e-3, 0.5), "no float holds"),
        (lambda: type_log_probs(np.log([0.5, 0.5]), np.array([[-1, 2]])), "counts must lie between 0 and 2"),
        (lambda: type_log_probs(np.log([0.5, 0.5]), np.array([[0, 2**53 + 1]])), "counts must lie between 0 and 2"),
        (lambda: corpus_types(0, 1), "n_strings must"),
        (lambda: corpus_types(2, 0), "size must"),
        (lambda: type_log_probs(np.array([np.nan, 0.0]), corpus_types(2, 1)), "log_q contains"),
    ],
)
def test_bad_input_is_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


def test_floats_that_overflow_or_underflow_leave_a_bound() -> None:
    assert corpus_size(1.0, 1e300, 0.5) == 1
    assert corpus_size(1.0, 1e-110, 0.5) == pytest.approx(2e220, rel=1e-14)  # the cube of epsilon is no float
    assert float(chebyshev_bound(0.0, 1, 1e-200)) == 0.0
    assert float(chebyshev_bound(1.0, 1, 1e-200)) == 1.0
    assert np.isfinite(type_log_probs(np.log([0.5, 0.5]), np.array([[0, 2**53]]))).all()
