import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from theory.arrays import normalised
from theory.information import cross_entropy, entropy, kl, renyi_entropy, varentropy

INF = float("inf")
WEIGHTS = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1e-300, 0.5]))
# One more weight than tokens needed, so that no row is empty.
ROWS = st.lists(WEIGHTS, min_size=1, max_size=7).map(lambda weights: np.array([1.0, *weights]) / (1.0 + sum(weights)))
# 8 terms below 700 * 1e-300 or 1 nat each: a few roundings.
TIGHT = {"rel": 1e-12, "abs": 1e-12}


def log(p: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(p)


@given(ROWS)
def test_entropy_agrees_with_scipy(p):
    assert entropy(log(p)) == pytest.approx(scipy.stats.entropy(p), **TIGHT)


@given(ROWS, st.integers(0, 2**32))
def test_relative_entropy_agrees_with_scipy(p, seed):
    q = np.random.default_rng(seed).dirichlet(np.ones(p.size))
    assume(q.min() > 0)
    assert kl(log(p), log(q)) == pytest.approx(scipy.special.rel_entr(p, q).sum(), **TIGHT)
    assert cross_entropy(log(p), log(q)) == pytest.approx(kl(log(p), log(q)) + entropy(log(p)), **TIGHT)
    assert kl(log(p), log(p)) == 0


def test_divergences_are_infinite_off_the_support_even_behind_an_underflow():
    outside = np.array([0.0, -INF])
    for log_pi in (np.log([0.5, 0.5]), np.array([0.0, -1000.0])):
        assert kl(log_pi, outside) == INF
        assert cross_entropy(log_pi, outside) == INF
    assert kl(outside, np.log([0.5, 0.5])) == pytest.approx(np.log(2))


@given(ROWS, st.floats(0.05, 20))
def test_renyi_entropy_is_its_definition(p, alpha):
    assume(abs(alpha - 1) > 1e-3)
    positive = p[p > 0]
    assert renyi_entropy(log(p), alpha) == pytest.approx(
        # Dividing by 1 - alpha magnifies the rounding of the logarithm a thousandfold.
        np.log((positive**alpha).sum()) / (1 - alpha),
        rel=1e-10,
        abs=1e-10,
    )


@given(ROWS)
def test_renyi_entropy_falls_with_its_order_between_its_limits(p):
    orders = (0, 0.5, 1, 2, 10, INF)
    values = [float(renyi_entropy(log(p), order)) for order in orders]
    assert np.all(np.diff(values) <= 1e-12)
    assert values[0] == pytest.approx(np.log(np.count_nonzero(p)), **TIGHT)
    assert values[-1] == pytest.approx(-np.log(p.max()), **TIGHT)
    assert values[2] == entropy(log(p))


def test_renyi_entropy_leaves_the_shannon_entropy_at_half_the_varentropy():
    log_p = np.log([0.5, 0.3, 0.15, 0.05])
    h = 1e-4
    slope = (renyi_entropy(log_p, 1 + h) - renyi_entropy(log_p, 1 - h)) / (2 * h)
    # Central differences err by h^2 times the third derivative, and rounding by 1e-16 / h^2.
    assert slope == pytest.approx(-varentropy(log_p) / 2, abs=1e-6)


@given(ROWS)
def test_varentropy_is_the_variance_of_the_information(p):
    surprise = -log(p[p > 0])
    mean = np.average(surprise, weights=p[p > 0])
    assert varentropy(log(p)) == pytest.approx(np.average((surprise - mean) ** 2, weights=p[p > 0]), **TIGHT)


@pytest.mark.parametrize("alpha", [-0.1, np.nan, -INF])
def test_renyi_entropy_names_a_bad_order(alpha):
    with pytest.raises(ValueError, match="alpha"):
        renyi_entropy(np.log([0.5, 0.5]), alpha)


def test_measures_broadcast_a_single_model_over_a_batch():
    batch = normalised(np.arange(6.0).reshape(2, 3))
    one = np.log([0.2, 0.3, 0.5])
    assert kl(batch, one).shape == kl(one, batch).shape == cross_entropy(one, batch).shape == (2,)
