"""The cells of the phase diagrams against laws that are known, and their input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.toy.promised import columns_of
from theory.covariance import between_and_within, covariance, reversal_size, reversal_threshold
from theory.language_models import log_dirichlet
from toy.phase_diagrams import equal_variances, over_schemes, over_selections, over_worlds, tilted_schemes

SEEDS = st.integers(0, 2**32 - 1)


def generator(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def near(cells):
    """Units of 7 standard errors (Student's t with 9 degrees: 3e-5 beyond) + .03 for the bias of few corpora."""
    error = (cells["high"] - cells["low"]) / (2 * 1.96)
    return ((cells["value"] - cells["predicted"]).abs() / (7 * error + 0.03)).max()


@given(SEEDS, st.floats(-0.9, 1.0))
def test_equal_variances_and_the_asked_correlation(seed, rho):
    rng = np.random.default_rng(seed)
    log_p = log_dirichlet(30, rng, 1.0)
    x, r = equal_variances(log_p, rho, rng)
    parts = covariance(log_p, x, r)
    assert parts.correlation == pytest.approx(rho, abs=1e-9)
    assert parts.x == pytest.approx(float(parts.r), rel=1e-9)
    assert np.ptp(x + r - log_p) < 1e-9  # p e^r is p_+ but for a constant
    assert np.exp(x).sum() == pytest.approx(1, abs=1e-12)


def test_worlds_agree_with_the_gamma_limit():
    cells = over_worlds(np.array([1 / 42, 0.2]), np.array([0.1, 1.0, 2.5]), 10, generator(), corpora=500)
    assert list(cells) == columns_of("toy_reversal_worlds")
    assert len(cells) == 2 * 3 * 3
    clear = cells[cells["predicted"].abs() > 0.2]
    assert len(clear) > 8
    assert (np.sign(clear["value"]) == np.sign(clear["predicted"])).all()
    assert (cells["low"] < cells["high"]).all()


def test_selections_agree_with_the_truncated_normal_and_turn_at_the_threshold():
    kept = np.array([0.2, 0.5, 0.9])
    cells = over_selections(np.array([-0.3, 0.3, 0.8]), kept, 10, generator(), corpora=500)
    assert list(cells) == columns_of("toy_reversal_selections")
    assert near(cells) < 1
    assert near(cells.assign(predicted=cells["correlation"])) > 1  # what no selection would leave
    edge = reversal_threshold(cells["probability"].to_numpy())
    assert (np.sign(cells["predicted"]) == np.sign(cells["correlation"] - edge)).all()


def test_schemes_agree_with_the_pooling_law_and_turn_at_n_star():
    cells = over_schemes(np.array([0.1, 0.5]), np.array([1, 20, 400]), 10, generator())
    assert list(cells) == columns_of("toy_reversal_schemes")
    assert near(cells) < 1
    edge = reversal_size(cells["between"].to_numpy(), cells["within"].to_numpy())
    assert (np.sign(cells["predicted"]) == np.sign(edge - cells["size"])).all()
    assert set(np.sign(cells["predicted"])) == {-1.0, 1.0}


@given(SEEDS, st.floats(0, 0.5), st.integers(2, 9))
def test_schemes_are_tilts_of_the_asked_spread(seed, spread, schemes):
    rng = np.random.default_rng(seed)
    log_p = log_dirichlet(20, rng, 1.0)
    x, r = equal_variances(log_p, 0.3, rng)
    theta = [np.polyfit(x - r, law - log_p, 1)[0] for law in tilted_schemes(log_p, x, r, spread, schemes)]
    assert np.std(theta) == pytest.approx(spread, abs=1e-9)
    between, _ = between_and_within(tilted_schemes(log_p, x, r, spread, schemes), x, r)
    assert between.xr <= 1e-12  # they move prior and reward against each other


def test_cells_are_a_function_of_the_generator():
    arguments = np.array([0.2]), np.array([1, 5]), 3
    first, again, other = (over_schemes(*arguments, generator(seed)) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_bad_input_is_named():
    one, rng = np.ones(1), generator()
    with pytest.raises(ValueError, match="two replicates"):
        over_worlds(one, one, 1, rng)
    with pytest.raises(ValueError, match="noise"):
        over_worlds(one, -one, 2, rng)
    with pytest.raises(ValueError, match="exponent"):
        over_worlds(-one, one, 2, rng, corpora=5)
    with pytest.raises(ValueError, match="strictly between"):
        over_selections(one, one, 2, rng)
    with pytest.raises(ValueError, match="two replicates"):
        over_selections(one, one / 2, 1, rng)
    with pytest.raises(ValueError, match="at least one string"):
        over_schemes(one, np.array([0]), 2, rng)
    with pytest.raises(ValueError, match="two replicates"):
        over_schemes(one, np.array([1]), 1, rng)
    for rho in (-1.0, 1.1, np.nan):
        with pytest.raises(ValueError, match="correlation"):
            equal_variances(np.log([0.5, 0.3, 0.2]), rho, rng)
    for spread, schemes in ((-1.0, 3), (1.0, 1), (np.inf, 3)):
        with pytest.raises(ValueError, match="schemes"):
            tilted_schemes(np.zeros(3), np.zeros(3), np.zeros(3), spread, schemes)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            lambda: equal_variances(np.log([0.5, 0.5, 1e-9])[:2], 0.1, np.random.default_rng(0)),
            "^equal variances need at least three",
        ),
        (
            lambda: equal_variances(np.full(3, np.log(1 / 3)), 0.1, np.random.default_rng(0)),
            "^equal variances need at least three",
        ),
        (
            lambda: equal_variances(np.array([np.log(0.4), np.log(0.6), -np.inf]), 0.1, np.random.default_rng(0)),
            "^log_p must be finite",
        ),
        (lambda: equal_variances(np.zeros((2, 3)), 0.1, np.random.default_rng(0)), "^log_p must have the shape"),
        (
            lambda: tilted_schemes(np.zeros(3), np.zeros(1), np.zeros(3), 0.1, 3),
            r"^x must have the shape \[3\], not \[1\]",
        ),
        (lambda: tilted_schemes(np.zeros(3), np.zeros(3), np.zeros(1), 0.1, 3), r"^r must have the shape"),
        (lambda: tilted_schemes(np.zeros((1, 3)), np.zeros(3), np.zeros(3), 0.1, 3), "^log_p must have the shape"),
        (lambda: over_worlds(*np.ones((2, 1, 1)), 2, np.random.default_rng(0)), "^exponents must have the shape"),
        (
            lambda: over_selections(np.zeros(1), np.ones((1, 1)), 2, np.random.default_rng(0)),
            "^probabilities must",
        ),
        (
            lambda: over_schemes(np.ones((1, 1)), np.ones(1), 2, np.random.default_rng(0)),
            "^spreads must have",
        ),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
