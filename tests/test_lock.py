"""requirements.lock holds every dependency once, with a hash, as pyproject pins it and as it is installed."""

import platform
import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LINE = re.compile(r"(?:# (?P<local>[a-z0-9-]+==\S+\+\S+)|(?P<hashed>[a-z0-9-]+==\S+) --hash=sha256:[0-9a-f]{64})")
HERE = (sys.version_info[:2], sys.platform, platform.machine()) == ((3, 11), "linux", "x86_64")


def read(text):
    """Name -> version; raises ValueError on a line that is none, or given twice."""
    found = {}
    for line in text.splitlines()[1:]:
        if not (match := LINE.fullmatch(line)):
            raise ValueError(line)
        name, exact = (match["local"] or match["hashed"]).split("==")
        if name in found:
            raise ValueError(f"{name} twice")
        found[name] = exact
    return found


def disagreements(locked, needed):
    """Requirements of pyproject that the lock leaves out or does not meet."""
    asked = [Requirement(one) for one in needed if not one.startswith("decoding-tradeoffs")]
    return [str(one) for one in asked if not one.specifier.contains(locked.get(canonicalize_name(one.name), "0"))]


def needed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *extras["test"], *extras["docs"]]


LOCKED = read((ROOT / "requirements.lock").read_text(encoding="utf-8"))


def test_it_agrees_with_the_pins():
    assert disagreements(LOCKED, needed()) == []
    assert [name for name in LOCKED if "+" in LOCKED[name]] == ["torch"], "all others carry a hash"


def test_a_stale_lock_is_noticed():
    assert disagreements(LOCKED | {"numpy": "1.0"}, needed())
    assert disagreements({name: LOCKED[name] for name in LOCKED if name != "torch"}, needed())
    whole = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for wrong in (whole + "numpy==2.4.0\n", whole + whole.splitlines()[1] + "\n", whole.replace("sha256", "md5")):
        with pytest.raises(ValueError):  # noqa: PT011 (any line of the lock)
            read(wrong)


@pytest.mark.skipif(not HERE, reason="the lock is for CPython 3.11 on Linux, x86-64")
def test_what_is_installed_agrees_where_it_is_pinned():
    """Ranges may have moved on since; what pyproject pins exactly may not."""
    exact = [Requirement(one) for one in needed() if "==" in one]
    for one in exact:
        name = canonicalize_name(one.name)
        try:
            assert version(name) == LOCKED[name], name
        except PackageNotFoundError:
            continue


def test_the_script_leaves_us_out_and_marks_local_builds():
    spec = spec_from_file_location("lock", ROOT / "packaging/lock.py")
    lock = module_from_spec(spec)
    spec.loader.exec_module(lock)

    def one(name, exact):
        archive = {"archive_info": {"hashes": {"sha256": "0" * 64}}}
        return {"metadata": {"name": name, "version": exact}, "download_info": archive}

    report = {"install": [one("b.B", "2"), one("a_A", "1+cpu"), one("decoding-tradeoffs", "0.1.0")]}
    assert lock.locked(report) == ["# a-a==1+cpu", f"b-b==2 --hash=sha256:{'0' * 64}"]
