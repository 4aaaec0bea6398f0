"""The study on the tiny model, run once."""

import pytest

from empirical.results import Results
from empirical.studies.guided import run
from empirical.studies.guided.sizes import SMOKE


@pytest.fixture(scope="session")
def parts(tmp_path_factory):
    return run.tiny_parts(tmp_path_factory.mktemp("tiny"), SMOKE)


@pytest.fixture(scope="session")
def study(parts, tmp_path_factory):
    results = Results.open(tmp_path_factory.mktemp("guided"), "tiny")
    return results, run.run(results, parts, SMOKE, real=False)
