"""What the product's source never does: unpickle, evaluate text, run a checkpoint's code, take a download unpinned."""

import ast
import re
from pathlib import Path

import pytest

from empirical import fetch

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "paper_repro.py", *(path for room in ("theory", "toy", "empirical", "figures")
                                      for path in sorted((ROOT / room).rglob("*.py")))]  # fmt: skip
PICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
DOWNLOADING = {"urlopen", "urlretrieve", "hf_hub_download", "snapshot_download", "load_dataset"}
USERS_DATA = {"empirical/preferences.py"}
"""Files that fetch what a user asked for by name, of which nothing is run.

Anthropic's dialogues have no published hash: they are trusted at their first download alone.
"""


def named(call):
    """The last name of what is called: load of torch.load."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def owner(call):
    return getattr(getattr(call.func, "value", None), "id", "")


def faults(source):
    """Every forbidden thing in a source text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            found += [f"imports {name}" for name in names if name.split(".")[0] in PICKLING]
        if not isinstance(node, ast.Call):
            continue
        given = {one.arg: getattr(one.value, "value", None) for one in node.keywords}
        if isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec", "compile", "__import__"}:
            found.append(f"calls {node.func.id}")
        if owner(node) == "torch" and named(node) == "load" and given.get("weights_only") is not True:
            found.append("torch.load without weights_only=True")
        if given.get("trust_remote_code", False) is not False:
            found.append("trust_remote_code")
        if given.get("allow_pickle", False) is not False or named(node) in {"read_pickle", "to_pickle"}:
            found.append("pickled arrays or tables")
        if given.get("shell", False) is not False or (owner(node) == "os" and named(node) in {"system", "popen"}):
            found.append("a shell")
        if named(node) in {"extractall", "unpack_archive"}:
            found.append("unpacks by the archive's own names")
    return found


def downloads(source):
    return {named(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)} & DOWNLOADING


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_forbidden(path):
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "from dill import loads",
        "eval('1')",
        "exec(text)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "Auto.from_pretrained(x, trust_remote_code=True)",
        "Auto.from_pretrained(x, trust_remote_code=trusted)",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "archive.extractall(folder)",
    ],
)
def test_each_would_be_seen(planted):
    assert faults(planted)


def test_harmless_likes_of_them_pass():
    assert faults("network.eval()\nre.compile('a')\ntorch.load(p, weights_only=True)\nf(trust_remote_code=False)") == []


def test_every_download_is_pinned():
    """Downloads stand in one file, which compares a SHA-256; each of its sources names one, and a commit, a version."""
    where = {path.relative_to(ROOT).as_posix() for path in SOURCES if downloads(path.read_text(encoding="utf-8"))}
    assert where == {"empirical/fetch.py"} | USERS_DATA
    assert downloads("urlopen(address)") == {"urlopen"}, "the control"
    sources = [value for value in vars(fetch).values() if isinstance(value, fetch.Source)]
    assert sources
    for source in sources:
        assert re.fullmatch("[0-9a-f]{64}", source.sha256)
        assert re.fullmatch("[0-9a-f]{40}", source.hub_revision)
        assert re.fullmatch(r"[\w-]+==[\d.]+", source.wheel)
