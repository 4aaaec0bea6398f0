from itertools import pairwise

import numpy as np
import pytest

from theory.adaptors import local
from toy.adaptor_menu import MAKERS, TRUNCATIONS, adaptor, paper_settings


@pytest.mark.parametrize("family", TRUNCATIONS)
def test_strengths_run_from_the_weakest_cut_to_the_strongest(family):
    log_p = np.log(np.random.default_rng(0).dirichlet(np.full(6, 0.7), 500))
    kept = [np.isfinite(adaptor(family, s, 6)(log_p)).sum(axis=-1) for s in TRUNCATIONS[family]]
    assert all(np.all(after <= before) for before, after in pairwise(kept))
    assert kept[0].mean() > kept[-1].mean()


def test_settings_of_the_paper():
    names = [a.name for a in paper_settings(6)]
    assert len(set(names)) == 20
    assert sum("temperature" in name for name in names) == 16
    assert "eta(0.0009)" in names
    log_p = np.log([0.5, 0.3, 0.2])
    assert np.exp(local(paper_settings(3)[0], log_p)[0]).argmax() == 0


@pytest.mark.parametrize(
    ("family", "strength", "message"),
    [
        ("top_k", 7, "k = 7 exceeds the 6 tokens"),
        ("top_k", 0, "integer >= 1"),
        ("top_k", 2.5, "integer >= 1, not 2.5"),
        ("temperature", 0, "temperature T must be"),
        ("nucleus", 0, r"nucleus mass pi must lie in \(0, 1\]"),
        ("eta", 1.1, "eta's epsilon must lie"),
        ("locally_typical", 0.0, "locally typical mass tau must lie"),
        ("locally_typical", np.nan, "locally typical mass tau must lie"),
        ("min_p", 2, "min-p's rho must lie"),
        ("mirostat", 1, "no adaptor is called 'mirostat'; known families: temperature"),
    ],
)
def test_impossible_adaptors_are_refused(family, strength, message):
    with pytest.raises(ValueError, match=message):
        adaptor(family, strength, 6)


def test_every_family_is_there():
    assert set(MAKERS) == {"temperature", *TRUNCATIONS}
    assert adaptor("top_k", 6, 6).name == "top_k(6)"
