"""The study's tables keep their identities and agree with NumPy on the plain correlations."""

import numpy as np
import pandas as pd
import pytest

from empirical.intervals import Interval
from empirical.prompts import study_prompts
from empirical.store import Shards
from empirical.studies.collecting import collect, fingerprint
from empirical.studies.tables import aligned_figures, tables

PROMPTS = study_prompts(3)


@pytest.fixture(scope="module")
def rows(triple, few_schemes, small, tmp_path_factory):
    shards = Shards(tmp_path_factory.mktemp("rows"), "tiny", fingerprint(triple, few_schemes, small))
    return collect(triple, PROMPTS, few_schemes, small, shards)


def test_tables(triple, rows, few_schemes, small):
    found = tables("tiny", rows, few_schemes, small)
    assert set(found) == {"tan_tradeoff", "tan_covariance", "tan_schemes", "tan_strings"}
    split = found["tan_covariance"]
    parts = split.within_prompt + split.between_prompts + split.between_schemes
    np.testing.assert_allclose(parts, split.total, atol=1e-10)
    strings = found["tan_strings"]
    assert len(strings) == len(rows)
    np.testing.assert_allclose(strings.groupby(["scheme", "prompt_id"]).weight.sum(), 1)
    schemes = found["tan_schemes"]
    weighted = (strings.weight * strings.reward).groupby(strings.scheme).sum() / len(PROMPTS)
    np.testing.assert_allclose(weighted[schemes.scheme], schemes.mean_reward)
    assert sorted(schemes.scheme) == sorted(scheme.name for scheme in few_schemes)
    assert (schemes.n == len(PROMPTS) * small.samples).all()
    assert ((schemes.ess > 0) & (schemes.ess <= schemes.n + 1e-9)).all()
    for scheme, group in rows.groupby("scheme"):
        row = schemes[schemes.scheme == scheme].iloc[0]
        assert row.string_pearson == pytest.approx(np.corrcoef(group.log_prior, group.reward)[0, 1])
        assert row.mean_reward_local == pytest.approx(group.reward.mean())
    local = found["tan_tradeoff"].query("law == 'local' and quantity == 'string_pearson'").iloc[0]
    assert local.value == pytest.approx(np.corrcoef(rows.log_prior, rows.reward)[0, 1])
    bounded = found["tan_tradeoff"].dropna(subset=["low"])
    assert (bounded.low <= bounded.high).all()


def test_kl_and_tau_from_ancestral_rows():
    """Two prompts, known sums: KL is the mean log-ratio; tau compares variances within prompts only."""
    rows = pd.DataFrame(
        [
            ("ancestral", p, a, x)
            for p, pairs in {"p": [(-1, -3), (-3, -3)], "q": [(-9, -9), (-7, -11)]}.items()
            for a, x in pairs
        ],
        columns=["scheme", "prompt_id", "log_aligned", "log_prior"],
    )
    found = aligned_figures(rows)
    half = 1.96 * np.sqrt(0.5) / np.sqrt(2)  # the prompts' means are 1 and 2
    assert found["kl_aligned_prior"] == Interval(*map(pytest.approx, (1.5, 1.5 - half, 1.5 + half)))
    # variances of S: 2, 2; of X: 0, 2; of S - X: 2, 8
    assert found["tau_secret_reward"] == Interval(
        pytest.approx(2 / (1 + 5)), pytest.approx(np.nan, nan_ok=True), pytest.approx(np.nan, nan_ok=True)
    )


def curved():
    """Four schemes whose strings are all alike and lie on a curve, for two prompts."""
    places = {"ancestral": -10.0, "b": -3.0, "c": -2.0, "d": -1.0}
    rows = [
        {"scheme": scheme, "prompt_id": prompt, "sample_id": n, "log_prior": x, "reward": x**3}
        for scheme, x in places.items()
        for prompt in "pq"
        for n in range(2)
    ]
    table = pd.DataFrame(rows).assign(log_kept=0.0)
    return table.assign(log_aligned=table.log_prior + table.sample_id), np.array(list(places.values()))


def test_ranks_and_values_at_both_levels(small):
    """On a rising curve Spearman's correlation is 1, Pearson's that of four points, for strings and corpora alike."""
    rows, x = curved()
    found = tables("curve", rows, [], small, per_scheme=False)["tan_tradeoff"].query("law == 'global'")
    values = found.set_index("quantity").value
    pearson = np.corrcoef(x, x**3)[0, 1]
    assert pearson < 0.99
    for level in ("string", "corpus"):
        assert values[f"{level}_pearson"] == pytest.approx(pearson, abs=1e-9)  # float64
        assert values[f"{level}_spearman"] == pytest.approx(1, abs=1e-9)
