import numpy as np
import pytest

from tests.toy.promised import keeps_its_promise
from toy import adaptor_control, adaptor_moves, normalisations, temperature_regimes

DRAWN = ("shares", "directions", "accepted")


@pytest.fixture(scope="module")
def tables():
    return adaptor_control.run(0, small=True)


def test_tables_have_their_names_and_rows(tables):
    assert keeps_its_promise("toy_adaptors", tables)
    assert all(len(table) for table in tables.values())


def test_small_tables_are_for_tests(monkeypatch):
    for module, name in (
        (adaptor_moves, "directions"),
        (normalisations, "accepted"),
        (normalisations, "heating"),
        (temperature_regimes, "shares"),
    ):
        monkeypatch.setattr(module, name, lambda *asked: asked[1])
    for small, sizes in {True: (100, 25, 25, 15), False: (2000, 500, 500, 60)}.items():
        made = adaptor_control.run(0, small)
        parts = ("shares", "directions", "accepted", "heating")
        assert tuple(made[f"toy_adaptors_{part}"] for part in parts) == sizes


@pytest.mark.parametrize("name", DRAWN)
def test_every_share_has_its_interval(tables, name):
    table = tables[f"toy_adaptors_{name}"]
    assert ((table["low"] <= table["share"]) & (table["share"] <= table["high"])).all()
    assert (table["high"] > table["low"]).all()


@pytest.mark.parametrize("name", ["regimes", "distances", "heating"])
def test_exact_tables_are_finite(tables, name):
    assert np.isfinite(tables[f"toy_adaptors_{name}"].select_dtypes("number")).all(axis=None)


def test_same_seed_same_tables(tables):
    again, other = adaptor_control.run(0, small=True), adaptor_control.run(1, small=True)
    assert all(tables[name].equals(again[name]) for name in tables)
    assert not tables["toy_adaptors_moves"].equals(other["toy_adaptors_moves"])


def test_poles_are_those_of_four_models(tables):
    poles = tables["toy_adaptors_poles"].groupby("model")["critical"].first()
    assert set(poles.index) == {"p₊ of the world", "2 symbols, e = .1", "2 symbols, e = .3", "golden bigram"}
    assert poles["2 symbols, e = .1"] == pytest.approx(1 - np.log(0.9) / np.log(2), rel=1e-12)
    assert poles["p₊ of the world"] == pytest.approx(tables["toy_adaptors_moves"]["critical"].iloc[0], rel=1e-12)
