"""Tails of a corpus against rational arithmetic, other libraries' laws and enumeration; and the error they state."""

from fractions import Fraction
from math import inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from theory.automata import Automaton
from theory.claims.tan.concentration import integer_bit_models
from theory.claims.tan.rational_tails import log_rational_tails, string_counts
from theory.concentration import chernoff_bound, normal_approximation
from theory.families import geometric, integer_bit_bigram
from theory.lattice import absolute_third, of_automaton, of_law
from theory.lattice_tails import _log_beyond, atypical, excess, lattice_bahadur_rao, log_tail, saddle, totals
from theory.tail_estimates import berry_esseen
from theory.typicality import atypical_probability, chebyshev_bound, corpus_types, counted

SEEDS = st.integers(0, 2**32 - 1)
BIT = log(2)
BIGRAM = of_automaton(integer_bit_bigram())


def random_model(seed: int) -> Automaton:
    model = integer_bit_models(np.random.default_rng(seed), 3)
    return Automaton(model.log_arcs[2], model.log_stop[2])


def corpus_law(model: Automaton, size: int, top: int) -> list[Fraction]:
    """P(a corpus has k bits) for k <= top, by convolving fractions."""
    single = [Fraction(count, 2**k) for k, count in enumerate(string_counts(model, top + 1))]
    law = [Fraction(1)] + [Fraction(0)] * top
    for _ in range(size):
        law = [sum((law[i] * single[k - i] for i in range(k + 1)), Fraction(0)) for k in range(top + 1)]
    return law


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 4))
def test_both_tails_against_fractions(seed: int, size: int) -> None:
    model, top = random_model(seed), 40
    lattice, law = of_automaton(model), corpus_law(model, size, top)
    first, step = round(lattice.offset / BIT) * size, round(lattice.span / BIT)
    places = np.arange(first, top + 1, step)
    steps = (places - first) // step
    lower, upper = log_tail(lattice, size, steps, upper=False), log_tail(lattice, size, steps)
    for i, k in enumerate(places):
        below = sum(law[: k + 1])
        assert np.exp(lower.log_prob[i]) == pytest.approx(float(below), rel=lower.error[i] + 1e-15, abs=0)
        assert np.exp(upper.log_prob[i]) == pytest.approx(float(1 - below + law[k]), rel=upper.error[i] + 1e-15, abs=0)
    assert max(lower.error.max(), upper.error.max()) < 1e-9
    assert log_rational_tails(model, size, places[1:].tolist()) == pytest.approx(
        [log(1 - sum(law[:k])) for k in places[1:]], abs=1e-12
    )


def test_deep_tails_against_rational_numbers() -> None:
    bits = [450, 600, 900, 1200]
    exact = log_rational_tails(integer_bit_bigram(), 30, bits)
    assert exact[-1] < -100
    tail = log_tail(BIGRAM, 30, np.array(bits) - 60)
    assert np.all(np.abs(np.expm1(tail.log_prob - exact)) < tail.error)
    assert tail.error[:-1].max() < 1e-9
    # The last is so deep that the default length holds the tilt back; a longer law need not.
    longer = log_tail(of_automaton(integer_bit_bigram(), length=4000), 30, bits[-1] - 60)
    assert abs(np.expm1(longer.log_prob - exact[-1])) < longer.error < 1e-9


@settings(max_examples=50)
@given(st.integers(2, 9), st.floats(0.05, 0.6), st.integers(1, 300), st.floats(-0.8, 2))
def test_like_symbols_have_negative_binomial_tails(m: int, e: float, size: int, share: float) -> None:
    lattice = of_automaton(geometric(m, e), span=log(m) - np.log1p(-e))
    total = int(size * (1 - e) / e * (1 + share))
    for upper, exact in ((True, stats.nbinom.logsf(total - 1, size, e)), (False, stats.nbinom.logcdf(total, size, e))):
        tail = log_tail(lattice, size, total, upper)
        assert float(tail.log_prob) == pytest.approx(exact, abs=1e-8)  # SciPy's digits in deep tails
        assert tail.error < 1e-8


