"""Files from elsewhere, spoilt in every way: each reader takes them or refuses in one sentence, and writes nothing.

Each reader sees 60 spoilt files: whole ones with flipped bits, a cut end, foreign bytes in the middle, or nothing but
random bytes. A fault that strikes one file in twenty is missed with probability 0.95^60 = 0.05.
"""

import gzip
import json
import random
import re
import shutil
from pathlib import Path

import pytest

from empirical.errors import InputError
from empirical.evidence_task.items import items_from
from empirical.models import load
from empirical.planning.shapes import shape_of
from empirical.preferences import hh_pairs
from empirical.prompts import prompts_from
from empirical.results import Results
from empirical.rewards import load_head
from empirical.sealed import UnusableError, unseal
from empirical.sentiment import load_sentiment
from empirical.shipped import shipped
from tests.empirical.test_results import entry
from tests.empirical.test_sealed import SEALED
from theory import ledger

FILES = 60
ROOT = Path(__file__).parents[2]
NESTED = [b"[" * 100_000, b'{"a":' * 100_000, b"a = " + b"[" * 100_000]
CONFIG = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1,
          "num_attention_heads": 4, "vocab_size": 100}  # fmt: skip
DIALOGUE = {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}


def spoilt(whole, rng):
    """A spoilt file's bytes."""
    how = rng.randrange(5)
    if how == 0:
        return whole[: rng.randrange(len(whole) + 1)]
    if how == 1:
        place = rng.randrange(len(whole))
        return whole[:place] + rng.randbytes(rng.randrange(1, 40)) + whole[place:]
    if how == 2:
        return rng.choice([rng.randbytes(rng.randrange(200)), b"", b"\0" * 100, b"null", b"3", b'"a"', b"{}", *NESTED])
    found = bytearray(whole)
    for _ in range(rng.choice([1, 1, 8])):
        place = rng.randrange(8 * min(len(whole), 2000))  # where a header is, if there is one
        found[place // 8] ^= 1 << place % 8
    return bytes(found)


def readers(tmp_path):
    """Name -> (file, reader): a whole file in a folder of its own, and what reads it."""
    folder = tmp_path / "inside"
    for name in ("reward", "sentiment"):
        shutil.copytree(shipped(name), folder / name)
    (folder / "hh").mkdir()
    (folder / "hh" / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(DIALOGUE).encode()))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "prompts.txt").write_text("one\ntwo\n")
    shutil.copy(ROOT / "empirical/evidence_task/items.toml", folder / "items.toml")
    (folder / "rows.parquet").write_bytes(SEALED)
    ledger.write([entry("tan.a", 1.0)], folder / "ledger.json")
    Results.open(folder, "smoke")
    return {
        "manifest": (folder / "smoke/manifest.json", lambda path: Results.open(folder, "smoke")),
        "ledger": (folder / "ledger.json", ledger.entries),
        "rows": (folder / "rows.parquet", lambda path: unseal(path.read_bytes())),
        "items": (folder / "items.toml", items_from),
        "prompts": (folder / "prompts.txt", prompts_from),
        "dialogues": (folder / "hh/a.jsonl.gz", lambda path: hh_pairs(path.parent)),
        "shape": (folder / "config.json", lambda path: shape_of(str(path))),
        "head": (folder / "reward/head.safetensors", lambda path: load_head(path.parent)),
        "head's words": (folder / "reward/head.json", lambda path: load_head(path.parent)),
        "sentiment": (folder / "sentiment/sentiment.safetensors", lambda path: load_sentiment(path.parent)),
        "terms": (folder / "sentiment/terms.txt", lambda path: load_sentiment(path.parent)),
    }


NAMES = ["manifest", "ledger", "rows", "items", "prompts", "dialogues", "shape", "head", "head's words", "sentiment",
         "terms"]  # fmt: skip


def outside(tmp_path):
    """What lies beside the folder that was read."""
    return sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_spoilt_file_is_taken_or_refused_in_a_sentence(tmp_path, name):
    """One sentence is one line that ends with a full stop; UnusableError is the end of one."""
    file, read = readers(tmp_path)[name]
    whole, rng, before, refused = file.read_bytes(), random.Random(name), outside(tmp_path), 0
    unclear = list[Exception]()
    read(file)
    for _ in range(FILES):
        file.write_bytes(spoilt(whole, rng))
        try:
            read(file)
        except UnusableError as problem:
            refused += "\n" not in str(problem)
        except (InputError, ValueError) as problem:
            refused += 1
            unclear += [] if re.fullmatch(r".+\.", str(problem)) else [problem]
    assert unclear == []
    assert refused >= FILES / 20, "the control: the files were spoilt"
    assert outside(tmp_path) == before


@pytest.mark.parametrize("name", ["../../outside", "/etc/outside", "..\\outside"])
def test_names_that_lead_outside_are_not_followed(folder, tmp_path, name):
    """An index of shards that names files elsewhere: refused, and nothing is written there."""
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    index = {"metadata": {}, "weight_map": {"model.norm.weight": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    before = outside(tmp_path.parent)
    with pytest.raises(InputError):
        load(folder)
    assert outside(tmp_path.parent) == before
