"""Predicted = exact where every text is listed, calibrated where texts are drawn; planted slips are noticed."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empirical.prediction import Corpus, Guard, bounds, predict, recommend, resampled, tangent, tempered
from tests.statistical.p_values import binomial
from tests.statistical.randomised import Randomised
from theory.covariance import covariance, temperature_response

N = 400  # texts a prompt in the listed worlds


def world(rng, prompts=4, texts=9, schemes=3):
    """Texts with p_plus(y) = count / N, so that N texts hold exactly their shares; laws q that may cut some."""
    # From prompts with one likely answer to prompts with many: their normalisers under a global law differ.
    shares = [rng.dirichlet(np.full(texts, breadth)) for breadth in np.geomspace(0.05, 20, prompts)]
    counts = 1 + np.array([rng.multinomial(N - texts, share) for share in shares])
    log_p = np.log(counts / N)
    q = rng.dirichlet(np.ones(texts), (schemes, prompts)) * (rng.random((schemes, prompts, texts)) < 0.8)
    q[..., 0] += 0.1
    with np.errstate(divide="ignore"):
        log_q = np.log(q / q.sum(axis=-1, keepdims=True))
    values = rng.normal(size=(2, prompts, 1)) * 5 + rng.normal(size=(2, prompts, texts))
    return counts, log_p, log_q, values


def listed(counts, array):
    """Each text as often as its count: [..., P, texts] -> [..., P, N]."""
    return np.stack([np.repeat(array[..., p, :], c, axis=-1) for p, c in enumerate(counts)], axis=-2)


def exact(log_q, values):
    """E_q[f], prompts counted equally: [K, F]."""
    return np.einsum("kpm,fpm->kf", np.exp(log_q), values) / log_q.shape[1]


@given(st.integers(0, 2**32 - 1), st.sampled_from(["local", "global"]))
def test_predicted_is_exact_where_every_text_is_listed(seed, law):
    rng = np.random.default_rng(seed)
    counts, log_p, log_q, values = world(rng)
    corpus = Corpus(listed(counts, log_p), listed(counts, values))
    log_w = log_q - log_p
    if law == "global":
        log_w = log_w + rng.normal(size=(3, 4, 1)) * 50  # each prompt's own unknown normaliser
    found = predict(corpus, listed(counts, log_w), law)
    plain = corpus.values.mean(axis=-1).mean(axis=-1)
    # The covariance is the unbiased one; a listed world is no sample, so its n - 1 is taken back.
    np.testing.assert_allclose(
        plain + found.shifts(np.ones(4)) * (N - 1) / N, exact(log_q, values), atol=1e-9, rtol=1e-9
    )


def test_no_weights_no_shift_and_full_ess():
    rng = np.random.default_rng(1)
    corpus = Corpus(rng.normal(size=(3, 50)), rng.normal(size=(2, 3, 50)))
    for law, ess in (("local", 150), ("global", 50)):
        found = predict(corpus, np.zeros((1, 3, 50)), law)
        np.testing.assert_allclose(found.means(np.ones(3))[0], corpus.values.mean(axis=(1, 2)))
        np.testing.assert_allclose(found.ess, ess)


def test_slips_are_noticed():
    """The wrong temperature, one normaliser for all prompts of a global law, the guard's price."""
    rng = np.random.default_rng(2)
    counts, log_p, _, values = world(rng, prompts=6)
    corpus = Corpus(listed(counts, log_p), listed(counts, values))
    log_q = log_p / 0.7
    log_q = (log_q - np.log(np.exp(log_q).sum(axis=-1, keepdims=True)))[None]
    truth = exact(log_q, values)

    def error(temperatures, law):
        found = predict(corpus, tempered(corpus.log_p, temperatures), law)
        return np.abs(found.means(np.ones(6)) - truth).max()

    right = error([0.7], "global")
    assert right < 0.01  # one part in N of a shift of order 1
    assert error([1 / 0.7], "global") > 20 * right
    assert error([1.0], "global") > 20 * right
    assert error([0.7], "local") > 20 * right, "a prompt with a large Z counts for more than its share"


