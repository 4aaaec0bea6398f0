"""Files that are whole or absent: written beside their place, then moved there in one step."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path in `target`'s folder that takes its name only if the block ends well.

    Raises OSError where the folder cannot be made or written; then nothing is left behind.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o644)  # mkstemp's files are private; results are not
        os.replace(name, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder for as long as the block takes; another process that asks for it waits.

    What is read, changed and written whole loses the change of another process in between, unless both hold the folder.
    The kernel lets go when a process dies. Where nothing can be locked, nothing is.
    """
    with ExitStack() as held:
        with suppress(ImportError, OSError):  # Windows, and a few network file systems
            import fcntl

            handle = os.open(folder, os.O_RDONLY)
            held.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def write_text(target: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
