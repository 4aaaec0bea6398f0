import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.automata import Automaton, entropy
from theory.enumeration import blocks, moments
from theory.language_models import Tree, random_tree

RULES = settings(max_examples=60)


def reader(tree: Tree):
    """The rows of a tree, looked up by prefix: shortest first, then lexicographically."""
    starts = np.cumsum([0, *tree.level_sizes])

    def steps(prefixes):
        n, t = tree.n_symbols, prefixes.shape[1]
        return tree.log_steps[starts[t] + prefixes @ n ** np.arange(t)[::-1]]

    return steps, starts


def with_zeros(tree: Tree, rng: np.random.Generator) -> Tree:
    cut = tree.log_steps.copy()
    cut[:, 0] = np.where(rng.random(len(cut)) < 0.3, -np.inf, cut[:, 0])
    cut[:, -1] = np.where((cut[:, 0] == -np.inf) & (cut[:, 1] == -np.inf), 0.0, cut[:, -1])
    return Tree(cut - np.logaddexp.reduce(cut, axis=-1, keepdims=True))


@RULES
@given(st.integers(1, 4), st.integers(0, 5), st.integers(1, 40), st.booleans(), st.integers(0, 2**32))
def test_every_string_of_the_tree_once_with_its_probability(n, depth, size, zeros, seed):
    rng = np.random.default_rng(seed)
    tree = random_tree(n, depth, rng)
    tree = with_zeros(tree, rng) if zeros else tree
    steps, starts = reader(tree)
    found = np.full(tree.log_prob.shape, -np.inf)
    for strings, log_p in blocks(steps, n, depth, size):
        assert len(strings) == len(log_p) <= size
        assert np.all(log_p > -np.inf)
        at = starts[strings.shape[1]] + strings @ n ** np.arange(strings.shape[1])[::-1]
        assert np.all(found[at] == -np.inf)
        found[at] = log_p
    np.testing.assert_allclose(found, tree.log_prob, rtol=0, atol=1e-12)  # at most six additions


@RULES
@given(st.integers(1, 4), st.integers(0, 5), st.integers(1, 40), st.integers(0, 2**32))
def test_moments_are_those_of_the_listed_strings(n, depth, size, seed):
    tree = random_tree(n, depth, np.random.default_rng(seed))
    steps, _ = reader(tree)
    found, log_p = moments(steps, n, depth, size), tree.log_prob
    p = np.exp(log_p)
    mean = p @ log_p
    assert found.strings == log_p.size
    # A thousand terms of order 10 or 100.
    assert (found.mass, found.entropy) == pytest.approx((1, -mean), abs=1e-11)
    assert found.varentropy == pytest.approx(p @ (log_p - mean) ** 2, abs=1e-10)


def test_strings_that_underflow_are_counted_and_weigh_nothing():
    row = np.array([-800.0, np.log1p(-0.0)])
    found = moments(lambda prefixes: np.tile(row, (len(prefixes), 1)), 1, 2)
    assert (found.strings, found.mass, found.entropy, found.varentropy) == (3, 1.0, 0.0, 0.0)


def test_a_model_that_never_ends_early_has_only_the_longest_strings():
    never = np.append(np.log([0.25, 0.75]), -np.inf)
    ((strings, log_p),) = blocks(lambda prefixes: np.tile(never, (len(prefixes), 1)), 2, 3)
    assert sorted(map(tuple, strings.tolist())) == sorted(np.ndindex(2, 2, 2))
    np.testing.assert_allclose(np.exp(log_p), 0.25**3 * 3.0 ** strings.sum(axis=1), rtol=1e-14)  # three products


def test_ten_million_strings(capsys):
    """Eleven million strings of a bigram model; the time and the memory are printed, the values are checked."""
    n, depth = 10, 7
    rows = np.log(np.random.default_rng(0).dirichlet(np.ones(n + 1), size=n + 1))

    def steps(prefixes):
        return rows[prefixes[:, -1]] if prefixes.shape[1] else np.tile(rows[n], (len(prefixes), 1))

    start = time.perf_counter()
    found = moments(steps, n, depth)
    seconds = time.perf_counter() - start
    tracemalloc.start()
    moments(steps, n, depth)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    with capsys.disabled():
        print(f"\n{found.strings:,} strings in {seconds:.1f} s, at most {peak / 2**20:.0f} MiB")
    assert found.strings == sum(n**t for t in range(depth + 1))
    assert found.mass == pytest.approx(1, abs=1e-12)
    assert peak < found.strings * 8  # one float64 a string would take more
    # The oracle: H = sum over lengths of P(alive) H(step), with the last step certain.
    p, state, total = np.exp(rows), np.eye(n + 1)[n], 0.0
    for _ in range(depth):
        total += state @ -(p * rows).sum(axis=1)
        state = np.append(state @ p[:, :n], 0.0)
    assert found.entropy == pytest.approx(total, abs=1e-10)


def test_a_geometric_model_approaches_the_entropy_of_its_automaton():
    half = np.log([0.5, 0.5])
    found = moments(lambda prefixes: np.tile(half, (len(prefixes), 1)), 1, 60)
    # The strings past length 60 have mass 2^-60 and their entropy is 61 bits at most.
    assert found.entropy == pytest.approx(float(entropy(Automaton(half[:1].reshape(1, 1, 1), half[1:]))), abs=1e-14)


@pytest.mark.parametrize("arguments", [(0, 1, 1), (1, -1, 1), (1, 1, 0)])
def test_bad_parameters_are_named(arguments):
    with pytest.raises(ValueError, match=r"^n_symbols and size must be >= 1"):
        next(blocks(lambda prefixes: np.zeros((len(prefixes), 2)), *arguments))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.0, 0.0], "steps returned a row whose probabilities do not sum to 1"),
        ([0.0], r"steps must return one row a prefix, \(1, 2\), not \(1, 1\)"),
        ([np.nan, 0.0], r"steps\(prefixes\) contains NaN"),
        ([-np.inf, -np.inf], r"steps\(prefixes\) has a row"),
    ],
)
def test_bad_rows_are_named(row, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        list(blocks(lambda prefixes: np.tile(np.array(row), (len(prefixes), 1)), 1, 1))
