"""Example 1: local normalisation can reverse the order that the transform function gives two strings."""

from fractions import Fraction

import numpy as np

from theory.adaptors import Adaptor, ancestral, top_k
from theory.language_models import Tree, adapted, random_tree, strings
from theory.ledger import Evidence, at_least, at_most, claim, rejects

PERCENT = {(): (45, 45, 10), (0,): (30, 21, 49), (1,): (48, 2, 50)}
K = 2
A, B = 1, 2  # the rows of the strings (0,) and (1,)


@claim(
    "tan.ex1",
    paper="tan",
    where="Appendix A, Example 1",
    kind="example",
    statement="There are a model and strings x, y whose top-k scores Π f(p)(y_t) satisfy score(x) < score(y) while the "
    "locally normalised law has p_loc(x) > p_loc(y); the globally normalised law keeps the order of the scores.",
    verdict="holds",
)
def reversal(rng: np.random.Generator) -> Evidence:
    tree = _example()
    result = adapted(tree, top_k(K))
    score = {string: _exact((string,), normalise=False) for string in (0, 1)}
    local = {string: _exact((string,), normalise=True) for string in (0, 1)}
    computed = np.exp([*result.log_scores[[A, B]], *result.local.log_prob[[A, B]]])
    yield at_most(
        "scores and local probabilities of the example",
        oracle="exact fractions",
        residuals=np.abs(computed - [float(score[0]), float(score[1]), float(local[0]), float(local[1])]),
        tolerance=1e-15,  # products of three factors
    )
    yield at_least(
        "score(y) - score(x) and p_loc(x) - p_loc(y)",
        oracle="exact fractions",
        margins=[float(score[1] - score[0]), float(local[0] - local[1])],
        tolerance=1e-3,  # the figures are exact; a reversal by a thousandth is visible
    )
    random = random_tree(2, 3, rng, batch=(1000,))
    yield at_least(
        "random models with some reversed pair, of 1000",
        oracle="all pairs of strings",
        margins=[1000 * _reversed_share(random, top_k(K))],
        tolerance=1,  # the claim is one of existence
    )
    yield rejects(
        "global normalisation reverses the pair",
        at_least("", oracle="", margins=[np.exp(result.log_global[A]) - np.exp(result.log_global[B])], tolerance=1e-3),
    )
    for name, model, adaptor in (
        ("no adaptor", random, ancestral()),
        ("models of one step", random_tree(3, 1, rng, batch=(1000,)), top_k(K)),
    ):
        found = 1000 * _reversed_share(model, adaptor)
        yield rejects(f"reversal with {name}", at_least("", oracle="", margins=[found], tolerance=1))


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


def _reversed_share(tree: Tree, adaptor: Adaptor) -> float:
    """The share of a batch of models with a pair of strings that scores order one way and p_loc the other."""
    result = adapted(tree, adaptor)
    kept = np.where(result.log_scores > -np.inf, 1.0, np.nan)  # a cut string takes part in no pair
    by_score, by_local = (
        (values * kept)[..., :, None] - (values * kept)[..., None, :]
        for values in (np.exp(result.log_scores), np.exp(result.local.log_prob))
    )
    # Below 1e-12 the order of two equal strings is an accident of rounding.
    reversals = (by_score < -1e-12) & (by_local > 1e-12)
    return float(np.mean(np.any(reversals, axis=(-2, -1))))
