"""How far a long part is and how long it still takes, in a terminal; where output goes to a file, nothing."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich import get_console
from rich.progress import track

Item = TypeVar("Item")


def counted(items: Iterable[Item], what: str) -> Iterable[Item]:
    """Go through what has a length under a bar that shows the share done and the time left, and goes at its end.

    >>> [letter for letter in counted("ab", "letters")]
    ['a', 'b']
    """
    return track(items, what, transient=True, disable=not get_console().is_terminal)


@contextmanager
def stage(what: str) -> Iterator[None]:
    """A part that cannot be counted: its name and a mark that moves, for as long as the block runs."""
    with get_console().status(what):
        yield
