"""The budget holds for the suite as it is, a share is split among p-values, and nothing judges by rule of thumb."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.statistical.p_values import binomial, cells
from tests.statistical.randomised import BUDGET, MOST, REGISTRY, ROOT, SHARE, Randomised, declared, files

UNDECLARED = ["tests/empirical/engines/test_vllm_real.py"]
"""Files that judge by `laws.fits` inside of a test, since what draws there is seldom installed: a share each."""
COIN = np.array([0.5, 0.5])


@pytest.fixture
def coin():
    """A coin of 2,000 throws whose wrong version falls on one side twice as often; forgotten when the test ends."""
    throws = lambda law: lambda rng: rng.multinomial(2000, law)  # noqa: E731
    yield Randomised("example", "coin", throws(COIN), lambda c: cells(c, COIN), {"2 : 1": throws([2 / 3, 1 / 3])}, "")
    del REGISTRY["example", "coin"]


def test_all_together_keep_the_budget():
    found = declared()
    assert {one.module for one in found} == {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files()}
    assert len(found) > 40
    assert len(found) + len(UNDECLARED) <= MOST
    assert pytest.approx(BUDGET, rel=1e-12) == MOST * SHARE
    assert all(one.sample and all(one.planted) for one in found)


def test_verdicts_outside_of_declarations_are_counted():
    paths = [
        path for path in (ROOT / "tests").rglob("test_*.py") if "laws import fits" in path.read_text(encoding="utf-8")
    ]
    assert [path.relative_to(ROOT).as_posix() for path in paths if path.parent.name != "statistical"] == UNDECLARED


def test_every_declared_test_is_run():
    """A declaration that no test function holds would spend nothing and show nothing."""
    for path in files():
        text = path.read_text(encoding="utf-8")
        assert len(re.findall(r"Randomised\(\s*__name__", text)) <= len(re.findall(r"\.hold\(\)", text)), path


def test_a_coin(coin):
    coin.hold()
    assert coin.accepts(np.array([1000, 1000]))
    assert not coin.accepts(np.array([1400, 600]))


def test_the_share_is_split(coin):
    """By the exact binomial, two p-values: the smallest accepted count has a p-value of half the share at least."""
    edge = min(k for k in range(1001) if coin.accepts(np.array([k, 2000 - k])))
    assert binomial(edge - 1, 2000, 0.5) < SHARE / 2 <= binomial(edge, 2000, 0.5)


def test_what_cannot_tell_is_refused(coin):
    blind = {"a fair coin": coin.draw}
    with pytest.raises(ValueError, match="twice"):
        replace(coin)
    for changes, message in (({"planted": blind}, "accepted although"), ({"draw": coin.planted["2 : 1"]}, "refused")):
        other = replace(coin, name="other", **changes)
        del REGISTRY["example", "other"]
        with pytest.raises(AssertionError, match=message):
            other.hold()
    with pytest.raises(ValueError, match="nothing is planted"):
        replace(coin, name="other", planted={})
    for wrong in ([np.nan], [1.1], []):
        other = replace(coin, name="other", judge=lambda _, wrong=wrong: wrong)
        del REGISTRY["example", "other"]
        with pytest.raises(ValueError, match="no p-values"):
            other.accepts(None)
