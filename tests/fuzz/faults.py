"""What a function makes of hostile arguments: every fault, in words."""

import inspect
import warnings

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.calls import OBJECTS, arguments, has_nan


def called(function, given_):
    """What the function returns; a generator is run to its end."""
    parameters = inspect.signature(function).parameters.values()
    several = [name for one in parameters if one.kind is one.VAR_POSITIONAL for name in [one.name]]
    plain = {name: value for name, value in given_.items() if name not in several}
    if several:
        before = [plain.pop(one.name) for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
        result = function(*before, *given_[several[0]], **plain)
    else:
        result = function(**plain)
    return list(result) if inspect.isgenerator(result) else result


def call(function, given_, finite):
    """Call it; return every fault. TypeError is for a wrong type alone, which finite arguments do not have."""
    kept = {name: value.copy() for name, value in given_.items() if isinstance(value, np.ndarray)}
    found = []
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = called(function, given_)
        if finite and has_nan(result):
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


def faults(function, may_be_nan=False, objects=OBJECTS, many=20):
    """Every fault that hostile arguments, and half as many finite ones, bring out; NaN may be the answer of some."""
    found = [*tried(function, False, many, objects), *tried(function, True, many // 2, objects)]
    return [fault for fault in found if not (may_be_nan and fault.startswith("NaN"))]


def tried(function, finite, many, objects):
    """The faults of so many calls."""
    found = []

    @settings(
        max_examples=many,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(arguments(function, finite, objects))
    def once(given_):
        found.extend(call(function, given_, finite))

    once()
    return found
