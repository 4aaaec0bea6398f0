"""A bar for people, nothing for files."""

import io

import pytest
import rich
from rich.console import Console

from empirical.progress import counted, stage


@pytest.fixture
def shown(monkeypatch):
    """A console of which we say whether it is a terminal; and what it has printed."""

    def made(terminal):
        file = io.StringIO()
        monkeypatch.setattr(rich, "_console", Console(file=file, force_terminal=terminal, force_interactive=terminal))
        return file

    return made


@pytest.mark.parametrize("terminal", [False, True])
def test_only_a_terminal_sees_a_bar(shown, terminal):
    file = shown(terminal)
    assert list(counted([1, 2], "prompts")) == [1, 2]
    with stage("reading"):
        pass
    assert ("prompts" in file.getvalue()) == terminal
    assert terminal or not file.getvalue()
