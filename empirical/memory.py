"""A study that needs more memory than is free is refused before it starts, not killed in the middle of it."""

from empirical.doctor import free_memory
from empirical.errors import InputError
from empirical.planning.cost import Run
from empirical.planning.footprint import memory
from empirical.planning.price import bytes_of
from empirical.planning.shapes import NAMED, REWARDS, Shape, shape_of
from empirical.presets import Backend, Preset

LIBRARIES = 0.5e9  # bytes of the interpreter and its libraries, which `memory` leaves out
PROMPT_TOKENS = 45  # the longest of the embedded prompts, as `empirical.plan` has it
DEFAULT = "smollm2-135m"
CONTROLLED = 4.0e9
"""Bytes at the peak of the live part of controlled decoding: the resident set of `python paper_repro.py run cd.exp1`.

Measured, since what it holds at once (prior, policies, scorers, candidates of many rows) has no formula here. A run of
`--preset paper` holds no less.
"""
TRIPLES = {"": DEFAULT, "rlhf": "llama-2-7b", "dpo": "mistral-7b"}


def needed(size: Preset, backend: Backend, shape: Shape, reward: Shape | None = None) -> float:
    """Bytes at the peak of a study on the CPU."""
    dtype = "float64" if backend.strict else "float32"
    run = Run(size.prompts, 1, size.samples, size.max_new, PROMPT_TOKENS, dtype=dtype, score_dtype=dtype)
    return memory(shape, run, reward)["peak"] + LIBRARIES


def refuse_without_memory(
    size: Preset, backend: Backend, device: str = "cpu", triple: str = "", prior: str = ""
) -> None:
    """Raise InputError, one sentence with both amounts, where a study of real models would not fit.

    Nothing is said of a prior whose shape is not known here, or of a device with a memory of its own.
    """
    if not size.real or device != "cpu" or backend.engine != "torch":
        return
    name = prior or TRIPLES.get(triple, triple)
    reward = NAMED.get(REWARDS.get(name, ""))
    try:
        need = needed(size, backend, shape_of(name), reward)
    except InputError:
        return
    _refuse(f"The study of {name}", need, "choose a smaller prior or `--preset smoke`")


def refuse_control_without_memory(size: Preset) -> None:
    """Raise InputError where the study of controlled decoding would not fit; it runs on the CPU whatever is asked."""
    if size.real:
        _refuse("The study of controlled decoding", CONTROLLED, "choose `--preset smoke` or other targets than cd.exp")


def _refuse(what: str, need: float, otherwise: str) -> None:
    if need > (free := free_memory()):
        amounts = f"{bytes_of(need)} of memory and {bytes_of(free)} is free"
        raise InputError(f"{what} needs {amounts}; stop other programs, or {otherwise}.")
