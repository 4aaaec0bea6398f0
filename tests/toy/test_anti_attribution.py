import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toy.anti_attribution import HIGH, LOW, SHARE, logarithmic_mean, phases, successes

FEW = settings(max_examples=50, deadline=None)


@pytest.fixture(scope="module")
def table():
    return phases(8)


def test_table_has_the_promised_columns(table):
    names = {"section", "lam", "ratio", "share", "base", "printed", "literal", "lam_c", "neutral"}
    assert set(table.columns) == names
    assert table.notna().all(axis=None)
    assert table.groupby("section").size().to_dict() == {"line": 32, "ratio": 64, "share": 64}


def test_rows_are_probabilities_between_the_two_tokens(table):
    low = HIGH / table["ratio"]
    for name in ("base", "printed", "literal"):
        assert ((table[name] >= low - 1e-12) & (table[name] <= HIGH + 1e-12)).all()
    np.testing.assert_allclose(table["base"], table["share"] * HIGH + (1 - table["share"]) * low, atol=1e-14)
    assert (table["printed"] >= table["base"] - 1e-12).all()
    np.testing.assert_allclose(table["lam_c"], 4 * table["ratio"] / (table["ratio"] - 1) ** 2, rtol=1e-12)


def test_lambda_runs_from_a_twentieth_to_fifty(table):
    ends = table.groupby("section")["lam"].agg(["min", "max"])
    np.testing.assert_allclose(ends["min"], 0.05, rtol=1e-12)
    np.testing.assert_allclose(ends["max"], 50, rtol=1e-12)
    assert table.loc[table["section"] == "share", "share"].agg(["min", "max"]).tolist() == [0.02, 0.98]
    np.testing.assert_allclose(table.loc[table["section"] == "ratio", "ratio"].agg(["min", "max"]), [1.1, 100])
    assert (table.loc[table["section"] == "line", ["share", "ratio"]] == [SHARE, HIGH / LOW]).all(axis=None)


def test_both_signs_are_in_the_table(table):
    change = table["literal"] - table["base"]
    for section in ("ratio", "share"):
        assert change[table["section"] == section].min() < -0.2
        assert change[table["section"] == section].max() > 0.01


def test_the_named_case():
    found = successes(np.array([SHARE]), np.array([LOW]), np.array([HIGH]), 1.0)
    t = np.linspace(0, 1, 100_001)[1:-1]  # P(worse token)
    q = t * LOW + (1 - t) * HIGH
    height = (
        t * np.log(LOW) + (1 - t) * np.log(HIGH) - np.log(q) - t * np.log(t / 0.6) - (1 - t) * np.log((1 - t) / 0.4)
    )
    assert found["literal"][0] == pytest.approx(q[height.argmax()], abs=1e-5)  # the spacing of the grid
    assert found["base"][0] == pytest.approx(0.42)
    assert found["printed"][0] == pytest.approx((0.4 * 0.9 * 0.9 + 0.6 * 0.1 * 0.1) / (0.4 * 0.9 + 0.6 * 0.1))


@FEW
@given(st.floats(0.02, 0.9), st.floats(0.05, 0.95), st.floats(0.05, 1.0))
def test_below_the_threshold_the_logarithmic_mean_decides(low, share, part):
    high = low + 0.9 * (1 - low)
    base = share * high + (1 - share) * low
    lam = part * 4 * low * high / (high - low) ** 2
    neutral = float(logarithmic_mean(np.array(low), np.array(high)))
    assert low < neutral < (low + high) / 2
    found = successes(np.array([share]), np.array([low]), np.array([high]), lam)["literal"][0]
    if abs(base / neutral - 1) > 1e-6:
        assert (found > base) == (base > neutral)


def test_at_the_logarithmic_mean_nothing_moves():
    low, high = np.array([0.1]), np.array([0.9])
    share = (logarithmic_mean(low, high) - low) / (high - low)
    for lam in (0.1, 0.3, 0.5):
        found = successes(share, low, high, lam)
        assert found["literal"] == pytest.approx(found["base"], abs=1e-12)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: logarithmic_mean(np.array(0.5), np.array(0.5)), "0 < m < M"),
        (lambda: logarithmic_mean(np.array([0.1, 0.0]), np.array([0.5, 0.5])), "0 < m < M"),
        (lambda: logarithmic_mean(np.array(0.5), np.array(np.inf)), "0 < m < M"),
        (
            lambda: successes(np.array([0.5]), np.array([0.1, 0.2]), np.array([0.9]), 1.0),
            r"^low must have the shape \[1\], not \[2\]",
        ),
        (lambda: successes(np.array([0.5]), np.array([0.1]), np.array(0.9), 1.0), "^high must have the shape"),
        (lambda: successes(np.array(0.5), np.array(0.1), np.array(0.9), 1.0), "^share must have the shape"),
        (lambda: phases(0), "at least one value, not 0"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong()