@settings(max_examples=30)
@given(st.integers(1, 12), st.floats(0.05, 3))
def test_a_finite_law_against_enumeration(size: int, epsilon: float) -> None:
    log_p = np.log([0.5, 0.125, 0.125, 0.25])
    lattice, counts = of_law(log_p), corpus_types(4, size)
    information = -counted(log_p, counts) / size
    exact = float(
        atypical_probability(log_p, counts, information, lattice.law.entropy, np.asarray(epsilon * BIT - 1e-12))
    )
    tail = atypical(lattice, size, epsilon * BIT)
    assert float(np.exp(tail.log_prob)) == pytest.approx(exact, rel=1e-11, abs=0)  # log-factorials of 12
    assert tail.error < 1e-10


def test_ends_of_the_range() -> None:
    lattice = of_law(np.log([0.5, 0.25, 0.25]))
    for total, upper, log_prob in (
        (10, True, 10 * log(0.5)),
        (11, True, -inf),
        (0, True, 0.0),
        (0, False, 10 * log(0.5)),
        (-1, False, -inf),
        (10, False, 0.0),
    ):
        tail = log_tail(lattice, 10, total, upper)
        assert float(tail.log_prob) == pytest.approx(log_prob, abs=1e-12)
        assert tail.error < 1e-11
    assert log_tail(BIGRAM, 5, -1, upper=False).log_prob == -inf
    assert log_tail(BIGRAM, 5, 0).log_prob == pytest.approx(0.0, abs=1e-12)


def test_any_tilt_gives_the_same_tail_until_it_loses_it() -> None:
    total = 1034 - 200
    best, other, flat = (log_tail(BIGRAM, 100, total, tilt=tilt) for tilt in (None, 0.06, 0.0))
    assert abs(best.log_prob - other.log_prob) < best.error + other.error
    assert abs(np.expm1(flat.log_prob - best.log_prob)) < flat.error
    deeper = total + 600
    exact, lost = log_tail(BIGRAM, 100, deeper), log_tail(BIGRAM, 100, deeper, tilt=0.0)
    assert exact.error < 1e-9
    assert lost.error == inf  # the probability is 1e-29: less than the rounding of a transform of ones
    assert not abs(lost.log_prob - exact.log_prob) < 1


@settings(max_examples=50)
@given(st.integers(25, 120), st.integers(1, 30), st.floats(0.5, 3))
def test_a_law_cut_too_short_says_so(length: int, size: int, scale: float) -> None:
    short = of_automaton(integer_bit_bigram(), length=length)
    _, above = totals(BIGRAM, size, scale * np.sqrt(BIGRAM.law.varentropy / size))
    exact, tail = log_tail(BIGRAM, size, above), log_tail(short, size, above)
    assert not abs(np.expm1(exact.log_prob - tail.log_prob)) > tail.error + exact.error
    if length < 30:
        assert tail.error > 1e-3


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 200), st.floats(0.01, 6))
def test_tails_begin_at_the_nearest_sums_outside(seed: int, size: int, epsilon: float) -> None:
    lattice = of_automaton(random_model(seed), length=60)
    below, above = totals(lattice, size, epsilon)
    rounding = 1e-7 / size
    assert excess(lattice, size, below) <= -epsilon + rounding < excess(lattice, size, below + 1) + 2 * rounding
    assert excess(lattice, size, above - 1) - 2 * rounding < epsilon - rounding <= excess(lattice, size, above)


def test_a_sum_on_the_boundary_is_outside() -> None:
    epsilon = 2 * BIT  # 6 (H + 2) = 50 and 6 (H - 2) = 26 bits, of which 12 are the offset
    assert [int(total) for total in totals(BIGRAM, 6, epsilon)] == [14, 38]


