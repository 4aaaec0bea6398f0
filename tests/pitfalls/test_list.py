"""`tests/pitfalls.toml` names, for every pitfall, files and tests that exist."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PITFALLS = tomllib.loads((ROOT / "tests" / "pitfalls.toml").read_text(encoding="utf-8"))["pitfall"]


def test_every_pitfall_once():
    assert [pitfall["number"] for pitfall in PITFALLS] == list(range(1, 39))


def missing(pitfall):
    """What an entry names and the repository does not have."""
    files = [name for name in pitfall["touches"] if not (ROOT / name).is_file()]
    return files + [node for node in pitfall["tests"] if not exists(node)]


def exists(node):
    path, name = node.split("::")
    if not (ROOT / path).is_file():
        return False
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return name.startswith("test_") and any(
        isinstance(item, ast.FunctionDef) and item.name == name for item in tree.body
    )


@pytest.mark.parametrize("pitfall", PITFALLS, ids=lambda pitfall: str(pitfall["number"]))
def test_what_it_names_is_there(pitfall):
    assert set(pitfall) == {"number", "what", "touches", "tests", "planted"}
    assert pitfall["tests"]
    assert pitfall["what"].endswith(".")
    assert pitfall["planted"]
    assert missing(pitfall) == []


def test_a_wrong_name_is_noticed():
    node = "tests/pitfalls/test_list.py::test_every_pitfall_twice"
    assert missing({"touches": ["theory/nowhere.py"], "tests": [node, "tests/none.py::test_x"]}) == [
        "theory/nowhere.py",
        node,
        "tests/none.py::test_x",
    ]
