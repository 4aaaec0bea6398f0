"""KL of blockwise best-of-K and of control on an adapter, against the enumeration of every answer."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from empirical.judging.best_of_kl import bound, by_ranks, top_atom
from empirical.judging.block_kl import block_bound, by_block_ranks, drift
from empirical.judging.win_rates import over_prompts
from theory.best_of import best_of

EOS, LONGEST = 0, 4


@dataclass(frozen=True)
class World:
    """A random process over two words and EOS, texts of at most LONGEST tokens, a score for every text and prefix."""

    seed: int
    M: int
    K: int

    def step(self, prefix):
        return np.random.default_rng([self.seed, 1, len(prefix), *prefix]).dirichlet(np.ones(3))

    def score(self, text):
        return np.random.default_rng([self.seed, 2, len(text), *text]).standard_normal()

    def blocks(self, prefix):
        """The blocks that may follow a prefix: texts, log p, log pi and scores."""
        texts, log_p = [], []
        for size in range(1, min(self.M, LONGEST - len(prefix)) + 1):
            for block in product(range(3), repeat=size):
                ends = block[-1] == EOS or size == self.M or len(prefix) + size == LONGEST
                if ends and EOS not in block[:-1]:
                    texts.append(prefix + block)
                    log_p.append(
                        sum(np.log(self.step(texts[-1][:i])[texts[-1][i]]) for i in range(len(prefix), len(texts[-1])))
                    )
        scores = np.array([self.score(text) for text in texts])
        return texts, np.array(log_p), best_of(np.array(log_p), scores, self.K), scores

    def answers(self, prefix=(), log_pi=0.0, so_far=()):
        """(tokens, log pi, log p of each block, scores' law at each block) of every answer."""
        texts, log_p, log_q, scores = self.blocks(prefix)
        for text, p, q in zip(texts, log_p, log_q, strict=True):
            path = (*so_far, (p, (log_p, scores)))
            if text[-1] == EOS or len(text) == LONGEST:
                yield text, log_pi + q, np.array([one for one, _ in path]), [laws for _, laws in path]
            else:
                yield from self.answers(text, log_pi + q, path)


def figures(world):
    """Over all answers: pi, log p, lengths, and the block-level estimates."""
    rows = list(world.answers())
    pi = np.exp([log_pi for _, log_pi, _, _ in rows])
    log_p = np.array([blocks.sum() for _, _, blocks, _ in rows])
    lengths = np.array([len(text) for text, _, _, _ in rows])
    estimate = np.array([top_atom(blocks, world.K).sum() for _, _, blocks, _ in rows])
    return pi, log_p, lengths, estimate, rows


WORLDS = [World(seed, M, K) for seed in range(12) for M, K in ((1, 2), (2, 3), (4, 4))]


@pytest.fixture(scope="module")
def enumerated():
    return [(world, *figures(world)[:4]) for world in WORLDS]


def test_bound_and_bias(enumerated):
    """The bound holds; the estimate errs by less than the bound's slack, and upwards. (Both: written beforehand.)"""
    slack, bias = [], []
    for world, pi, log_p, lengths, estimate in enumerated:
        assert pi.sum() == pytest.approx(1, abs=1e-12)
        kl = float(pi @ (np.log(pi) - log_p))
        valid = bound(world.K) * float(pi @ np.ceil(lengths / world.M))
        assert kl <= valid + 1e-12
        slack.append(valid - kl)
        bias.append(float(pi @ estimate) - kl)
    assert np.abs(bias).mean() < np.mean(slack)
    assert min(bias) > -1e-12


def test_the_bound_from_answers():
    """Drawn answers: the mean of the prompts' bounds, and an interval that holds its expectation."""
    world = World(3, 2, 3)
    pi, _, lengths, _, _ = figures(world)
    drawn = np.random.default_rng(0).choice(len(pi), (200, 10), p=pi)
    limit = over_prompts([block_bound(lengths[prompt], world.M, world.K) for prompt in drawn])
    assert limit.value == pytest.approx(bound(3) * np.ceil(lengths[drawn] / 2).mean())
    assert limit.low < bound(3) * (pi @ np.ceil(lengths / 2)) < limit.high


def test_estimates_from_candidates():
    """With 400 candidates a block, ranks give the sum of the blocks' exact KLs; with K = N, by hand."""
    world = World(5, 2, 3)
    pi, log_p, _, _, rows = figures(world)
    rng = np.random.default_rng(1)
    drawn = rng.choice(len(pi), (60, 4), p=pi)

    def candidates(laws, count):
        return np.array([rng.choice(scores, count, p=np.exp(p)) for p, scores in laws])

    sums = [[by_block_ranks(candidates(rows[i][3], 400), world.K) for i in prompt] for prompt in drawn]
    found = over_prompts(np.mean(sums, axis=1))
    assert found.low < pi @ (np.log(pi) - log_p) < found.high
    two = by_block_ranks([[1.0, 1.0], [1.0, 2.0]], 2)
    assert two == pytest.approx(bound(2))  # a tie of all candidates adds nothing
    assert two == sum(by_ranks(np.array(row), 2) for row in ([1.0, 1.0], [1.0, 2.0]))


def test_the_ceiling_of_an_expected_length_is_no_bound():
    """One token or five, each with probability one half, blocks of four, the longer one better, 64 last tokens."""
    second = np.full(64, -np.log(64.0))
    pi_long = 0.75  # best of two
    tail = best_of(second, np.arange(64.0), 2)
    kl = 0.75 * np.log(1.5) + 0.25 * np.log(0.5) + pi_long * float(np.exp(tail) @ (tail - second))
    lengths = np.array([5, 5, 5, 1])  # as often as under pi
    printed = bound(2) * np.ceil(lengths.mean() / 4)
    assert printed < kl - 0.05
    assert kl <= block_bound(lengths, 4, 2)


def test_lengths_of_the_base_give_no_bound():
    """Tokens one at a time, EOS with probability one half, longer is better: 4 tokens under pi, 2 under the base."""
    step = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    kl = 4 * step
    assert block_bound([2, 2], 1, 2) < kl - 0.1
    assert kl < block_bound([4, 4], 1, 2)


def test_control_on_an_adapter():
    """pi = best of two of d = (.8, .2): 24 and 1 of 25 answers. The sum of the two divergences is far too small."""
    p, d, pi = np.log([0.5, 0.5]), np.log([0.8, 0.2]), np.log([0.96, 0.04])
    answers = np.repeat([0, 1], [24, 1])
    found = (pi - d)[answers].mean() + drift(d[answers], p[answers])
    assert found == pytest.approx(float(np.exp(pi) @ (pi - p)), rel=1e-12)
    added = float(np.exp(pi) @ (pi - d) + np.exp(d) @ (d - p))
    assert added < bound(2) + float(np.exp(d) @ (d - p)) < found - 0.1
    assert drift(d, p, np.exp(pi)) == pytest.approx(drift(d[answers], p[answers]), rel=1e-12)
    assert bound(2) + drift(d[answers], p[answers]) > found, "a bound on KL(pi || d) gives a bound"


@pytest.mark.parametrize("M", [0, -3, 1.5])
def test_bad_block_sizes(M):  # noqa: N803
    with pytest.raises(ValueError, match="block size M must be an integer >= 1"):
        block_bound([1], M, 2)