@given(st.integers(0, 2**32 - 1))
def test_the_tangent_is_the_derivative_and_theorys_temperature_response(seed):
    rng = np.random.default_rng(seed)
    log_p, values = rng.normal(size=(3, 20)) * 2, rng.normal(size=(2, 3, 20))
    values[1] = log_p - values[0]  # X and R of the secret reward: they sum to log p_plus
    corpus, h = Corpus(log_p, values), 1e-5
    up, down = predict(corpus, tempered(log_p, [1 + h, 1 - h]), "global").means(np.ones(3))
    slope = tangent(corpus)
    # Central differences: h^2 of the third derivative, and rounding over h.
    np.testing.assert_allclose((up - down) / (2 * h), slope.mean(axis=-1), atol=1e-6, rtol=1e-6)
    flat = np.full((3, 20), -np.log(20))
    by_theory = -np.stack(temperature_response(flat, *values)) * 20 / 19  # dg = - dT at T = 1; unbiased
    np.testing.assert_allclose(slope, by_theory, atol=1e-10)
    np.testing.assert_allclose(slope[0], -covariance(flat, values[0], log_p).xr * 20 / 19, atol=1e-10)


def gaussian(rng, distance, prompts=20, texts=64):
    """S ~ N(0, 1) a text, f = S + its prompt's level + noise; the scheme moves S to N(distance, 1)."""
    s, level = rng.normal(size=(prompts, texts)), 3 * rng.normal(size=(prompts, 1))
    values = (s + level + 0.5 * rng.normal(size=s.shape))[None]
    log_w = distance * s - distance**2 / 2
    return Corpus(s, values), log_w[None], level.mean() + distance


WORLDS = 600


def covered(rng, law, spread=1.0):
    """Of 600 worlds: how many intervals of predicted - sampled cover 0, how many errors lie within a deviation.

    Both sides are resampled by the same prompts; spread: planted, what the resamples' distance from 0 is multiplied by.
    """
    held = near = 0
    for _ in range(WORLDS):
        corpus, log_w, _ = gaussian(rng, 0.7)
        level = corpus.values[0] - corpus.log_p
        drawn = (rng.normal(0.7, 1, (20, 4)) + level[:, :4]).mean(axis=1)
        found, counts = predict(corpus, log_w, law), resampled(20, 200, rng)
        again, error = found.means(counts)[:, 0, 0] - counts @ drawn / 20, found.means(np.ones(20))[0, 0] - drawn.mean()
        again = error + spread * (again - error)
        low, high = bounds(again)
        held += low <= 0 <= high
        near += abs(error) <= again.std()
    return held, near


COVERAGE = {
    law: Randomised(
        __name__,
        f"intervals of the difference cover, {law}",
        draw=partial(covered, law=law),
        # 95 %, of which 20 clusters and 200 resamples cost some points; 68 % of a normal law.
        judge=lambda found: [binomial(found[0], WORLDS, 0.88, 1), binomial(found[1], WORLDS, 0.6, 0.75)],
        planted={
            "deviations halved": partial(covered, law=law, spread=0.5),
            "deviations doubled": partial(covered, law=law, spread=2.0),
        },
        sample="600 intervals cover in 88 % or more, 60 to 75 % of errors lie within a deviation, exact binomials",
        trials=WORLDS,
    )
    for law in ("local", "global")
}


@pytest.mark.parametrize("law", COVERAGE)
def test_intervals_of_the_difference_cover(law):
    COVERAGE[law].hold()


def too_low(rng, distance=4.0):
    """In how many of 120 worlds the prediction is too low by half a unit or more."""
    found = 0
    for _ in range(120):
        corpus, log_w, truth = gaussian(rng, distance)
        found += predict(corpus, log_w, "local").means(np.ones(20))[0, 0] < truth - 0.5
    return found


TOO_LOW = Randomised(
    __name__,
    "without the guard predictions are too low",
    draw=too_low,
    judge=lambda hits: binomial(hits, 120, 0.7, 1),
    planted={"a scheme that is near": partial(too_low, distance=1.0)},
    sample="120 worlds, too low in 70 % or more, exact binomial",
    trials=120,
)


