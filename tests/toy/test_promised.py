"""A table that breaks its promise is noticed."""

import pandas as pd
import pytest

from tests.toy.promised import columns_of, keeps_its_promise
from toy.endless import masses

LEAK = masses((0.5, 1.5))


def test_a_kept_promise():
    assert list(LEAK) == columns_of("toy_adaptors_leak")
    assert keeps_its_promise("toy_adaptors_leak", {"toy_adaptors_leak": LEAK})
    assert not keeps_its_promise("nothing", {})


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"toy_adaptors_leak": LEAK.rename(columns={"log_z": "log_Z"})},
        {"toy_adaptors_leak": LEAK[LEAK.columns[::-1]]},
        {"toy_adaptors_leak": LEAK.assign(world="a word more")},
        {"toy_adaptors_leak": LEAK, "toy_adaptors_leaks": LEAK},
    ],
)
def test_a_broken_promise(broken):
    with pytest.raises(AssertionError):
        keeps_its_promise("toy_adaptors_leak", broken)


def test_another_word_breaks_a_promise():
    table = pd.DataFrame([dict.fromkeys(columns_of("toy_reversal_boundaries"), 0.5)] * 3)
    words = ["aligned", "typical", "uniform"]
    assert keeps_its_promise("toy_reversal_boundaries", {"toy_reversal_boundaries": table.assign(weighting=words)})
    with pytest.raises(AssertionError):
        keeps_its_promise("toy_reversal_boundaries", {"toy_reversal_boundaries": table.assign(weighting="uniform")})
