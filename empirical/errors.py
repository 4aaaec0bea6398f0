"""The one exception that reaches a person: a single sentence that says what is wrong and what to do."""


class InputError(Exception):
    """Something the user can mend: a path, a name, a checkpoint, a full disk."""


def first_line(problem: BaseException) -> str:
    """The first line of an exception's message, or its type's name where it has none."""
    return (str(problem).splitlines() or [type(problem).__name__])[0]