def test_figures_of_our_audit() -> None:
    """Both tails at 4 bits: exact, Bahadur-Rao, Chernoff, Chebyshev, normal, Berry-Esseen's radius for two sides."""
    printed = {
        40: ("3.61e-05", "3.86e-05", "4.7e-04", "4.3e-02", "1.6e-06", "3.7e-01"),
        100: ("2.44e-10", "2.51e-10", "4.8e-09", "1.7e-02", "3.2e-14"),
    }
    law, epsilon = BIGRAM.law, 4 * BIT
    for size, figures in printed.items():
        ours = (
            np.exp(atypical(BIGRAM, size, epsilon).log_prob),
            lattice_bahadur_rao(BIGRAM, size, epsilon),
            chernoff_bound(law, size, epsilon),
            chebyshev_bound(law.varentropy, size, epsilon),
            normal_approximation(law.varentropy, size, epsilon),
            2 * berry_esseen(law.varentropy, absolute_third(BIGRAM), size),
        )
        for text, figure in zip(figures, ours, strict=False):
            assert f"{float(figure):.{text.index('e') - 2}e}" == text


def test_bahadur_and_rao_for_both_tails() -> None:
    for epsilon in (1.0 * BIT, 2.0 * BIT, 4.0 * BIT):
        pairs = [(lattice_bahadur_rao(BIGRAM, n, epsilon), atypical(BIGRAM, n, epsilon)) for n in (300, 1200)]
        errors = [float(np.expm1(np.log(estimate) - tail.log_prob)) for estimate, tail in pairs]
        assert errors[1] == pytest.approx(errors[0] / 4, rel=0.25)
    size, epsilon = 600, 3 * BIT
    below, _ = totals(BIGRAM, size, epsilon)
    two_sided, upper = lattice_bahadur_rao(BIGRAM, size, epsilon), atypical(BIGRAM, size, epsilon)
    assert float(log_tail(BIGRAM, size, below, upper=False).log_prob) < -150
    assert float(np.log(two_sided)) == pytest.approx(float(upper.log_prob), abs=0.05)
    finite = of_law(np.log([0.5, 0.25, 0.25]))
    assert lattice_bahadur_rao(finite, 50, 0.6 * BIT) == 0  # beyond both ends of its range, 1 and 2 bits
    assert lattice_bahadur_rao(finite, 50, np.array([0.2, 0.6]) * BIT)[0] > 0


def test_the_saddle_puts_the_mean_at_the_sum() -> None:
    steps, width = np.arange(BIGRAM.log_mass.size), 40 * 2.0**-16  # what 16 halvings leave
    for goals, upper in (
        (np.array([[50, 60, 70], [80, 90, 100]]), True),
        (np.array([5, 20]), False),
        (np.array(9), False),
    ):
        tilt = saddle(BIGRAM, 10, goals, upper)
        assert tilt.shape == goals.shape
        for t, goal in zip(tilt.ravel(), goals.ravel(), strict=True):
            means = []
            for side in (t - width, t + width):
                mass = np.exp(BIGRAM.log_mass + side * steps)
                means.append(10 * (mass @ steps) / mass.sum())
            assert means[0] <= goal <= means[1]


def test_steep_tilts_of_a_long_law_neither_overflow_nor_hide_gentle_ones() -> None:
    long = of_law(-BIT * np.array([*range(1, 31), 30.0]))
    goals = np.array([10 * 29, 20, 11])  # the last possible sum, some way out, and near the mean
    together = saddle(long, 10, goals, True)
    np.testing.assert_array_equal(together, [saddle(long, 10, goal, True) for goal in goals])
    assert together[0] > 30 > 1 > together[1] > together[2] > 0


