"""What ships of the study: whether a verdict rests on the best of three noisy curves being read too high."""

import numpy as np
import pytest

from empirical.intervals import percentiles, resampled
from empirical.studies.controlled.cells import BLOCKS, HH, TOKENS
from empirical.studies.controlled.frontiers import compare, shared_places
from empirical.studies.controlled.quantities import SCORERS, TRAINED, Data
from empirical.studies.controlled.shipped_tables import read

NOT_MUCH = 0.05
"""The registered threshold of cd.exp2.tokens, a difference of win rates."""


@pytest.fixture(scope="module")
def data():
    tables, _ = read()
    prompts = tables["cells"][tables["cells"].task == HH].prompt_id.nunique()
    return Data(tables["cells"], {HH: resampled(np.random.default_rng(0), prompts, 1000)}, 16)


def curves(data, kind, scorer):
    return data.curve(HH, "bound", f"{kind} by {scorer}"), [data.curve(HH, "bound", name) for name in TRAINED]


@pytest.mark.parametrize("scorer", SCORERS)
def test_tokens_are_not_much_ahead_of_any_trained_policy_alone(data, scorer):
    """The best of the three, at each KL on the same prompts, is read too high; one alone is not."""
    mine, trained = curves(data, TOKENS, scorer)
    for theirs in trained:
        _, high = percentiles(compare(mine, theirs, data.counts[HH]).difference[1:])
        assert high < NOT_MUCH


@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("kind", [TOKENS, BLOCKS])
def test_the_best_of_three_is_read_too_high_by_a_few_hundredths(data, kind, scorer):
    """The best of three chosen on half of the prompts and read on the other half: 200 random halves."""
    mine, trained = curves(data, kind, scorer)
    places, rng = shared_places([mine, *trained]), np.random.default_rng(0)
    prompts, apart = data.counts[HH].shape[1], []
    for _ in range(200):
        half = rng.permutation(np.arange(prompts) % 2)[None].astype(float)
        best = np.argmax([theirs.at(places, half)[0] for theirs in trained], axis=0)
        other = np.array([theirs.at(places, 1 - half)[0] for theirs in trained])
        apart.append(np.mean(mine.at(places, 1 - half)[0] - other[best, np.arange(len(places))]))
    too_low = np.mean(apart) - compare(mine, trained, data.counts[HH]).difference[0]
    assert 0 < too_low < NOT_MUCH
