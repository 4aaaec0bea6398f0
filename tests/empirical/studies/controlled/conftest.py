"""The study on the tiny model, run once."""

import pytest

from empirical.results import Results
from empirical.studies.controlled import run
from empirical.studies.controlled.sizes import SMOKE
from empirical.studies.controlled.tiny_parts import tiny_parts


@pytest.fixture(scope="session")
def parts(triple, tmp_path_factory):
    return tiny_parts(triple.prior, tmp_path_factory.mktemp("adapters"), SMOKE.max_new)


@pytest.fixture(scope="session")
def study(parts, tmp_path_factory):
    results = Results.open(tmp_path_factory.mktemp("controlled"), "tiny")
    return results, run.whole(results, parts, SMOKE, 0, real=False)
