"""What is drawn depends on the names of the answer and on nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from empirical.randomness import uniforms

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


def test_uniform_across_samples():
    """20,000 first draws, Kolmogorov-Smirnov at size 1e-6; the planted u^1.1 (off by .035) must be rejected."""
    first = np.array([uniforms(7, "p", "s", sample, 1)[0] for sample in range(20_000)])
    assert kstest(first, "uniform").pvalue > 1e-6
    assert kstest(first**1.1, "uniform").pvalue < 1e-6


def test_no_two_of_many_are_alike():
    """Of 30,000 uniforms of 53 bits some two agree with probability 5e-8; of 24 bits 27 pairs do in the mean."""
    drawn = uniforms(7, "p", "s", 0, 30_000)
    assert len(np.unique(drawn)) == len(drawn)
    assert len(np.unique(drawn.astype(np.float32))) < len(drawn)  # size and power: 5e-8 and 1 - e^-27


def test_negative_sample():
    with pytest.raises(ValueError, match="sample number"):
        uniforms(0, "p", "s", -1, 1)
