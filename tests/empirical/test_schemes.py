"""The 31 schemes are those that the study names, temperature first."""

import numpy as np
import pytest

from empirical.schemes import ADAPTORS, TEMPERATURES, study_schemes
from theory.adaptors import temperature

NAMES = ["top_k(30)", "top_k(50)", "nucleus(0.9)", "nucleus(0.95)", "locally_typical(0.9)", "eta(0.0009)"]


def test_names_families_and_temperatures():
    schemes = study_schemes()
    expected = [(f"{family}@T={T}", family, float(T)) for family in NAMES for T in ("0.5", "0.75", "1", "1.25", "1.5")]
    assert [(s.name, s.family, s.temperature) for s in schemes] == [("ancestral", "ancestral", 1.0), *expected]
    assert list(ADAPTORS) == NAMES
    assert TEMPERATURES == (0.5, 0.75, 1.0, 1.25, 1.5)


@pytest.mark.parametrize("seed", range(3))
def test_each_cuts_after_it_heats(seed):
    """Of 2,000 tokens: the truncation of p^(1/T). Cut first, nuclei would be as large at every T."""
    log_p = np.log(np.random.default_rng(seed).dirichlet(np.full(2000, 0.2)) + 1e-12)
    plain, *others = study_schemes()
    np.testing.assert_array_equal(plain.adaptor(log_p), log_p)
    for scheme in others:
        found = scheme.adaptor(log_p)
        tempered = log_p if scheme.temperature == 1 else temperature(scheme.temperature)(log_p)
        np.testing.assert_array_equal(found, ADAPTORS[scheme.family](tempered))
    kept = {scheme.name: int((scheme.adaptor(log_p) > -np.inf).sum()) for scheme in others}
    assert {kept[f"top_k({k})@T={T:g}"] - k for k in (30, 50) for T in TEMPERATURES} == {0}
    assert (
        kept["nucleus(0.9)@T=0.5"] < kept["nucleus(0.9)@T=1"] < kept["nucleus(0.95)@T=1"] < kept["nucleus(0.95)@T=1.5"]
    )
