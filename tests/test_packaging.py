"""Wheel and sdist of both distributions, installed elsewhere: everything that is read is there, and nothing else."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ROOMS = {"whole": ("theory", "toy", "empirical", "figures"), "core": ("theory", "toy")}
DATA = {".toml", ".txt", ".json", ".safetensors", ".html", ".css", ".js", ".md", ".csv", ".typed"}


def project(where):
    return tomllib.loads((where / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_core_is_the_same_version_and_pins():
    whole, core = project(ROOT), project(ROOT / "packaging" / "core")
    assert set(core["dependencies"]) < set(whole["dependencies"])
    assert not any("torch" in one for one in core["dependencies"])
    for key in ("version", "license", "requires-python", "authors"):
        assert core[key] == whole[key]


def test_the_citation_names_this_version_and_the_three_papers():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert cited["version"] == project(ROOT)["version"]
    assert cited["license"] == project(ROOT)["license"]
    assert cited["authors"] == project(ROOT)["authors"]
    assert {"message", "title"} <= cited.keys()
    assert [one["url"].rpartition("/")[2] for one in cited["references"]] == ["2311.10083", "2310.17022", "2406.10203"]
    assert all(one["authors"] and one["title"] and one["year"] for one in cited["references"])


def run(*command, **options):
    return subprocess.run(
        [sys.executable, *map(str, command)], check=True, capture_output=True, text=True, **options
    ).stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of what git tracks, links kept: a build leaves its traces there."""
    folder = tmp_path_factory.mktemp("source")
    for name in subprocess.check_output(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True
    ).splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    return folder


@pytest.fixture(scope="module", params=ROOMS)
def built(request, source, tmp_path_factory):
    """(name, rooms, wheel, sdist, folder that the wheel is installed in); the wheel is built from the sdist."""
    made, target = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("installed")
    where = source / "packaging" / "core" if request.param == "core" else source
    run("-m", "build", "--no-isolation", "--outdir", made, where)
    [wheel], [sdist] = made.glob("*.whl"), made.glob("*.tar.gz")
    run("-m", "pip", "install", "--no-deps", "--quiet", "--target", target, wheel)
    return request.param, ROOMS[request.param], wheel, sdist, target


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_its_rooms_and_no_test(built, source):
    name, rooms, wheel, _, _ = built
    with zipfile.ZipFile(wheel) as archive:
        held = {one for one in archive.namelist() if ".dist-info/" not in one}
    wanted = {
        path.relative_to(source).as_posix()
        for room in rooms
        for path in (source / room).rglob("*")
        if path.is_file() and path.suffix in DATA | {".py"}
    }
    assert held == wanted | ({"paper_repro.py"} if name == "whole" else set())
    assert {"theory/py.typed", "toy/py.typed"} <= held
    left_out = {path.suffix for room in rooms for path in (source / room).rglob("*") if path.is_file()} - DATA - {".py"}
    assert left_out == set(), "a kind of file that no pattern of package-data names"


@pytest.mark.slow
def test_nothing_names_a_machine(built, source):
    _, _, wheel, sdist, _ = built
    private = [str(part).encode() for part in (ROOT, source, Path.home(), wheel.parent)]
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with tarfile.open(sdist) as archive:
        files |= {one.name: archive.extractfile(one).read() for one in archive if one.isfile()}
        assert not any(one.issym() or one.islnk() for one in archive), "the sdist holds files, not links"
    for name, data in files.items():
        assert not any(part in data for part in private), name
        assert "tests/" not in name


@pytest.mark.slow
def test_a_claim_runs_from_outside_the_repository(built, tmp_path):
    name, _, _, _, target = built
    code = (
        "import theory.claims, toy.claims, theory\n"
        "from theory.ledger import REGISTRY, verify\n"
        f"assert theory.__file__.startswith({str(target)!r}), theory.__file__\n"
        "entry = verify(REGISTRY['chang.thm3.5'])\n"
        "print(entry.verdict, entry.faults())"
    )
    environment = os.environ | {"PYTHONPATH": str(target)}
    assert run("-c", code, cwd=tmp_path, env=environment).startswith("holds")
    if name == "whole":
        out = ["--preset", "smoke", "--out", tmp_path / "results"]
        run(target / "paper_repro.py", "run", "chang.thm3.5", *out, cwd=tmp_path, env=environment)
        assert (tmp_path / "results" / "smoke" / "report" / "index.html").is_file()
