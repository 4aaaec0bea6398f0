"""Prediction before sampling: one ancestral corpus foretells every scheme's mean log prior and mean reward.

The corpus is drawn with uniforms of its own, so the study's sampled rows are not among what predicts them.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from empirical.precision import one_thread
from empirical.prediction import Corpus, Floats
from empirical.prefixes import prefixes
from empirical.preregistration import registered
from empirical.presets import Settings
from empirical.progress import counted, stage
from empirical.prompts import prompt_id
from empirical.results import Results
from empirical.scheme_scores import SchemeScores, score_schemes
from empirical.schemes import Scheme
from empirical.store import Shards
from empirical.studies.collecting import Maker, collect, fingerprint, made
from empirical.studies.prediction_tables import tables
from empirical.studies.prediction_verdict import entry, evidence
from empirical.studies.tradeoff import Triple
from theory.adaptors import ancestral
from theory.files import replacing
from theory.ledger import Entry

TEXTS, MOST = 12, 64  # ancestral texts a prompt: so many for each of the study's a cell, but no more than MOST
CORPUS = Scheme("prediction", "ancestral", 1.0, ancestral())  # the name keys its uniforms


@dataclass(frozen=True)
class Weighed:
    """An ancestral corpus with its log-weights log q - log p_plus under each law, [K, P, n].

    record: [2, P, n], log p_plus as it was found by another pass than the one that weighs, and the answers' tokens.
    """

    record: Floats
    corpus: Corpus
    log_w: dict[str, Floats]


def run(
    results: Results,
    triple: Triple,
    prompts: Sequence[str],
    rows: pd.DataFrame,
    schemes: Sequence[Scheme],
    settings: Settings,
    real: bool,
    maker: Maker = made,
) -> list[Entry]:
    """Set what the corpus foretells beside the study's rows, for whole answers and for their first tokens.

    The tables go to `results`, `tokens` being the limit of an answer; returns the ledger's entries.
    """
    entries, parts, short = list[Entry](), list[dict[str, pd.DataFrame]](), registered()["prediction"]["short"]
    for tokens in (settings.max_new, *([short] if short < settings.max_new else [])):
        start = time.perf_counter()
        drawn = draw(results, triple, prompts, schemes, settings, tokens, maker)
        sampled = rows
        if tokens < settings.max_new:
            path = results.samples / f"{triple.name}.first-{tokens}.parquet"
            with _threads(settings):
                sampled = prefixes(triple, prompts, rows, tokens, path, aligned=False)
        with stage(f"{triple.name}: what {tokens} tokens foretell"):
            found = tables(triple.name, tokens, drawn.corpus, drawn.log_w, sampled, schemes, settings)
            parts.append(found)
            checked = list(evidence(drawn.record, drawn.corpus, drawn.log_w["local"], sampled, schemes, settings))
        whole = tokens == settings.max_new
        about = (triple.aligned.name, len(prompts), tokens, whole)
        entries.append(entry(*about, found, checked, real, time.perf_counter() - start))
    results.write_tables({name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]})
    return entries


def foretell(
    results: Results, triple: Triple, prompts: Sequence[str], schemes: Sequence[Scheme], settings: Settings
) -> pd.DataFrame:
    """tan_prediction with nothing sampled but the corpus: what `empirical.prediction.recommend` reads."""
    drawn = draw(results, triple, prompts, schemes, settings, settings.max_new)
    found = tables(triple.name, settings.max_new, drawn.corpus, drawn.log_w, None, schemes, settings)
    results.write_tables(found)
    return found["tan_prediction"]


def answers(
    results: Results, triple: Triple, prompts: Sequence[str], settings: Settings, maker: Maker = made
) -> pd.DataFrame:
    """The rows of the corpus, whole answers; only what is not there in `results` is made."""
    counts = replace(settings, samples=min(MOST, TEXTS * settings.samples))
    shards = Shards(results.samples, f"{triple.name}-{CORPUS.name}", fingerprint(triple, [CORPUS], counts))
    return collect(triple, prompts, [CORPUS], counts, shards, maker)


def draw(
    results: Results,
    triple: Triple,
    prompts: Sequence[str],
    schemes: Sequence[Scheme],
    settings: Settings,
    tokens: int,
    maker: Maker = made,
) -> Weighed:
    """Draw the corpus, cut its answers to `tokens`, and weigh them; what is there in `results` is not made again."""
    rows = answers(results, triple, prompts, settings, maker)
    with _threads(settings):
        if tokens < settings.max_new:
            path = results.samples / f"{triple.name}-{CORPUS.name}.first-{tokens}.parquet"
            rows = prefixes(triple, prompts, rows, tokens, path)
        rows = rows.sort_values(["prompt_id", "sample_id"])
        scores = weighed(triple, prompts, rows, schemes, results.samples, tokens)
    shape = scores.log_model.shape
    values = np.stack([rows[name].to_numpy(float).reshape(shape) for name in ("log_prior", "reward")])
    record = np.stack([rows.log_aligned, rows.token_ids.map(len)]).reshape(2, *shape)
    local = scores.log_proposal - scores.log_model
    return Weighed(record, Corpus(scores.log_model, values), {"local": local, "global": local + scores.log_kept})


def weighed(
    triple: Triple, prompts: Sequence[str], rows: pd.DataFrame, schemes: Sequence[Scheme], folder: Path, tokens: int
) -> SchemeScores:
    """The corpus under every scheme: log_model [P, n], the others [K, P, n]; prompts by id, each kept once scored."""
    texts, found = {prompt_id(text): text for text in prompts}, []
    for name, some in counted(rows.groupby("prompt_id", sort=True), f"{triple.name}: prompts under every scheme"):
        answers = [list(map(int, ids)) for ids in some.token_ids]
        about = [triple.aligned.sha256, [scheme.adaptor.name for scheme in schemes], answers]
        stamp = hashlib.blake2b(json.dumps(about).encode(), digest_size=16).hexdigest()
        path = folder / f"{triple.name}-{name}-{tokens}.schemes.npz"
        scores = _kept(path, stamp)
        if scores is None:
            ids = triple.aligned.prompt_ids(texts[str(name)])
            scores = score_schemes(triple.aligned, ids, answers, [scheme.adaptor for scheme in schemes])
            with replacing(path) as temporary, temporary.open("wb") as file:
                np.savez(file, stamp=np.array(stamp), **vars(scores))
        found.append(scores)
    parts = zip(*(vars(scores).values() for scores in found), strict=True)
    return SchemeScores(*(np.stack(part, axis=-2) for part in parts))


def _threads(settings: Settings) -> AbstractContextManager[None]:
    """One thread in strict mode: what models read here is a table's numbers, too."""
    return one_thread() if settings.strict else nullcontext()


def _kept(path: Path, stamp: str) -> SchemeScores | None:
    """A prompt's scores as an earlier run wrote them; None if there are none, or damaged ones, or others'."""
    try:
        with path.open("rb") as file, np.load(file) as kept:
            if str(kept["stamp"]) == stamp:
                return SchemeScores(*(kept[name] for name in SchemeScores.__dataclass_fields__))
    except Exception:  # NumPy and zipfile raise anything from EOFError to TokenError, by where the damage is
        pass
    return None