def test_without_the_guard_predictions_are_wrong():
    """At distance 4 the texts that matter are e^8 times rarer than the corpus is large: refused, and rightly."""
    TOO_LOW.hold()
    ess = [predict(*gaussian(np.random.default_rng([8, seed]), 4.0)[:2], "local").ess for seed in range(20)]
    assert not Guard().passes(np.array(ess), "local").any()
    assert Guard(corpus=0).passes(np.array(ess), "local").all()
    near = predict(*gaussian(np.random.default_rng(9), 0.5)[:2], "local")
    assert Guard().passes(near.ess, "local").all()


def test_the_global_guard_asks_the_weakest_prompt():
    log_w = np.zeros((1, 3, 40))
    log_w[0, 1, 1:] = -np.inf  # one text of the second prompt survives
    corpus = Corpus(np.zeros((3, 40)), np.zeros((1, 3, 40)))
    assert predict(corpus, log_w, "global").ess == pytest.approx(1)
    assert predict(corpus, log_w, "local").ess == pytest.approx(81)


def test_nothing_is_predicted_where_no_text_survives():
    corpus = Corpus(np.zeros((2, 5)), np.ones((1, 2, 5)))
    nothing = np.full((1, 2, 5), -np.inf)
    half = np.stack([np.zeros((1, 5)), np.full((1, 5), -np.inf)], axis=1)
    for log_w, law in ((nothing, "local"), (nothing, "global"), (half, "global")):
        found = predict(corpus, log_w, law)
        assert found.ess.tolist() == [0.0]
        assert np.isnan(found.means(np.ones(2))).all()


def test_bad_input():
    corpus = Corpus(np.zeros((2, 5)), np.ones((1, 2, 5)))
    with pytest.raises(ValueError, match="local"):
        predict(corpus, np.zeros((1, 2, 5)), "loca")
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="log-weights"):
            predict(corpus, np.full((1, 2, 5), bad), "local")
    with pytest.raises(ValueError, match="two texts"):
        Corpus(np.zeros((2, 1)), np.ones((1, 2, 1)))
    with pytest.raises(ValueError, match="every value"):
        Corpus(np.zeros((2, 5)), np.ones((1, 2, 4)))


def table(means, plain=(-60.0, 0.0)):
    """tan_prediction of made-up means {scheme: (log prior, reward)}; None: refused."""
    rows = []
    for scheme, pair in means.items():
        for quantity, value, origin in zip(
            ("mean_log_prior", "mean_reward"), pair or (np.nan,) * 2, plain, strict=True
        ):
            figures = {"predicted": value, "low": value - 0.1, "high": value + 0.1, "change_low": value - origin - 0.1}
            rows.append({"law": "local", "scheme": scheme, "quantity": quantity, "ancestral": origin, **figures})
    frame = pd.DataFrame(rows).assign(tokens=32)
    # Neither the other law nor the first tokens alone are asked.
    return pd.concat([frame, frame.assign(law="global", predicted=9.0), frame.assign(tokens=8, predicted=9.0)])


def test_recommend_takes_the_best_reward_that_stays_probable():
    means = {"ancestral": (-60, 0), "a": (-50, 0.5), "b": (-70, 2.0), "c": (-55, 0.4), "d": (-40, -1), "e": None}
    frontier, sentence = recommend(table(means))
    assert frontier.scheme.tolist() == ["d", "a", "b"]
    assert frontier.mean_reward.tolist() == [-1, 0.5, 2.0]
    np.testing.assert_allclose(frontier.mean_log_prior_high - frontier.mean_log_prior_low, 0.2)
    assert sentence.startswith("Use a: ")
    assert "5 of 6 schemes" in sentence
    assert "not clearly" not in sentence
    assert recommend(table(means), least_log_prior=-100)[1].startswith("Use b: ")
    assert "not clearly" in recommend(table({"ancestral": (-60, 0), "a": (-50, 0.05)}))[1]
    with pytest.raises(ValueError, match="no predicted scheme"):
        recommend(table(means), least_log_prior=-1)
    with pytest.raises(ValueError, match="no scheme is predicted"):
        recommend(table({"e": None}))
