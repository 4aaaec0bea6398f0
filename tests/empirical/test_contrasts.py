"""Contrasts of scheme means: recovered where planted, paired by prompt, and left out where no scheme answers."""

from functools import partial

import numpy as np
import pytest

from empirical.contrasts import contrast_rows, contrasts
from empirical.intervals import resampled
from empirical.schemes import study_schemes
from tests.statistical.p_values import normal
from tests.statistical.randomised import Randomised

SCHEMES = study_schemes()
HEAT = np.array([scheme.temperature for scheme in SCHEMES])
NAMES = [scheme.family for scheme in SCHEMES]


def rows_of(means, schemes=SCHEMES, resamples=400):
    prompts = resampled(np.random.default_rng(0), means.shape[1], resamples)
    return {(row["quantity"], row["item"]): row for row in contrast_rows(means, schemes, prompts, "x", "global")}


def planted(slope=-3.0, tight=0.5, noise=0.1, prompts=20, rng=None):
    """Prompts far apart, each answering with `slope` per unit of T and `tight` more under tighter truncations."""
    rng = np.random.default_rng(1) if rng is None else rng
    level = 100 * rng.normal(size=prompts)
    extra = np.array([tight * (name in ("nucleus(0.9)", "top_k(30)")) for name in NAMES])
    return level + (slope * (HEAT - 1) + extra)[:, None] + noise * rng.normal(size=(len(SCHEMES), prompts))


def found_effects(rng, **wrong):
    """The slope, and what two truncations do, as found in a world that is drawn."""
    found = rows_of(planted(**wrong, rng=rng), resamples=2)
    return [
        found[key]["value"] for key in (("temperature_x", ""), *(("truncation_x", f"top_k({k})") for k in (30, 50)))
    ]


def normal_effects(values):
    """Means over 20 prompts of differences of normal noise of deviation 0.1, and of least-squares slopes of it."""
    squares = [((HEAT[at] - HEAT[at].mean()) ** 2).sum() for at in by_family()]
    slope = 0.1 * np.sqrt(np.sum(1 / np.array(squares)) / 20) / len(squares)
    return normal(values, [-3, 0.5, 0], [slope, *[0.1 * np.sqrt(2 / 20)] * 2])


def by_family():
    """The places of the schemes of each family that has several temperatures."""
    return [
        np.array([k for k, other in enumerate(NAMES) if other == name]) for name in set(NAMES) if name != "ancestral"
    ]


VALUES = Randomised(
    __name__,
    "planted effects are found",
    draw=found_effects,
    judge=normal_effects,
    planted={
        "a slope of -2.8": partial(found_effects, slope=-2.8),
        "a truncation's effect of 0.8": partial(found_effects, tight=0.8),
    },
    sample="31 schemes, 20 prompts, three figures of exactly normal law",
)


def test_planted_effects_are_found_although_prompts_are_far_apart():
    found = rows_of(planted())
    slope = found["temperature_x", ""]
    assert slope["low"] < slope["value"] < slope["high"] < 0
    VALUES.hold()
    assert len([key for key in found if key[0] == "truncation_x"]) == 6
    for item in ("nucleus(0.9) less nucleus(0.95)", "top_k(30) less top_k(50)"):
        assert 0 < found["degree_x", item]["low"] < 0.5 < found["degree_x", item]["high"] + 0.1
    unpaired = planted()[0].std() / np.sqrt(20)  # what prompts' levels would do to a mean that is not paired
    assert slope["high"] - slope["low"] < unpaired / 10


def test_slopes_are_least_squares():
    means = planted(noise=5.0)
    found = rows_of(means)
    for name in ("eta(0.0009)", "top_k(50)"):
        chosen = [k for k, family in enumerate(NAMES) if family == name]
        expected = np.polyfit(HEAT[chosen], means[chosen].mean(axis=1), 1)[0]
        assert found["slope_x", name]["value"] == pytest.approx(expected)


def test_many_items_widen_the_interval_that_refutes():
    row = rows_of(planted(noise=5.0))["truncation_x", "top_k(30)"]
    assert row["wide_low"] < row["low"] < row["high"] < row["wide_high"]
    alone = rows_of(planted(noise=5.0))["temperature_x", ""]
    assert (alone["wide_low"], alone["wide_high"]) == (alone["low"], alone["high"])


def test_pairs_apart():
    rng = np.random.default_rng(2)
    null = 100 * rng.normal(size=20) + rng.normal(size=(len(SCHEMES), 20))
    share = rows_of(null)["pairs_apart_x", ""]
    assert share["value"] < 0.2  # 5 % by chance, pairs dependent
    assert rows_of(null + 10 * np.arange(len(SCHEMES))[:, None])["pairs_apart_x", ""]["value"] == 1
    assert share["low"] <= share["value"] <= share["high"]


def test_temperatures_dealt_out_leave_no_slope():
    means = planted()[np.random.default_rng(3).permutation(len(SCHEMES))]
    row = rows_of(means)["temperature_x", ""]
    assert abs(row["value"]) < 1.5, "the planted slope of -3 is gone"


def test_questions_without_schemes_are_left_out():
    assert "temperature" not in contrasts([scheme for scheme in SCHEMES if scheme.temperature == 1])
    assert "truncation" not in contrasts([scheme for scheme in SCHEMES if scheme.family != "ancestral"])
    assert contrasts(SCHEMES[:1]) == {}
