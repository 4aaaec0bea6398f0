import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy.comparisons import LARGEST_KL, LEAST_KL, better, blocks, curve, gains, on_par, plain, relative, tokens

A, B = plain("length", "a"), plain("length", "b")


def table(kl_a, kl_b, factor=1.0, start=2.0):
    """Two rules whose gain is 3 sqrt(KL), the first times a factor."""
    rows = [("length", "bigram", "base", 0.0, start)]
    rows += [("length", "bigram", "a", kl, start + factor * 3 * np.sqrt(kl)) for kl in kl_a]
    rows += [("length", "bigram", "b", kl, start + 3 * np.sqrt(kl)) for kl in kl_b]
    return pd.DataFrame(rows, columns=["reward", "base", "method", "kl", "reward_mean"])


KLS = st.lists(st.floats(0.01, 20.0), min_size=2, max_size=8, unique=True)


@given(KLS, KLS, st.floats(0.3, 3.0))
def test_a_constant_ratio_is_found_wherever_the_points_lie(kl_a, kl_b, factor):
    low = max(LEAST_KL, min(kl_a), min(kl_b))
    high = min(LARGEST_KL, max(kl_a), max(kl_b))
    ratio = relative(table(kl_a, kl_b, factor), A, B, "reward_mean")
    if low > high:
        assert np.isnan(ratio).all()
    else:
        np.testing.assert_allclose(ratio, factor, rtol=1e-9)  # gains of .3 and more beside a base of 2


def test_the_ratio_is_read_at_nine_even_places():
    points = table([0.5, 8.0], [0.5, 8.0])
    rising = points["method"] == "a"
    points.loc[rising, "reward_mean"] = 2 + points["kl"] * 3 * np.sqrt(points["kl"])  # gain / sqrt(KL) = 3 KL
    np.testing.assert_allclose(relative(points, A, B, "reward_mean"), np.linspace(0.5, 8, 9))


@pytest.mark.parametrize(("factor", "beats", "par"), [(1.0, True, True), (1.04, True, True), (1.06, True, False),
                                                      (0.97, False, True), (0.94, False, False)])  # fmt: skip
def test_the_slacks_decide(factor, beats, par):
    points = table([0.5, 4.0], [0.3, 5.0], factor)
    assert (better(points, A, B, "reward_mean") >= -1e-12) == beats
    assert (on_par(points, A, B, "reward_mean") >= 0) == par
    assert better(points, A, B, "reward_mean", by=0.05) == pytest.approx(factor - 1.05)
    assert np.isnan(better(points, A, plain("length", "absent"), "reward_mean"))


def test_rules_are_told_apart_by_every_column():
    rows = [{**blocks("length"), "kl": 2.0}, {**blocks("length"), "kl": 1.0}, {**blocks("length", M=4), "kl": 3.0},
            {**blocks("length", "CD-FUDGE"), "kl": 4.0}, {**blocks("pairs"), "kl": 5.0},
            {**blocks("length", base="trigram"), "kl": 6.0}, {**tokens("length", "CD-Q"), "kl": 7.0}]  # fmt: skip
    assert curve(pd.DataFrame(rows), blocks("length"))["kl"].tolist() == [1.0, 2.0]


def test_a_rule_is_told_by_the_columns_that_it_fixes():
    same = {"reward": "length", "base": "bigram"}
    assert blocks("length", K=4) == {**same, "method": "blockwise", "scorer": "CD-Q", "M": 8, "K": 4}
    assert tokens("length", "CD-Q") == {**same, "method": "tokenwise", "scorer": "CD-Q"}
    assert plain("length", "PPO", strength=2.0) == {**same, "method": "PPO", "strength": 2.0}


def test_gains_are_over_the_base():
    np.testing.assert_allclose(gains(table([4.0], [1.0], 0.5), A, "reward_mean"), [3.0])
