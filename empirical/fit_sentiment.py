"""Make the shipped sentiment model: `python -m empirical.fit_sentiment DATA --out DIR` (a minute, no randomness).

DATA: the labelled sentences of Pang and Lee (2005), the folder `sentence_polarity` of NLTK's data or its zip.
"""

import hashlib
import json
import time
import zipfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.sparse import csr_array, diags_array
from statsmodels.stats.proportion import proportion_confint

from empirical.bradley_terry import fit_logistic
from empirical.errors import InputError, first_line, one_sentence
from empirical.scored import Floats
from empirical.sentiment import Sentiment, terms_of

FILES = {"rt-polarity.pos": 1, "rt-polarity.neg": -1}
RAREST = 3  # sentences that a term must be in
RIDGES = tuple(np.geomspace(1e-6, 1e-2, 9))
FOLDS = 5


def main(
    data: Annotated[Path, typer.Argument(help="Folder or zip that holds rt-polarity.pos and rt-polarity.neg.")],
    out: Annotated[Path, typer.Option(help="Where the model goes.")],
) -> None:
    """Choose the ridge by cross-validation, measure it by nested cross-validation, fit to all, write model and log."""
    start = time.perf_counter()
    texts, signs = labelled(data)
    terms, counts = counted(texts)
    fold = np.array([fold_of(text) for text in texts])
    outcomes = [judged(counts, signs, fold, k) for k in range(FOLDS)]
    right = np.concatenate([right for right, _ in outcomes])
    low, high = proportion_confint(right.sum(), len(right), method="wilson")
    ridge = chosen(counts, signs, fold)
    idf, weight = fit(counts, signs, ridge)
    kept = np.flatnonzero(idf)
    Sentiment({terms[k]: place for place, k in enumerate(kept)}, idf[kept], weight[kept]).save(out)
    log = {
        "data": "sentence_polarity 1.0, Pang and Lee",
        "sentences": len(texts),
        "terms": len(kept),
        "ridge": ridge,
        "ridges_of_the_folds": [ridge for _, ridge in outcomes],
        "accuracy": {"five_fold": right.mean(), "low": low, "high": high, "folds": [r.mean() for r, _ in outcomes]},
        "minutes": round((time.perf_counter() - start) / 60, 2),
        "command": "python -m empirical.fit_sentiment DATA --out DIR",
    }
    (out / "log.json").write_text(json.dumps(log, indent=1), encoding="utf-8")
    print(json.dumps(log))


def labelled(where: Path) -> tuple[list[str], Floats]:
    """Sentences and their signs, +1 for praise and -1 for blame; raises InputError in one sentence."""
    root: Any = zipfile.Path(where) if zipfile.is_zipfile(where) else where
    texts: list[str] = []
    signs: list[int] = []
    try:
        for name, sign in FILES.items():
            file = next(folder / name for folder in (root, root / "sentence_polarity") if (folder / name).is_file())
            lines = [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
            texts += lines
            signs += [sign] * len(lines)
    except (OSError, StopIteration, UnicodeDecodeError) as problem:
        raise InputError(
            f"Cannot read {' and '.join(FILES)} from {where} ({first_line(problem)}); pass the folder or the zip of "
            "NLTK's sentence_polarity."
        ) from problem
    return texts, np.array(signs, dtype=float)


def fold_of(text: str) -> int:
    """The fold of a sentence, by a hash of its terms: sentences of the same words are never on both sides."""
    return int(hashlib.blake2b("\n".join(terms_of(text)).encode(), digest_size=4).hexdigest(), 16) % FOLDS


def counted(texts: list[str]) -> tuple[list[str], csr_array]:
    """Every term, in alphabetical order, and how often each text has it: [texts, terms]."""
    each = [terms_of(text) for text in texts]
    terms = sorted(set().union(*each))
    places = {term: place for place, term in enumerate(terms)}
    rows = np.repeat(np.arange(len(texts)), [len(one) for one in each])
    columns = np.array([places[term] for one in each for term in one], dtype=int)
    return terms, csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(texts), len(terms)))


def fit(counts: csr_array, signs: Floats, ridge: float) -> tuple[Floats, Floats]:
    """Inverse document frequencies and weights, [terms] each; both 0 where a term is in fewer than RAREST texts.

    idf = log((1 + n) / (1 + n_t)) + 1 with n_t of the n texts holding t. The classes are of one size, so the regression
    goes without an intercept, and a text without known terms has the logit 0.
    """
    texts = np.bincount(counts.indices, counts.data > 0, counts.shape[1])
    idf = np.where(texts >= RAREST, np.log((1 + counts.shape[0]) / (1 + texts)) + 1, 0.0)
    weight, kept = np.zeros(len(idf)), np.flatnonzero(idf)
    weight[kept] = fit_logistic((diags_array(signs) @ features(counts, idf))[:, kept], ridge)
    return idf, weight


def features(counts: csr_array, idf: Floats) -> csr_array:
    """Rows count_t idf_t, divided by their length."""
    weighted = counts @ diags_array(idf)
    length = np.sqrt((weighted * weighted).sum(1))
    return diags_array(1 / np.where(length > 0, length, 1.0)) @ weighted


def chosen(counts: csr_array, signs: Floats, fold: Floats) -> float:
    """The ridge with the lowest loss on held-out folds, each held out once."""

    def loss(ridge: float) -> float:
        total = 0.0
        for k in np.unique(fold):
            idf, weight = fit(counts[fold != k], signs[fold != k], ridge)
            margin = signs[fold == k] * (features(counts[fold == k], idf) @ weight)
            total += float(np.logaddexp(0, -margin).sum())
        return total

    return min(RIDGES, key=loss)


def judged(counts: csr_array, signs: Floats, fold: Floats, k: int) -> tuple[Floats, float]:
    """Which sentences of fold k are labelled rightly by a model that never saw them, ridge and terms included."""
    train, test = fold != k, fold == k
    ridge = chosen(counts[train], signs[train], fold[train])
    idf, weight = fit(counts[train], signs[train], ridge)
    return signs[test] * (features(counts[test], idf) @ weight) > 0, ridge


if __name__ == "__main__":
    with one_sentence():
        typer.run(main)
