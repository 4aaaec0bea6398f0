"""Which modules a room has, where their sources are and which test files answer for them.

A module of theory/ is named by its stem, one of another room by its path with dots: toy.simpson.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ARRAY_RULES = {"adaptors", "arrays", "best_of", "certificates", "guidance", "information"}
"""Modules that tests/theory/test_array_contract.py tests as well."""
_SLOW = {
    "": "accelerator align alignment_distance intervals prefix_training real strict",
    "benchmarks/": "contenders control",
    "control/": "blockwise tokenwise",
    "engines/": "attention compiled drawing ray vllm vllm_real",
    "guidance/": "engine",
    "studies/": "findings run verdict",
    "studies/controlled/": "answering run",
}
SLOW = {f"tests/empirical/{folder}test_{name}.py" for folder, names in _SLOW.items() for name in names.split()}
"""Test files of empirical/ that take more than 10 s without a mutant, or need a graphics card or vLLM."""


def modules_of(room: str) -> list[str]:
    """The modules of theory, toy or empirical, without its claims: these answer for the papers, not for the room.

    >>> "toy.simpson" in modules_of("toy")
    True
    """
    paths = [path.relative_to(ROOT) for path in sorted((ROOT / room).rglob("[!_]*.py"))]
    dotted = [".".join(path.with_suffix("").parts) for path in paths if "claims" not in path.parts]
    return [name.removeprefix("theory.") for name in dotted]


def source_of(module: str) -> str:
    """The file of a module: theory/adaptors.py, toy/simpson.py.

    >>> source_of("empirical.control.rounds")
    'empirical/control/rounds.py'
    """
    return f"{module.replace('.', '/')}.py" if "." in module else f"theory/{module}.py"


def files_of(module: str) -> list[str]:
    """The test files that answer for a module.

    In theory test_<module>.py, its parts test_<module>_<part>.py where no module has that longer name, and the rules of
    arrays. In other rooms the file that mirrors it; without one those of the room that import it by name; without any
    those that answer for the modules of the room that import it. Raises ValueError if there are none at all.
    """
    if "." in module:
        if not (found := _elsewhere(module)):
            raise ValueError(f"no test file answers for {module}")
        return found
    modules = {path.stem for path in (ROOT / "theory").glob("*.py")}
    parts = [path.stem.removeprefix("test_") for path in sorted((ROOT / "tests/theory").glob(f"test_{module}_*.py"))]
    longer = [name for name in modules if name.startswith(f"{module}_")]
    mine = [part for part in parts if not any(part == name or part.startswith(f"{name}_") for name in longer)]
    rules = ["array_contract"] * (module in ARRAY_RULES)
    return [f"tests/theory/test_{name}.py" for name in (module, *mine, *rules)]


def tiers_of(module: str) -> list[list[str]]:
    """The test files asked first, then in empirical/ those asked about what survives them: others that use the module.

    These import it by name; if no other does, they answer for the modules that import it. No slow ones.
    """
    first = files_of(module)
    if not module.startswith("empirical."):
        return [first]
    others = set(_importers(module)) - set(first) or set(_of_users(module)) - set(first)
    return [first, sorted(others - SLOW)]


def _elsewhere(module: str) -> list[str]:
    mirror = ROOT / "tests" / Path(source_of(module)).with_name(f"test_{module.rpartition('.')[2]}.py")
    if mirror.is_file():
        return [mirror.relative_to(ROOT).as_posix()]
    return _importers(module) or _of_users(module)


def _named(module: str) -> re.Pattern[str]:
    """What an import of a module looks like, also from its package if that passes it on."""
    above, _, stem = module.rpartition(".")
    name = rf"(from|import) {re.escape(module)}\b|from {re.escape(above)} import .*\b{stem}\b"
    package = (ROOT / above.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    return re.compile(rf"{name}|from {re.escape(above)} import" if re.search(name, package) else name)


def _importers(module: str) -> list[str]:
    """The test files of the room that import a module by name."""
    tests = ROOT / "tests" / module.partition(".")[0]
    paths = [path for path in sorted(tests.rglob("test_*.py")) if "claims" not in path.parts]
    name = _named(module)
    return [path.relative_to(ROOT).as_posix() for path in paths if name.search(path.read_text(encoding="utf-8"))]


def _of_users(module: str) -> list[str]:
    """The test files that answer for the modules of the room that import this one."""
    name = _named(module)
    users = [user for user in modules_of(module.partition(".")[0]) if user != module]
    using = [user for user in users if name.search((ROOT / source_of(user)).read_text(encoding="utf-8"))]
    return sorted({file for user in using for file in _elsewhere(user)})
