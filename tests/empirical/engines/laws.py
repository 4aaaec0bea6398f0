"""Do draws follow a law? One p-value for all who ask, and models that need no fixture."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from empirical.tiny import tiny_triple
from tests.empirical.enumerated import linear_scorer, world
from tests.empirical.six_words import six_words
from tests.statistical.p_values import mixture
from tests.statistical.randomised import SHARE

OFF = 1e-4
"""By how much a law of float32 passes errs relatively: a few tokens, each by 1e-5 nats or less."""


def follows(drawn, law):
    """A p-value for tokens or answers that are drawn, against their law."""
    return of_counts(np.bincount(drawn, minlength=len(law)), law)


def of_counts(counts, law):
    """The same for their counts."""
    return mixture(counts, law, OFF)


def fits(drawn, law):
    """The verdict at the share of one randomised test, for what cannot be declared at the top of a file."""
    return bool(follows(drawn, law) >= SHARE)


def counts_of(number, law):
    """A draw: counts of `number` draws of a law that is only asked for when drawing."""
    once = cache(lambda: law() / law().sum())
    return lambda rng: rng.multinomial(number, once())


def seed_from(rng):
    """A seed for what draws by seed."""
    return int(rng.integers(2**62))


@cache
def six(seed=0):
    """The six-word Llama, its scorer of two rewards and what it does after "a b"."""
    with TemporaryDirectory() as folder:
        model = six_words(Path(folder), seed)
    return model, linear_scorer(model), world(model, "a b", 3)


@cache
def tiny():
    """The tiny aligned model."""
    with TemporaryDirectory() as folder:
        return tiny_triple(Path(folder))[1]
