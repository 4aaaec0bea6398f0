"""Bradley-Terry heads on differences of features, and how often they side with people on questions never seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from empirical.bradley_terry import fit_logistic
from empirical.intervals import percentiles
from empirical.judging.human import Question
from empirical.judging.win_rates import resamples

Floats = NDArray[np.float64]
RIDGES = tuple(10.0**power for power in range(-3, 4))


@dataclass(frozen=True)
class Pairs:
    """Preferred less other: differences [pairs, hidden], the question of each pair, its fold, and tokens [pairs]."""

    differences: Floats
    question: NDArray[np.int64]
    fold: NDArray[np.int64]
    tokens: Floats

    def __add__(self, other: "Pairs") -> "Pairs":
        later = other.question + self.question.max() + 1
        return Pairs(
            np.concatenate([self.differences, other.differences]),
            np.concatenate([self.question, later]),
            np.concatenate([self.fold, other.fold]),
            np.concatenate([self.tokens, other.tokens]),
        )


def pairs_of(questions: Sequence[Question], features: Sequence[Floats], lengths: Sequence[Floats]) -> Pairs:
    """Every comparison of the questions; features [answers, hidden] and lengths [answers] a question."""
    preferred = [(number, *pair) for number, question in enumerate(questions) for pair in question.preferred]
    question = np.array([number for number, _, _ in preferred])

    def less(values: Sequence[Floats]) -> Floats:
        return np.array([values[k][winner] - values[k][loser] for k, winner, loser in preferred], dtype=float)

    return Pairs(less(features), question, np.array([questions[k].fold for k in question]), less(lengths))


def fitted(pairs: Pairs) -> tuple[Floats, float]:
    """Weights of P(preferred) = sigmoid(w . d), and the ridge: the one of lowest loss on folds held out in turn.

    minimise mean log(1 + e^(-w.d)) + (ridge / 2) |scale w|^2, scale the differences' root mean square.
    """
    d, fold = pairs.differences, pairs.fold

    def held_out_loss(ridge: float) -> float:
        parts = [(fold == k, _weight(d[fold != k], ridge)) for k in np.unique(fold)]
        return sum(float(np.logaddexp(0, -d[out] @ w).sum()) for out, w in parts)

    ridge = min(RIDGES, key=held_out_loss)
    return _weight(d, ridge), ridge


def _weight(d: Floats, ridge: float) -> Floats:
    # About zero, not about the mean: which answer is called preferred is no property of the features.
    scale = np.sqrt((d * d).mean(axis=0)) + 1e-12
    return np.asarray(fit_logistic(d / scale, ridge) / scale)


def held_out_margins(pairs: Pairs) -> Floats:
    """w . d of every pair by a head, ridge included, that saw no pair of its fold: [pairs]."""
    margin = np.empty(len(pairs.fold))
    for k in np.unique(pairs.fold):
        train, test = pairs.fold != k, pairs.fold == k
        seen = Pairs(pairs.differences[train], pairs.question[train], pairs.fold[train], pairs.tokens[train])
        margin[test] = pairs.differences[test] @ fitted(seen)[0]
    return margin


def accuracy(margin: Floats, question: NDArray[np.int64], seed: int = 0) -> dict[str, float | int]:
    """The share of pairs ranked as people did (a tie counts half), with two 95 % intervals.

    low, high: Wilson's, as if pairs were independent; cluster_low, cluster_high: bootstrap over questions.
    """
    right = (np.sign(margin) + 1) / 2
    low, high = proportion_confint(right.sum(), len(right), method="wilson")
    _, place = np.unique(question, return_inverse=True)
    hits, sizes = np.bincount(place, right), np.bincount(place)
    counts = resamples(len(sizes), seed)
    cluster_low, cluster_high = percentiles(counts @ hits / (counts @ sizes))
    return {
        "pairs": len(right),
        "questions": len(sizes),
        "accuracy": float(right.mean()),
        "low": float(low),
        "high": float(high),
        "cluster_low": cluster_low,
        "cluster_high": cluster_high,
    }
