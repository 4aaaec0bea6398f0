"""Hostile arguments for the public functions of `theory`: documented errors, no NaN from finite numbers, inputs kept.

Each function is called 20 times with wild arguments and 10 times with finite ones: a fault of one call in ten is missed
with probability 0.9^20 = 0.12. The functions that take objects for which we have no sound example, or a callable, are
not reached; how many are is held fast below.
"""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.calls import arguments, numbers, public

NOT_HERE = {"enclosures", "families", "files", "ledger", "verification"}
"""Balls are no arrays; files are read and written elsewhere."""
FUNCTIONS = {
    name: function
    for name, function in public()
    if name.split(".")[0] not in NOT_HERE and arguments(function, False) is not None
}
MAY_BE_NAN = {
    "concentration.normal_approximation": "a law without variance has no normal approximation at epsilon = 0",
    "covariance.tau": "nothing varies: 0 / 0",
    "covariance.tilted_slope": "x does not vary: 0 / 0",
}
"""NaN from finite arguments whose answer does not exist; where the docstring says so, it need not stand here."""


def call(function, given_, finite):
    """Call it; return every fault. TypeError is for a wrong type alone, which finite arguments do not have."""
    kept = {name: value.copy() for name, value in given_.items() if isinstance(value, np.ndarray)}
    found = []
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = function(**given_)
        if finite and any(np.isnan(part).any() for part in numbers(result)):
            found.append("NaN from finite numbers")
    except ValueError as problem:
        found += [] if str(problem).strip() else ["an error without words"]
    except RuntimeError as problem:
        found += [] if "RuntimeError" in (function.__doc__ or "") else [f"RuntimeError: {problem}"]
    except TypeError as problem:
        found += [f"TypeError: {problem}"] if finite else []
    except Exception as problem:
        found.append(f"{type(problem).__name__}: {problem}")
    for name, before in kept.items():
        same = before.dtype == given_[name].dtype and before.shape == given_[name].shape
        if not same or (before.dtype != object and before.tobytes() != given_[name].tobytes()):
            found.append(f"{name} was modified")
    return found


def faults(name, function):
    """Every fault that hostile and finite arguments bring out."""
    found = [*tried(function, False, 20), *tried(function, True, 10)]
    excused = name in MAY_BE_NAN or "NaN" in (function.__doc__ or "")
    return [fault for fault in found if not (excused and fault.startswith("NaN"))]


def tried(function, finite, many):
    """The faults of so many calls."""
    found = []

    @settings(
        max_examples=many,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(arguments(function, finite))
    def once(given_):
        found.extend(call(function, given_, finite))

    once()
    return found


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_hostile_arguments(name):
    assert faults(name, FUNCTIONS[name]) == []


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
    assert any(said in fault for fault in faults("planted", planted))


def test_how_many_are_reached():
    assert len(FUNCTIONS) >= 100
    assert MAY_BE_NAN.keys() <= FUNCTIONS.keys()
