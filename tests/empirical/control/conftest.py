"""The six-word Llama, a scorer of two rewards, and what the model does after a prompt."""

import pytest

from tests.empirical.enumerated import linear_scorer, world
from tests.empirical.six_words import six_words


@pytest.fixture(scope="session")
def six(tmp_path_factory):
    return six_words(tmp_path_factory.mktemp("six"))


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    """Another base of the same tokenizer."""
    return six_words(tmp_path_factory.mktemp("other"), seed=1)


@pytest.fixture(scope="session")
def scorer(six):
    return linear_scorer(six)


@pytest.fixture(scope="session")
def after(six):
    return world(six, "a b", 3)
