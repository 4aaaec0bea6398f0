"""A copy of the tiny checkpoint that a test may spoil."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def folder(tiny_folder, tmp_path):
    return Path(shutil.copytree(tiny_folder / "prior", tmp_path / "model"))
