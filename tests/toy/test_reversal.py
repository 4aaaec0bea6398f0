"""The tables of the reversal experiment at its small size, and the price of bands."""

import numpy as np
import pandas as pd
import pytest

from tests.toy.promised import columns_of, keeps_its_promise
from theory.covariance import covariance
from theory.information import kl
from toy import reversal
from toy.dirichlet import Triple, dirichlet_triple, replayed_triple
from toy.improbability import CLOUD, STRINGS, bands, regions
from toy.resamplings import drawn
from toy.reversal import EPSILON, EXPONENTS, NOISES, SIZE, boundaries, run


@pytest.fixture(scope="module")
def tables():
    return run(0, small=True)


def test_the_promised_tables(tables):
    assert keeps_its_promise("toy_reversal", tables)
    for name, table in tables.items():
        assert len(table) > 0, name
        assert not table.isna().any(axis=None), name
        assert table.index.is_unique, name
        if "value" in table:
            assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all(), name


def test_run_is_a_function_of_its_seed(tables):
    again, other = run(0, small=True), run(1, small=True)
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, again[name])
    assert not tables["toy_reversal_seeds"].equals(other["toy_reversal_seeds"])


def test_small_tables_are_for_tests(monkeypatch):
    for name in ("over_replications", "over_worlds", "over_selections", "over_schemes", "regions", "bands"):
        monkeypatch.setattr(reversal, name, lambda *asked: asked)
    for small, (replications, corpora, worlds, cells, skip) in {
        True: (3, 300, 2, 8, 4),
        False: (200, 1000, 20, 41, 1),
    }.items():
        made = {name.removeprefix("toy_reversal_"): asked for name, asked in run(0, small=small).items()}
        kinds, *rest = made["seeds"]
        assert [len(list(each)) for each in kinds.values()] == [replications] * 3
        assert rest == [corpora, SIZE, EPSILON]
        exponents, noises, *rest = made["worlds"]
        assert (len(exponents), len(noises)) == (len(EXPONENTS[::skip]), len(NOISES[::skip]))
        assert (rest[0], rest[2:]) == (worlds, [corpora, SIZE, EPSILON])
        assert (made["selections"][2], made["selections"][4]) == (worlds, 2 * corpora)
        assert made["schemes"][2] == worlds
        assert made["regions"][1:] == (SIZE, cells)
        assert made["bands"][2:] == (SIZE, EPSILON)
        assert len(made["cloud"]) == corpora


def test_the_three_boundaries_are_ordered():
    table = boundaries().pivot(index="exponent", columns="weighting", values="noise")
    assert (table["typical"] < table["aligned"]).all()
    assert (table["aligned"] < table["uniform"]).all()


@pytest.fixture(scope="module")
def world():
    return dirichlet_triple(np.random.default_rng(3), 40, 1.0)


def test_regions_are_minus_n_kl(world):
    table = regions(world, 1000, 9)
    assert list(table) == columns_of("toy_reversal_regions")
    assert table.groupby("view").size().to_dict() == {CLOUD: 81, STRINGS: 81}
    centre = table.groupby("view").nth(40)
    np.testing.assert_allclose(centre["log_probability"], 0, atol=1e-9)
    assert (table["log_probability"] <= 1e-9).all()
    for _, view in table.groupby("view"):  # row by row of one mean of log p
        assert (view["mean_log_prior"].to_numpy().reshape(9, 9) == view["mean_log_prior"].to_numpy()[::9, None]).all()
    np.testing.assert_allclose(regions(world, 1000, 1)["log_probability"], 0, atol=1e-9)
    # At the scale of a corpus the law of means is nearly Gaussian: -N KL = -z' C^-1 z / 2, third cumulants aside.
    near = table[table["view"] == CLOUD]
    p = np.exp(world.log_aligned)
    parts = covariance(world.log_aligned, world.log_prior, world.reward)
    gaps = np.stack([near["mean_log_prior"] - p @ world.log_prior, near["mean_reward"] - p @ world.reward], axis=-1)
    inverse = np.linalg.inv([[parts.x, parts.xr], [parts.xr, parts.r]])
    gaussian = -1000 * np.einsum("gi,ij,gj->g", gaps, inverse, gaps) / 2
    np.testing.assert_allclose(near["log_probability"], gaussian, rtol=0.25, atol=0.05)


def test_bands_cost_the_tilt_to_their_nearest_edge(world):
    rng = np.random.default_rng(0)
    table = bands(world, drawn(world, 500, 1000, 0.02, rng), 1000, 0.02)
    assert list(table) == columns_of("toy_reversal_bands")
    wide = table[table["bands"] == "wide"].reset_index()
    first = wide.iloc[0]
    # The tilt p_+ e^(a log p) with mean at the first band's upper edge, by bisection on a.
    low, high = -50.0, 0.0
    for _ in range(200):
        a = (low + high) / 2
        log_w = world.log_aligned + a * world.log_prior
        log_q = log_w - np.logaddexp.reduce(log_w)
        low, high = (a, high) if np.exp(log_q) @ world.log_prior < first["high"] else (low, a)
    assert first["log_probability"] == pytest.approx(-1000 * kl(log_q, world.log_aligned), rel=1e-6)
    assert first["mean_reward"] == pytest.approx(np.exp(log_q) @ world.reward, rel=1e-6)
    assert table.groupby("bands")["share"].sum()["released"] == pytest.approx(1)
    assert (wide["log_probability"].iloc[[0, 9]] < wide["log_probability"].iloc[[3, 6]].min()).all()


def test_the_published_bands_cost_nats_and_wide_ones_tens_of_thousands():
    triple = replayed_triple()
    found = drawn(triple, 1000, SIZE, EPSILON, np.random.default_rng(0))
    outer = bands(triple, found, SIZE, EPSILON).query("band in (0, 9)").set_index("bands")
    assert outer.loc["released", "log_probability"].between(-15, -0.5).all()
    assert (outer.loc["wide", "log_probability"] < -10_000).all()
    assert (outer.loc["released", "atypicality"] < 1.5).all()
    assert (outer.loc["wide", "atypicality"] > 1).all()


def test_bad_input_is_named(world):
    for size, cells in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            regions(world, size, cells)
    with pytest.raises(ValueError, match="constant"):
        regions(Triple(world.log_prior, world.log_prior, np.zeros(40)), 10, 3)
    with pytest.raises(ValueError, match="fixed by the others"):
        regions(Triple(world.log_prior, 2 * world.log_prior, world.log_prior), 10, 3)
    with pytest.raises(ValueError, match=r"^log p and r must be finite"):
        regions(Triple(world.log_prior, world.log_aligned, np.full(40, np.inf)), 10, 3)
    found = drawn(world, 20, 10, 1.0, np.random.default_rng(0))
    for size, epsilon in ((0, 0.1), (10, 0.0)):
        with pytest.raises(ValueError, match=f"not {size} and {epsilon}"):
            bands(world, found, size, epsilon)
    with pytest.raises(ValueError, match=r"^no corpus is typical"):
        bands(world, found._replace(typical=np.zeros(20, dtype=bool)), 10, 0.1)
