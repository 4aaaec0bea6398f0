"""The one exception that reaches a person: a single sentence that says what is wrong and what to do."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(Exception):
    """Something the user can mend: a path, a name, a checkpoint, a full disk."""


def first_line(problem: BaseException) -> str:
    """The first line of an exception's message, or its type's name where it has none."""
    return (str(problem).splitlines() or [type(problem).__name__])[0]


@contextmanager
def one_sentence() -> Iterator[None]:
    """A command's body: what is wrong with its input ends it with one sentence and exit code 2."""
    try:
        yield
    except (InputError, ValueError) as problem:
        print(problem, file=sys.stderr)
        raise SystemExit(2) from problem
