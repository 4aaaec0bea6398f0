"""Every p-value by listing all outcomes of small samples, P(p <= a) <= a; slips that are made there are seen."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from tests.statistical import p_values

ROUNDING = 1e-9
VALUES = np.array([0.0, 0.3, 1.0])
LAWS = [np.array([0.7, 0.2, 0.1]), np.array([0.05, 0.05, 0.9]), np.array([0.45, 0.1, 0.45]), np.full(3, 1 / 3)]
DRAWS = (2, 5, 14)


def excess(p, mass):
    """The greatest P(p <= a) / a over the values a that p takes: above 1, the size is not what it says."""
    p, mass = np.ravel(p), np.ravel(mass)
    order = np.argsort(p)
    p, total = p[order], np.cumsum(mass[order])
    last = np.append(np.diff(p) > 1e-12 * p[1:], True) & (p < 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.max(np.where(total[last] > ROUNDING**2, total[last] / p[last], 0), initial=0)


def outcomes(n):
    """All counts of n draws on three cells."""
    return np.array([(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)])


def binomial_excess(test):
    """Over all outcomes, for claims [low, high] and truths within them."""
    worst = 0.0
    for n in (1, 4, 11, 60):
        hits = np.arange(n + 1)
        for low, high in ((0.3, 0.3), (0.01, 0.01), (0.5, 0.5), (0, 0.2), (0.8, 1), (0.4, 0.6), (0.95, 0.95)):
            for truth in np.linspace(low, high, 5):
                worst = max(worst, excess(test(hits, n, low, high), stats.binom.pmf(hits, n, truth)))
    return worst


def one_sided(hits, of, low, high):
    return np.minimum(stats.binom.cdf(hits, of, low), stats.binom.sf(hits - 1, of, high))


def beyond(hits, of, low, high):
    """The tail without the outcome itself."""
    return 2 * np.minimum(stats.binom.cdf(hits - 1, of, low), stats.binom.sf(hits, of, high))


def by_limit(hits, of, low, high):
    """Wald: the normal limit, its deviation estimated."""
    error = np.sqrt(np.maximum(hits * (of - hits) / of, 1e-12)) / of
    return 2 * stats.norm.sf(np.maximum(low - hits / of, hits / of - high) / error).clip(0, 0.5)


def test_binomial():
    assert binomial_excess(p_values.binomial) <= 1 + ROUNDING
    for slip in (one_sided, beyond, by_limit, lambda *given: p_values.binomial(*given) / 2):
        assert binomial_excess(slip) > 1.05


def test_binomial_is_clopper_and_pearsons():
    found = stats.binomtest(37, 90).proportion_ci(0.99, "exact")
    for end in (found.low, found.high):
        assert p_values.binomial(37, 90, end) == pytest.approx(0.01, rel=1e-6)  # a root that was searched for
    assert p_values.binomial(0, 90, 0) == p_values.binomial(90, 90, 1) == 1
    assert p_values.binomial(1, 90, 0) == p_values.binomial(89, 90, 1) == 0


def worst_of(judge, draws=DRAWS, laws=LAWS):
    """Over all counts of several laws; judge: counts, law -> p."""
    found = 0.0
    for law in laws:
        for n in draws:
            every = outcomes(n)
            found = max(found, excess([judge(c, law) for c in every], stats.multinomial.pmf(every, n, law)))
    return found


def test_cells_with_the_union_bound():
    """Three cells at a third of the size each; each at the whole size is a slip."""
    assert worst_of(lambda c, law: min(1, 3 * p_values.cells(c, law).min())) <= 1 + ROUNDING
    assert worst_of(lambda c, law: p_values.cells(c, law).min()) > 1.05
    np.testing.assert_array_equal(p_values.cells([5, 0], [1.0, 0.0]), 1)
    assert p_values.cells([5, 1], [1.0, 0.0]).min() == 0


def test_mixture():
    """The size is no more than Markov's; a law with all its mass on some cells leaves the others nothing."""
    assert worst_of(p_values.mixture) <= 1 + ROUNDING
    # Planted: the best of all laws instead of their mean.
    best = lambda c, law: 1 / np.exp((c * np.log(np.maximum(c, 1e-300) / c.sum() / law)).sum())  # noqa: E731
    assert worst_of(best) > 1.05
    assert p_values.mixture([3, 1], [1.0, 0.0]) == 0
    assert p_values.mixture([3, 0], [1.0, 0.0]) == 1
    rng = np.random.default_rng(0)
    far = rng.multinomial(1000, [0.2, 0.3, 0.5])
    assert p_values.mixture(far, [0.3, 0.3, 0.4]) < 1e-9 < 1e-3 < p_values.mixture(far, [0.2, 0.3, 0.5])