def test_chernoff_bounds_what_lies_beyond_and_is_not_far_off() -> None:
    t, steps = np.array([0.0, 0.08]), np.arange(BIGRAM.log_mass.size)
    mass = np.exp(BIGRAM.log_mass + t[:, None] * steps)
    log_m = np.log(mass.sum(axis=-1))
    for size in (1, 2, 3):
        laws = []
        for row in mass / mass.sum(axis=-1, keepdims=True):
            law = np.ones(1)
            for _ in range(size):
                law = np.convolve(law, row)
            laws.append(law)
        for least in (60, 120):
            exact = np.log([law[least:].sum() for law in laws])
            bound = _log_beyond(BIGRAM, size, t, least, log_m)
            assert np.all(exact <= bound)
            # Chernoff's exponent is convex and 0 where nothing is tilted further: as each of the tilts tried is half
            # the one before, one of them has half the best exponent or more.
            further = t[:, None] + np.linspace(0, 0.9, 1000) * (BIGRAM.end - t)[:, None]
            log_moment = np.array([[np.logaddexp.reduce(BIGRAM.log_mass + f * steps) for f in row] for row in further])
            exponent = size * (log_moment - log_m[:, None]) - (further - t[:, None]) * least
            assert np.all(bound <= exponent.min(axis=-1) / 2 + 1e-6)  # what lies beyond K is e^-19 of the sums


def test_one_possible_sum() -> None:
    single = of_law(np.log([0.25] * 4))
    for upper in (True, False):
        tail = log_tail(single, 3, 0, upper)
        assert float(tail.log_prob) == pytest.approx(0.0, abs=1e-13)
        assert tail.error < 1e-12
    assert log_tail(single, 3, 1).log_prob == -inf


def test_tails_have_the_shape_of_their_sums() -> None:
    totals_ = np.array([[50, 60, 70], [80, 90, 400]])
    tail = log_tail(BIGRAM, 10, totals_)
    assert tail.log_prob.shape == tail.error.shape == (2, 3)
    for place in np.ndindex(2, 3):
        alone = log_tail(BIGRAM, 10, totals_[place])
        assert alone.log_prob.shape == alone.error.shape == ()
        assert abs(alone.log_prob - tail.log_prob[place]) <= alone.error + tail.error[place]
    flat, best = log_tail(BIGRAM, 10, 20, upper=False, tilt=0.0), log_tail(BIGRAM, 10, 20, upper=False)
    assert abs(flat.log_prob - best.log_prob) <= flat.error + best.error
    assert all(total.dtype == np.int64 for total in totals(BIGRAM, 10, np.array([0.5, 1.0])))


def test_bahadur_and_rao_near_the_ends_of_a_range() -> None:
    finite = of_law(np.log([0.5, 0.25, 0.25]))  # from 1 to 2 bits, 1.5 on average
    exact = np.exp(atypical(finite, 50, 0.35 * BIT).log_prob)
    assert lattice_bahadur_rao(finite, 50, 0.35 * BIT) == pytest.approx(exact, rel=0.3)
    assert lattice_bahadur_rao(finite, 1000, 0.48 * BIT) > 0
    assert lattice_bahadur_rao(finite, 1000, 0.49 * BIT) == 0  # of half a bit on either side


def test_bad_input_is_named() -> None:
    for size, epsilon in ((0, 1.0), (5, 0.0), (5, np.nan)):
        with pytest.raises(ValueError, match=r"^a tail needs a corpus size >= 1 and epsilon > 0\.$"):
            totals(BIGRAM, size, epsilon)
    with pytest.raises(ValueError, match="at least one string"):
        log_tail(BIGRAM, 0, 5)
    for tilt, upper in ((-0.1, True), (0.1, False), (BIGRAM.end, True)):
        with pytest.raises(
            ValueError,
            match=r"^the tilt of an upper tail lies in \[0, end of the range\), that of a lower one is at most 0\.$",
        ):
            log_tail(BIGRAM, 5, 5, upper, tilt)


@pytest.mark.parametrize("total", [-(2**70), np.int64(-(2**63)), 2**53, np.nan])
def test_totals_that_are_no_sums_are_refused(total) -> None:
    with pytest.raises(ValueError, match=r"^total must hold sums of steps, integers below 2\^53\.$"):
        log_tail(BIGRAM, 5, total)


def test_more_sums_than_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^1 tails of 67108864 sums each are too many to hold"):
        log_tail(BIGRAM, 5, 2**25 + 1)
    with pytest.raises(ValueError, match=r"^8192 tails of 8192 sums each are too many to hold"):
        log_tail(of_law(np.log([0.5, 0.25, 0.25])), 5, np.arange(2**13))
