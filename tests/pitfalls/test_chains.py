"""Pitfalls of acceptance, chains and weights that no other test plants: duplicates, and texts cut at the limit."""

import numpy as np
import pandas as pd
import pytest

from empirical.corpora import cell_moments, draw_corpora, pool
from empirical.engines.jobs import Job, answers
from empirical.engines.torch import engine
from empirical.randomness import uniforms
from empirical.rows import SCHEMA
from empirical.schemes import study_schemes
from empirical.scoring import score
from empirical.studies.tradeoff import rows_of
from tests.statistical.p_values import binomial
from tests.statistical.randomised import Randomised
from theory.adaptors import ancestral

# (log_prior, reward, log_kept) of four draws in one cell: the first text came up three times.
DRAWS = [(-1.0, 2.0, -0.5), (-4.0, 7.0, -2.0), (-1.0, 2.0, -0.5), (-1.0, 2.0, -0.5)]


def cell(draws):
    rows = [("s", "p", number, *draw) for number, draw in enumerate(draws)]
    return pd.DataFrame(rows, columns=["scheme", "prompt_id", "sample_id", "log_prior", "reward", "log_kept"])


def mean_reward(rows, law):
    strings = pool(rows)
    return cell_moments(strings, strings.weights(law))[0, 0, 1]


@pytest.mark.parametrize("law", ["local", "global"])
def test_a_text_counts_as_often_as_it_was_drawn(law):
    """Mean reward of the self-normalised draws; without its duplicates the pool has another one."""
    weight = np.array([np.exp(draw[2]) if law == "global" else 1.0 for draw in DRAWS])
    expected = weight @ [draw[1] for draw in DRAWS] / weight.sum()
    assert mean_reward(cell(DRAWS), law) == pytest.approx(expected, rel=1e-12)
    assert mean_reward(cell(DRAWS).drop_duplicates(["log_prior", "reward"]), law) > expected + 0.5


def often_drawn(rng, draws=DRAWS):
    """How many of a corpus of 20,000 strings are the text that came up three times of four."""
    strings = pool(cell(draws))
    x, _ = draw_corpora(strings, strings.weights("local"), 20_000, 1, rng)
    return round(20_000 * (x[0, 0] + 4) / 3)  # log_prior is -1 of that text and -4 of the other


SHARES = Randomised(
    __name__,
    "corpora draw a text as often as it was drawn",
    draw=often_drawn,
    judge=lambda hits: binomial(hits, 20_000, 3 / 4),
    planted={"each text once": lambda rng: often_drawn(rng, DRAWS[:2])},
    sample="20,000 strings, exact binomial",
)


def test_corpora_draw_a_text_as_often_as_it_was_drawn():
    SHARES.hold()


@pytest.fixture(scope="module")
def cut(triple):
    """Answers of two tokens, none of which is the end."""
    prompt = tuple(triple.aligned.prompt_ids("a"))
    jobs = [Job(prompt, ancestral(), uniforms(0, "a", "cut", number, 2)) for number in range(8)]
    drawn = answers(engine(triple.aligned, len(prompt) + 2), jobs)
    drawn = [answer for answer in drawn if triple.aligned.eos not in answer.token_ids]
    assert len(drawn) > 3
    return drawn


def test_a_text_cut_at_the_limit_is_the_prefix_it_is(triple, cut):
    """Never finished, and scored without an end; the score of the complete text (EOS added) is another."""
    rows = rows_of(triple, "a", study_schemes()[:1], cut)
    assert list(rows.columns) == SCHEMA.names
    assert not rows.finished.any()
    ids = [list(map(int, one)) for one in rows.token_ids]
    assert ids == [answer.token_ids for answer in cut]
    for column, model in (("log_prior", triple.prior), ("log_aligned", triple.aligned)):
        prompt = model.prompt_ids("a")
        np.testing.assert_allclose(rows[column], score(model, prompt, ids).log_prob, atol=1e-4)  # float32, two tokens
        complete = score(model, prompt, [[*answer, model.eos] for answer in ids]).log_prob.numpy()
        assert np.abs(complete - rows[column]).min() > 0.01
