"""What is drawn depends on the names of the answer and on nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empirical.randomness import uniforms
from tests.statistical.p_values import distribution
from tests.statistical.randomised import Randomised

names = st.text(max_size=8)


@given(st.integers(0, 2**70), names, names, st.integers(0, 2**40), st.integers(1, 40), st.integers(1, 40))
def test_a_longer_answer_starts_with_the_same_uniforms(seed, prompt, scheme, sample, steps, more):
    short, long = (uniforms(seed, prompt, scheme, sample, n) for n in (steps, steps + more))
    assert (long[:steps] == short).all()
    assert ((long >= 0) & (long < 1)).all()


@given(names, names, st.integers(0, 1000))
def test_every_name_matters(prompt, scheme, sample):
    base = uniforms(0, prompt, scheme, sample, 4)
    others = [
        uniforms(1, prompt, scheme, sample, 4),
        uniforms(0, prompt + "x", scheme, sample, 4),
        uniforms(0, prompt, scheme + "x", sample, 4),
        uniforms(0, prompt, scheme, sample + 1, 4),
    ]
    assert not any(np.isin(base, other).any() for other in others)


@given(st.integers(2**60, 2**63 - 2))
def test_large_seeds_are_not_rounded(seed):
    assert not np.isin(uniforms(seed, "p", "s", 0, 4), uniforms(seed + 1, "p", "s", 0, 4)).any()


def first_draws(rng):
    """The first uniform of 20,000 answers, under a seed of their own."""
    seed = int(rng.integers(2**62))
    return np.array([uniforms(seed, "p", "s", sample, 1)[0] for sample in range(20_000)])


UNIFORM = Randomised(
    __name__,
    "uniform across samples",
    draw=first_draws,
    judge=lambda u: distribution(u, lambda x: x),
    planted={"u^1.1": lambda rng: rng.random(20_000) ** 1.1},
    sample="20,000 draws, DKW",
)


def alike(drawn):
    """By how much they exceed the different ones among them."""
    return len(drawn) - len(np.unique(drawn))


def too_many_alike(count):
    """Each of N pairs agrees with probability 2^-53, any two pairs independently: P(two or more) <= (N 2^-53)^2 / 2."""
    pairs = 60_000 * 59_999 / 2 * 2.0**-53
    return [1, pairs, pairs**2 / 2][min(count, 2)]


ALIKE = Randomised(
    __name__,
    "no two of many are alike",
    draw=lambda rng: alike(uniforms(int(rng.integers(2**62)), "p", "s", 0, 60_000)),
    judge=too_many_alike,
    planted={"24 bits": lambda rng: alike(rng.random(60_000, dtype=np.float32))},
    sample="60,000 draws of 53 bits, pairs that agree, exact bound",
)


def test_uniform_across_samples():
    UNIFORM.hold()


def test_no_two_of_many_are_alike():
    """Of 24 bits a hundred pairs agree in the mean."""
    ALIKE.hold()


def test_negative_sample():
    with pytest.raises(ValueError, match="sample number"):
        uniforms(0, "p", "s", -1, 1)
