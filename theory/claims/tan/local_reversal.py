"""Example 1: local normalisation can reverse the order that the transform function gives two strings."""

from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from theory.adaptors import Adaptor, ancestral, local, top_k
from theory.arrays import normalised
from theory.language_models import Tree, adapted, log_dirichlet, strings
from theory.ledger import Evidence, at_least, at_most, claim, rejects

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PERCENT = {(): (45, 45, 10), (0,): (30, 21, 49), (1,): (48, 2, 50)}
K = 2
A, B = 1, 2  # the rows of the strings (0,) and (1,)


@claim(
    "tan.ex1",
    paper="tan",
    where="Appendix A, Example 1",
    kind="example",
    statement="There are a model and strings x, y whose top-k scores Π f(p)(y_t) satisfy score(x) < score(y) while the "
    "locally normalised law has p_loc(x) > p_loc(y); the globally normalised law keeps the order of the scores. "
    "Any two next-token rows a, b with kept masses Z_a < Z_b occur in such a model, both log-ratios ½ log(Z_b/Z_a).",
    verdict="holds",
)
def reversal(rng: np.random.Generator) -> Evidence:
    tree = _example()
    result = adapted(tree, top_k(K))
    score = {string: _exact((string,), normalise=False) for string in (0, 1)}
    locally = {string: _exact((string,), normalise=True) for string in (0, 1)}
    computed = np.exp([*result.log_scores[[A, B]], *result.local.log_prob[[A, B]]])
    yield at_most(
        "scores and local probabilities of the example",
        oracle="exact fractions, worked example",
        residuals=np.abs(computed - [float(score[0]), float(score[1]), float(locally[0]), float(locally[1])]),
        tolerance=1e-15,  # products of three factors
    )
    yield at_least(
        "score(y) - score(x) and p_loc(x) - p_loc(y)",
        oracle="exact fractions, worked example",
        margins=[float(score[1] - score[0]), float(locally[0] - locally[1])],
        tolerance=1e-3,  # the figures are exact; a reversal by a thousandth is visible
    )
    rows = log_dirichlet(3, rng, batch=(1000, 2))
    model, x, y, gap = _adversary(rows, top_k(K))
    either = adapted(model, top_k(K))
    by_score, by_local, by_global = (
        _pick(law, x) - _pick(law, y) for law in (either.log_scores, either.local.log_prob, either.log_global)
    )
    # A few logarithms of products of two probabilities.
    check = partial(at_most, oracle="kept masses of the two rows", tolerance=1e-12)
    yield check("log score(y)/score(x) - ½ log(Z_b/Z_a)", residuals=np.abs(-by_score - gap))
    yield check("log p_loc(x)/p_loc(y) - ½ log(Z_b/Z_a)", residuals=np.abs(by_local - gap))
    reversal_seen = partial(at_least, oracle="enumeration of all strings", tolerance=1e-12)  # above rounding
    both = np.concatenate([-by_score, by_local])
    yield reversal_seen("log score(y)/score(x) and log p_loc(x)/p_loc(y)", margins=both)
    yield rejects("global normalisation reverses the pair", reversal_seen("", margins=by_global))
    plain = _adversary(rows, ancestral())
    unadapted = adapted(plain[0], ancestral()).local.log_prob
    yield rejects(
        "reversal with no adaptor", reversal_seen("", margins=_pick(unadapted, plain[1]) - _pick(unadapted, plain[2]))
    )
    one_row = np.repeat(rows[:, :1], 2, axis=1)
    alike = _adversary(one_row, top_k(K))
    yield rejects("reversal with equal kept masses", reversal_seen("", margins=alike[3]))
    yield rejects("log p_loc(x)/p_loc(y) = log(Z_b/Z_a)", check("", residuals=np.abs(by_local - 2 * gap)))


def _example() -> Tree:
    """The three given rows; strings of length 2 end there."""
    rows = [PERCENT.get(string, (0, 0, 100)) for string in strings(2, 2)]
    with np.errstate(divide="ignore"):  # log 0 is meant
        return Tree(np.log(np.array(rows) / 100))


def _exact(string: tuple[int, ...], normalise: bool) -> Fraction:
    """The product of kept probabilities along `string`, EOS included, as a fraction."""
    result = Fraction(1)
    for t, token in enumerate((*string, 2)):
        row = [Fraction(p, 100) for p in PERCENT[string[:t]]]
        kept = sorted(row, reverse=True)[:K]
        result *= row[token] / (sum(kept) if normalise else 1) if row[token] in kept else 0
    return result


def _adversary(rows: Floats, adaptor: Adaptor) -> tuple[Tree, Ints, Ints, Floats]:
    """A first token a or b before the given rows [B, 2, 3], so that their best strings x and y are reversed.

    Row a keeps less mass, Z_a < Z_b; P(b)/P(a) makes score(y)/score(x) = sqrt(Z_b/Z_a), so that
    p_loc(y)/p_loc(x) = sqrt(Z_a/Z_b). EOS is the least likely first token. Returns the model, x, y and that log-ratio.
    """
    kept = local(adaptor, rows)[1]
    rows = np.where((kept[:, 0] > kept[:, 1])[:, None, None], rows[:, ::-1], rows)
    kept = np.sort(kept, axis=-1)
    gap, best, token = (kept[:, 1] - kept[:, 0]) / 2, rows.max(axis=-1), rows.argmax(axis=-1)
    odds = best[:, 0] - best[:, 1] + gap
    first = np.stack([np.zeros_like(odds), odds, np.minimum(odds, 0) - np.log(2)], axis=-1)
    ends = np.broadcast_to([-np.inf, -np.inf, 0.0], (len(rows), 4, 3))
    model = Tree(np.concatenate([normalised(first)[:, None], rows, ends], axis=1))
    # Strings: (), (a), (b), (a, 0), (a, 1), (b, 0), (b, 1).
    x, y = (np.where(token[:, i] == 2, 1 + i, 3 + 2 * i + token[:, i]) for i in (0, 1))
    return model, x, y, gap


def _pick(law: Floats, string: Ints) -> Floats:
    return np.asarray(np.take_along_axis(law, string[:, None], axis=-1)[:, 0])
