"""From items and rules to rows: one a drawn answer, with every measure of it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from rich.progress import track

from empirical.evidence_task.item import Item, with_evidence, without_evidence
from empirical.evidence_task.measures import common_found, found, overlap
from empirical.guidance import Guidance, GuidedAnswer, guided, guided_jobs
from empirical.guidance.engine import LogSuccess
from empirical.models import LanguageModel
from empirical.scored import Floats
from empirical.scoring import score
from empirical.sealed import rows_kept
from empirical.studies.guided.sizes import CLASSIFIER, FREE, PLAIN, Size

READ = {PLAIN, FREE, CLASSIFIER}
"""Rules whose answers are asked how much they say of the passage: it takes a pass over the passage an answer."""
TOGETHER = 6
"""Items drawn in one go, and kept in one file."""


@dataclass(frozen=True)
class Parts:
    """What the study runs on: the prior, a weaker one, the items, and what classifier guidance reads, if anything.

    discriminator: a name that changes when that does.
    """

    prior: LanguageModel
    weak: LanguageModel
    items: Sequence[Item]
    log_success: LogSuccess | None = None
    discriminator: str = ""


def collect(parts: Parts, size: Size, folder: Path) -> pd.DataFrame:
    """Every answer of every rule, on the intact prior and, plain and guided, on the weaker one.

    What `folder` has of the same models, items and counts is read from there, one file a few items: rules that answer
    them together share the reading of their prompts.
    Columns: prior (intact, weak), rule, family, strength, T, kind (of the item), item, sample, token_ids, text,
    finished, tokens. Under the intact prior with the passage, log_model and nll, its negative a token, in nats. Means
    over the steps, nats: information, entropy; temperature. kl: summed over the steps, to the prior that drew. found,
    common, supported: see `empirical.evidence_task.measures`. evidence: nats a token of the passage given question and
    answer, NaN where it was not asked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    every = list(size.rules(parts.log_success is not None))
    parted = [parts.items[first : first + TOGETHER] for first in range(0, len(parts.items), TOGETHER)]
    asked = [(parts.prior, "intact", every, some) for some in parted]
    asked += [(parts.weak, "weak", [PLAIN, FREE], some) for some in parted]
    stamp, frames = fingerprint(parts, size), []
    for model, name, rules, items in track(asked, "questions", transient=True):
        path = folder / f"guided-{name}-{items[0].id}-{stamp}.parquet"
        frames.append(rows_kept(path, partial(_rows, parts, size, rules, model, name, items)))
    return pd.concat(frames, ignore_index=True)


def fingerprint(parts: Parts, size: Size) -> str:
    """What the rows depend on besides their rule: models, discriminator, items and counts."""
    # The rows hold what was found in the answers, so what counts as found is in their name too.
    items = [(one.id, one.kind, one.passage, one.question, one.answers, one.common) for one in parts.items]
    rules = [rule.name for rule in size.rules(parts.log_success is not None)]
    counts = [size.answers, size.max_new, size.seed, rules]
    described = [parts.prior.sha256, parts.weak.sha256, parts.discriminator, items, counts]
    return hashlib.blake2b(json.dumps(described).encode(), digest_size=6).hexdigest()


def _rows(
    parts: Parts, size: Size, rules: Sequence[Guidance], model: LanguageModel, name: str, items: Sequence[Item]
) -> pd.DataFrame:
    """Some items under every rule; jobs item by item, so that each prompt is read once."""
    jobs = [
        job
        for item in items
        for rule in rules
        for job in guided_jobs(
            model, with_evidence(item), without_evidence(item), size.answers, size.max_new, rule, size.seed
        )
    ]
    drawn = iter(guided(model, jobs, parts.log_success, size.rows))
    frames = []
    for item in items:
        for rule in rules:
            answers = [next(drawn) for _ in range(size.answers)]
            about = {"prior": name, "rule": rule.name, "family": rule.kind, "strength": rule.strength, "T": rule.T}
            frames.append(_of_item(parts, item, answers, rule, name).assign(**about))
    return pd.concat(frames, ignore_index=True)


def _of_item(parts: Parts, item: Item, answers: Sequence[GuidedAnswer], rule: Guidance, name: str) -> pd.DataFrame:
    model = parts.prior
    token_ids = [one.token_ids for one in answers]
    lengths = np.array([len(ids) for ids in token_ids])
    texts = [model.tokenizer.decode(ids, skip_special_tokens=True) for ids in token_ids]
    if name == "intact":
        log_model = np.array([one.total("log_model") for one in answers])
    else:
        log_model = score(model, model.prompt_ids(with_evidence(item)), token_ids).log_prob.double().numpy()
    read = rule in READ and name == "intact"
    means = {
        figure: [one.total(figure) / len(one.token_ids) for one in answers]
        for figure in ("information", "entropy", "temperature")
    }
    return pd.DataFrame(
        {
            "kind": item.kind,
            "item": item.id,
            "sample": range(len(answers)),
            "token_ids": token_ids,
            "text": texts,
            "finished": [one.finished for one in answers],
            "tokens": lengths,
            "log_model": log_model,
            "nll": -log_model / lengths,
            **means,
            "kl": [one.total("kl") for one in answers],
            "found": [found(text, item) for text in texts],
            "common": [common_found(text, item) for text in texts],
            "supported": [overlap(text, item.passage, item.question) for text in texts],
            "evidence": passage_given(model, item, texts) if read else np.nan,
        }
    )


def passage_given(model: LanguageModel, item: Item, texts: Sequence[str]) -> Floats:
    """log P(e | question, answer) / |e| of each answer, nats a token of the passage e, under the model: [n].

    Less log P(e | question) / |e| it is the information that the answer gives on the passage; that term is the same for
    all answers to an item, and differences do not need it.
    """
    passage = model.tokenizer(f" {item.passage}", add_special_tokens=False)["input_ids"]
    asked = [f"Question: {item.question}\nAnswer: {text.strip()}\nWhat does the passage say?" for text in texts]
    found_ = [float(score(model, model.prompt_ids(prompt), [passage]).log_prob[0]) for prompt in asked]
    return np.array(found_) / len(passage)