@pytest.mark.parametrize("off", [0.0, 0.02])
def test_a_law_that_errs_is_forgiven_its_error_and_no_more(off):
    """The truth is moved by 2 % within the claim's error, which a claim without error is not forgiven."""
    law = np.array([0.5, 0.3, 0.2])
    truth = law * [1.02, 0.98, 0.98]
    truth[1] += 1 - truth.sum()
    every = outcomes(14)
    for judge in (p_values.cells, p_values.mixture):
        p = np.array([np.min(judge(c, law, off)) * (3 if judge is p_values.cells else 1) for c in every])
        size = excess(np.minimum(p, 1), stats.multinomial.pmf(every, 14, truth))
        assert size <= 1 + ROUNDING or off == 0
    many = (20_000 * np.array([0.55, 0.25, 0.2])).astype(int)
    assert p_values.cells(many, law, 0.02).min() < 1e-9


def repeated(counts):
    return np.repeat(VALUES, counts)


@pytest.mark.parametrize(
    "judge",
    [
        lambda x, law: p_values.bounded(x, 0, 1, law @ VALUES),
        lambda x, law: p_values.bennett(
            x, max(law @ VALUES, 1 - law @ VALUES), law @ VALUES**2 - (law @ VALUES) ** 2, law @ VALUES
        ),
        lambda x, law: p_values.bernstein(x, 0, 1, law @ VALUES),
    ],
    ids=["bounded", "bennett", "bernstein"],
)
def test_means(judge):
    assert worst_of(lambda c, law: judge(repeated(c), law)) <= 1 + ROUNDING


def test_a_mean_by_the_normal_limit_or_half_the_exponent_would_be_seen():
    def student(x, law):
        error = max(x.std(ddof=1), 1e-12) / np.sqrt(len(x))
        return 2 * stats.norm.sf(abs(x.mean() - law @ VALUES) / error)

    assert worst_of(lambda c, law: student(repeated(c), law)) > 1.05
    halved = lambda c, law: p_values.bounded(repeated(c), 0, 1, law @ VALUES) ** 2  # noqa: E731
    assert worst_of(halved) > 1.05


def test_means_have_power():
    """4,000 values: all three see a mean that is off by a twentieth, and accept the right one."""
    x = np.random.default_rng(0).choice(VALUES, 4000, p=LAWS[0])
    mean, variance = LAWS[0] @ VALUES, LAWS[0] @ VALUES**2 - (LAWS[0] @ VALUES) ** 2
    for test in (
        lambda mu: p_values.bounded(x, 0, 1, mu),
        lambda mu: p_values.bennett(x, 1.1, variance, mu),
        lambda mu: p_values.bernstein(x, 0, 1, mu),
    ):
        assert test(mean + 0.05) < 1e-6 < 1e-2 < test(mean)


@pytest.mark.parametrize(
    "call",
    [
        lambda: p_values.bounded([0, 2.0], 0, 1, 0.5),
        lambda: p_values.bennett([0, 2.0], 1, 1, 0.5),
        lambda: p_values.bernstein([-0.1, 0.5], 0, 1, 0.5),
    ],
)
def test_a_value_that_cannot_be_refutes_the_claim(call):
    assert call() == 0


@pytest.mark.parametrize("n", [3, 20, 400])
def test_distribution(n):
    """Against the exact law of Kolmogorov's statistic; with 2 n twice as large it would be above its size."""
    x = np.random.default_rng(n).random(n)
    gap = stats.kstest(x, "uniform").statistic
    assert p_values.distribution(x, stats.uniform.cdf) == pytest.approx(min(1, 2 * np.exp(-2 * n * gap**2)))
    gaps = np.linspace(0.01, 0.9, 60)
    exact = stats.kstwo.sf(gaps, n)
    assert np.all(exact <= np.minimum(1, 2 * np.exp(-2 * n * gaps**2)) + ROUNDING)
    assert np.any(exact > np.minimum(1, 2 * np.exp(-4 * n * gaps**2)) + 1e-3)


@pytest.mark.parametrize("sizes", [(4, 4), (3, 7), (6, 6)])
def test_one_distribution(sizes):
    """All ways in which two samples of one law can lie among each other are equally likely."""
    n, m = sizes
    places = np.arange(n + m)
    found = [p_values.one_distribution(places[list(x)], np.delete(places, x)) for x in combinations(places, n)]
    assert excess(found, np.full(len(found), 1 / len(found))) <= 1 + ROUNDING
    rng = np.random.default_rng(0)
    assert p_values.one_distribution(rng.random(4000), rng.random(3000) ** 1.3) < 1e-8
    assert p_values.one_distribution(rng.random(4000), rng.random(3000)) > 1e-2


def test_normal():
    assert p_values.normal(1 + 2 * 1.959963985, 1, 2) == pytest.approx(0.05, rel=1e-8)
    assert p_values.normal(-4, 1, 2) == p_values.normal(6, 1, 2)
