"""Hostile arguments for the public functions of `theory`: documented errors, no NaN from finite numbers, inputs kept.

Each function is called 20 times with wild arguments and 10 times with finite ones: a fault of one call in ten is missed
with probability 0.9^20 = 0.12. The functions that take objects for which we have no sound example, or a callable, are
not reached; how many are is held fast below.
"""

import numpy as np
import pytest

import theory
from tests.fuzz.calls import arguments, public
from tests.fuzz.faults import faults

NOT_HERE = {"enclosures", "families", "files", "ledger", "verification"}
"""Balls are no arrays; files are read and written elsewhere."""
FUNCTIONS = {
    name: function
    for name, function in public(theory)
    if name.split(".")[0] not in NOT_HERE and arguments(function, False) is not None
}
MAY_BE_NAN = {
    "concentration.normal_approximation": "a law without variance has no normal approximation at epsilon = 0",
    "covariance.tau": "nothing varies: 0 / 0",
    "covariance.tilted_slope": "x does not vary: 0 / 0",
}
"""NaN from finite arguments whose answer does not exist; where the docstring says so, it need not stand here."""


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_hostile_arguments(name):
    said = "NaN" in (FUNCTIONS[name].__doc__ or "")
    assert faults(FUNCTIONS[name], may_be_nan=said or name in MAY_BE_NAN) == []


def writes(x: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """Planted: sorts in place."""
    x.sort()
    return 0.0


def divides(x: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> object:
    """Planted: 0 / 0."""
    return (x - x) / (x - x)


def stumbles(x: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> object:
    """Planted: looks for what may not be there."""
    return {}[x.size]


@pytest.mark.parametrize(("planted", "said"), [(writes, "modified"), (divides, "NaN"), (stumbles, "KeyError")])
def test_planted_faults_are_noticed(planted, said):
    assert any(said in fault for fault in faults(planted))


def test_how_many_are_reached():
    assert len(FUNCTIONS) >= 100
    assert MAY_BE_NAN.keys() <= FUNCTIONS.keys()
