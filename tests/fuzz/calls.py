"""The public functions of a package and hostile arguments for them, by their annotations."""

import inspect
import pkgutil
import types
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any, Union, get_args, get_origin

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from theory.adaptors import Adaptor, nucleus, temperature
from theory.automata import Automaton
from theory.concentration import Surprisal, of_automaton
from theory.covariance import Covariance, covariance
from theory.families import geometric
from theory.language_models import Tree, random_tree
from theory.lattice import Lattice
from theory.lattice import of_law as lattice_of_law
from theory.layers import Layers
from theory.values import Values, hard_values

LAW = np.log([0.5, 0.25, 0.25])
TREE = random_tree(2, 2, np.random.default_rng(0))
Objects = dict[Any, list[Any]]
OBJECTS: Objects = {
    Adaptor: [temperature(0.5), nucleus(0.7)],
    Automaton: [geometric(1, 0.5), geometric(2, 0.1)],
    Tree: [TREE],
    Covariance: [covariance(LAW, np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.0, 1.0]))],
    Surprisal: [of_automaton(geometric(2, 0.1))],
    Lattice: [lattice_of_law(LAW)],
    Layers: [Layers(np.array([[LAW], [[0.0, -np.inf, -np.inf]]]), np.zeros((1, 3), dtype=int), np.zeros((2, 1, 3)))],
    Values: [hard_values(TREE, np.arange(7.0))],
    np.random.Generator: [np.random.default_rng(0)],
}
"""Sound objects: a hostile array beside a sound tree reaches further than one beside a hostile tree."""

SIDES = st.sampled_from([(), (0,), (1,), (3,), (3,), (3,), (4,), (2, 3), (3, 1), (0, 3), (2, 2, 2)])
WILD = [np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324]
TAME = st.floats(-20, 20, width=32)
NUMBERS = st.sampled_from([0.0, -0.0, 1.0, 0.5, -1.0, 2.0, 1e-300, 1e300, np.nan, np.inf, -np.inf, *WILD])
COUNTS = st.sampled_from([-(2**70), -1, 0, 1, 2, 3])
"""Counts are not huge upwards: what is documented to take memory by the count would take it."""


def floats(finite: bool) -> st.SearchStrategy[Any]:
    """Arrays of floats; unless all shall be finite, with NaN and infinities, and now and then of another type."""
    if finite:
        return arrays(np.float64, st.sampled_from([(3,), (2, 3), (4,)]), elements=TAME)
    wild = arrays(np.float64, SIDES, elements=st.one_of(TAME, st.sampled_from(WILD)))
    odd = st.one_of(
        arrays(np.int64, array_shapes(max_dims=2, max_side=3)),
        arrays(np.bool_, array_shapes(max_dims=2, max_side=3)),
        arrays(np.complex128, array_shapes(max_dims=1, max_side=3)),
        arrays(np.float32, SIDES, elements=st.floats(-20, 20, width=32)),
        st.just(np.array(["a", "b", "c"])),
        st.just(np.array([None, 1.0], dtype=object)),
    )
    return st.one_of(wild, wild, wild, odd)


def argument(annotation: Any, finite: bool, objects: Objects) -> st.SearchStrategy[Any] | None:
    """Hostile, or merely finite, values for one parameter; None where we know of none."""
    if annotation in objects:
        return st.sampled_from([one for one in objects[annotation] if not (finite and has_nan(one))])
    if annotation is Any or get_origin(annotation) is np.ndarray:
        kind = "int" if "int64" in str(annotation) else "bool" if "bool" in str(annotation) else "float"
        if kind == "int":
            return arrays(np.int64, st.sampled_from([(3,), (4,), (2, 3)] if finite else [(0,), (3,), (2, 3)]))
        return arrays(np.bool_, st.just((3,))) if kind == "bool" else floats(finite)
    if annotation is float:
        return st.floats(-20, 20) if finite else NUMBERS
    if annotation is int:
        return st.integers(1, 3) if finite else COUNTS
    if annotation is bool:
        return st.booleans()
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [argument(part, finite, objects) for part in get_args(annotation) if part is not type(None)]
        known = [part for part in parts if part is not None]
        return st.one_of(known) if known else None
    return None


def public(package: types.ModuleType) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function of a package's modules, by name; the claims are run as they stand elsewhere."""
    for found in pkgutil.iter_modules(package.__path__):
        module = types.ModuleType(found.name) if found.ispkg else import_module(f"{package.__name__}.{found.name}")
        for name, value in list(vars(module).items()):
            if not name.startswith("_") and inspect.isfunction(value) and value.__module__ == module.__name__:
                yield f"{found.name}.{name}", value


def arguments(
    function: Callable[..., Any], finite: bool, objects: Objects = OBJECTS
) -> st.SearchStrategy[dict[str, Any]] | None:
    """All arguments of a function that it must be given; None where one of them is beyond us.

    objects: what to give by annotation, or by the name of the parameter, which comes first.
    """
    found = {}
    for name, one in inspect.signature(function).parameters.items():
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        values = argument(name if name in objects else one.annotation, finite, objects)
        if values is None and one.default is not inspect.Parameter.empty:
            continue
        if values is None:
            return None
        found[name] = st.lists(values, max_size=2) if one.kind is inspect.Parameter.VAR_POSITIONAL else values
    return st.fixed_dictionaries(found) if found else None


def numbers(result: Any) -> Iterator[Any]:
    """Every array of floats in what a function returned, its tables and dictionaries among it."""
    if isinstance(result, np.ndarray | np.generic | float):
        if np.asarray(result).dtype.kind == "f":
            yield np.asarray(result)
        return
    parts: list[Any] = []
    if isinstance(result, pd.DataFrame):
        parts = [column.to_numpy() for _, column in result.items()]
    elif isinstance(result, dict):
        parts = list(result.values())
    elif isinstance(result, tuple | list):
        parts = list(result)
    elif is_dataclass(result):
        parts = [getattr(result, field.name) for field in fields(result)]
    for part in parts:
        yield from numbers(part)


def has_nan(result: Any) -> bool:
    """Whether a float in it is NaN."""
    return any(np.isnan(part).any() for part in numbers(result))
