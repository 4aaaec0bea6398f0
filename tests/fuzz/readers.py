"""Every reader of files from elsewhere with a whole file for it, how files are spoilt, what a reader may answer."""

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

from empirical.errors import InputError
from empirical.evidence_task.items import items_from
from empirical.judging.human import finegrained, pandalm
from empirical.models import LanguageModel, load, with_adapter
from empirical.planning.shapes import shape_of
from empirical.preferences import hh_pairs
from empirical.prefix_scorers import PrefixScorer, random_scorer
from empirical.prompts import prompts_from
from empirical.results import Results
from empirical.rewards import load_head
from empirical.scorer_data import written
from empirical.sealed import UnusableError, unseal
from empirical.sentiment import load_sentiment
from empirical.shipped import shipped
from empirical.tiny import tiny_triple
from tests.empirical.test_results import entry
from tests.empirical.test_sealed import SEALED
from theory import ledger

ROOT = Path(__file__).parents[2]
NESTED = [b"[" * 100_000, b'{"a":' * 100_000, b"a = " + b"[" * 100_000]
CONFIG = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1,
          "num_attention_heads": 4, "vocab_size": 100}  # fmt: skip
DIALOGUE = {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}
SUMMARY = {"question": "q", "passages": [["t", "t a."]], "preference": [1, 0, 2, 0, 0, 0]}
SUMMARY |= {f"prediction {number}": [str(number)] for number in (1, 2, 3, 4)}
PANDA = {"instruction": "i", "input": "", "response1": "a", "response2": "b"}
PANDA |= {f"annotator{number}": 1 for number in (1, 2, 3)}
Reader = tuple[Path, Callable[[Path], object]]


def spoilt(whole: bytes, rng: Random) -> bytes:
    """A spoilt file's bytes: cut, with foreign bytes inside, something else altogether, or with flipped bits."""
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


def answer(read: Callable[[Path], object], file: Path) -> str:
    """taken, refused, or what is wrong: a refusal is one line that ends with a full stop, or the end of such a line."""
    try:
        read(file)
    except UnusableError as problem:
        return "refused" if "\n" not in str(problem) else f"unclear: {problem}"
    except (InputError, ValueError) as problem:
        return "refused" if re.fullmatch(r".+\.", str(problem)) else f"unclear: {problem}"
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}"
    return "taken"


def readers(tmp_path: Path) -> dict[str, Reader]:
    """Name -> (file, reader) in the folder `inside`; models are not among them, see `model_readers`."""
    folder = tmp_path / "inside"
    for name in ("reward", "sentiment"):
        shutil.copytree(shipped(name), folder / name)
    (folder / "hh").mkdir()
    (folder / "hh" / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(DIALOGUE).encode()))
    for name, made in (("config", CONFIG), ("summaries", [SUMMARY]), ("panda", [PANDA])):
        (folder / f"{name}.json").write_text(json.dumps(made))
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
        "summaries": (folder / "summaries.json", finegrained),
        "comparisons": (folder / "panda.json", pandalm),
        "shape": (folder / "config.json", lambda path: shape_of(str(path))),
        "head": (folder / "reward/head.safetensors", lambda path: load_head(path.parent)),
        "head's words": (folder / "reward/head.json", lambda path: load_head(path.parent)),
        "sentiment": (folder / "sentiment/sentiment.safetensors", lambda path: load_sentiment(path.parent)),
        "terms": (folder / "sentiment/terms.txt", lambda path: load_sentiment(path.parent)),
    }


def model_readers(tmp_path: Path) -> dict[str, Reader]:
    """The files of a tiny model, of an adapter and of a scorer to it."""
    folder = tmp_path / "inside"
    model, _, _ = tiny_triple(folder)
    random_scorer(model, ["r"], 6, 0.1, rank=2).save_pretrained(folder / "scorer")
    (folder / "texts.jsonl").write_text(json.dumps({"prompt": "a", "answer": "b"}) + "\n")
    prior, adapter, scorer = folder / "prior", folder / "adapter", folder / "scorer"

    def of_scorer(path: Path) -> object:
        return PrefixScorer.from_pretrained(path.parent, model)

    def with_it(path: Path) -> LanguageModel:
        return with_adapter(model, path.parent, "adapted")

    return {
        "weights": (prior / "model.safetensors", lambda path: load(path.parent)),
        "model's words": (prior / "config.json", lambda path: load(path.parent)),
        "tokenizer": (prior / "tokenizer.json", lambda path: load(path.parent)),
        "tokenizer's words": (prior / "tokenizer_config.json", lambda path: load(path.parent)),
        "template": (prior / "chat_template.jinja", lambda path: load(path.parent)),
        "adapter": (adapter / "adapter_model.safetensors", with_it),
        "adapter's words": (adapter / "adapter_config.json", with_it),
        "scorer": (scorer / "scorer.safetensors", of_scorer),
        "scorer's words": (scorer / "config.json", of_scorer),
        "texts": (folder / "texts.jsonl", lambda path: written(path, model, 6, set())),
    }
