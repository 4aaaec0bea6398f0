"""Hostile arguments for the public functions of `toy`: documented errors, no NaN from finite numbers, inputs kept.

Each function is called 8 times with wild arguments and 4 times with finite ones: a fault of one call in three is missed
with probability (2/3)^8 = 0.04. `python -m tests.fuzz.test_toy 200` calls them as often as it is told.
"""

import sys

import numpy as np
import pytest

import toy
from tests.fuzz.calls import arguments, public
from tests.fuzz.faults import faults
from tests.fuzz.toys import WORLDS

TABLES = "reads a table of toy.controlled.run, which nobody else makes"
TRAINED = "reads what toy.controlled_world.ingredients has trained"
WHOLE = "an experiment, seconds each, of a seed and a size"
NOT_HERE = {
    "adaptor_control.run": WHOLE,
    "adaptor_moves.directions": WHOLE,
    "comparisons.at_base": TABLES,
    "comparisons.better": TABLES,
    "comparisons.blocks": "writes its arguments into a dictionary",
    "comparisons.curve": TABLES,
    "comparisons.gains": TABLES,
    "comparisons.on_par": TABLES,
    "comparisons.plain": "writes its arguments into a dictionary",
    "comparisons.relative": TABLES,
    "comparisons.tokens": "writes its arguments into a dictionary",
    "concentration.exponents": "reads the table of concentration.estimates",
    "concentration.run": WHOLE,
    "controlled.run": WHOLE,
    "controlled_rules.points": TRAINED,
    "controlled_rules.row": "writes its arguments into a dictionary",
    "controlled_rules.strengths": TRAINED,
    "controlled_world.ingredients": WHOLE,
    "dynamic_temperature.comparison": WHOLE,
    "experiments.run_all": WHOLE,
    "findings.finding": "registers a rule of ours for the rest of the process",
    "findings.findings": TABLES,
    "guidance_tradeoffs.curves": WHOLE,
    "guidance_tradeoffs.run": WHOLE,
    "outcomes.copied": TABLES,
    "outcomes.scaled": TABLES,
    "outcomes.without_tuned_weights": TABLES,
    "resamplings.over_replications": "takes generators of worlds; what it does with one is reached by its parts",
    "reversal.boundaries": "takes nothing",
    "reversal.run": WHOLE,
    "simpson.run": WHOLE,
    "temperature_regimes.curves": WHOLE,
    "text_automaton.bigram_states": "takes nothing",
    "text_automaton.class_trigram_states": "takes nothing",
}
MAY_BE_NAN = {
    "endless.masses": "at and above the critical temperature there is no global law",
}
"""NaN from finite arguments whose answer does not exist, as the docstring says."""
FUNCTIONS = {name: function for name, function in public(toy) if name not in NOT_HERE}
MANY = 8


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_hostile_arguments(name):
    assert faults(FUNCTIONS[name], name in MAY_BE_NAN, WORLDS, MANY) == []


def looks_up(weighting: str, tokens: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> object:
    """Planted: a name, or a token, that may not exist."""
    return {"uniform": 0, "aligned": 1, "typical": 2, "unknown": 3}[weighting], "abc"[int(tokens.max())]


def forgets(share: float) -> dict[str, float]:
    """Planted: no number inside of what is returned."""
    return {"share": share * float("nan")}


@pytest.mark.parametrize(("planted", "said"), [(looks_up, "IndexError"), (forgets, "NaN")])
def test_planted_faults_are_noticed(planted, said):
    assert any(said in fault for fault in faults(planted, objects=WORLDS, many=MANY))


def test_every_function_is_reached_or_left_out_with_a_reason():
    reached = {name for name, function in FUNCTIONS.items() if arguments(function, False, WORLDS) is not None}
    assert FUNCTIONS.keys() - reached == set()
    assert NOT_HERE.keys() <= dict(public(toy)).keys()
    assert MAY_BE_NAN.keys() <= FUNCTIONS.keys()


if __name__ == "__main__":
    many = int(sys.argv[1])
    found = {name: faults(one, name in MAY_BE_NAN, WORLDS, many) for name, one in FUNCTIONS.items()}
    print(*(f"{name}: {sorted(set(said))}" for name, said in found.items() if said), sep="\n")
    raise SystemExit(any(found.values()))
