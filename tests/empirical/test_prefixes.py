"""A prefix is scored as the answer that a sampler with a smaller limit would have drawn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from empirical import prefixes as module
from empirical.prefixes import prefixes
from empirical.prompts import study_prompts
from empirical.rewards import SecretReward
from empirical.rows import SCHEMA
from empirical.scoring import score
from empirical.store import Shards
from empirical.studies.collecting import collect, fingerprint

PROMPTS = study_prompts(3)


@pytest.fixture(scope="module")
def rows(triple, few_schemes, small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    return collect(triple, PROMPTS, few_schemes, small, Shards(folder, "tiny", fingerprint(triple, few_schemes, small)))


def test_a_prefix_is_what_a_smaller_limit_would_have_drawn(triple, few_schemes, small, rows, tmp_path):
    fewer = replace(small, max_new=3)
    shards = Shards(tmp_path / "s", "tiny", fingerprint(triple, few_schemes, fewer))
    drawn = collect(triple, PROMPTS, few_schemes, fewer, shards)
    cut = prefixes(triple, PROMPTS, rows, 3, tmp_path / "cut.parquet")
    assert list(cut.columns) == SCHEMA.names
    assert [list(ids) for ids in cut.token_ids] == [list(ids) for ids in drawn.token_ids]
    pd.testing.assert_series_equal(cut.finished, drawn.finished)
    for name in ("log_prior", "log_aligned", "reward"):
        np.testing.assert_allclose(cut[name], drawn[name], atol=1e-4)  # float32 sums over three tokens
    assert cut[["log_proposal", "log_kept"]].isna().all(axis=None), "sums over the whole answer"


def test_what_is_not_asked_for_is_not_scored(triple, rows, tmp_path, monkeypatch):
    """Without the aligned model's part the rest is the same; a secret reward needs that part."""
    cut = prefixes(triple, PROMPTS, rows, 3, tmp_path / "cut.parquet")
    scored = []
    monkeypatch.setattr(module, "score", lambda model, *rest: scored.append(model.name) or score(model, *rest))
    bare = prefixes(triple, PROMPTS, rows, 3, tmp_path / "bare.parquet", aligned=False)
    assert set(scored) == {triple.prior.name}
    assert bare.log_aligned.isna().all()
    pd.testing.assert_frame_equal(bare.drop(columns="log_aligned"), cut.drop(columns="log_aligned"))
    secret = replace(triple, reward=SecretReward())
    own = prefixes(secret, PROMPTS, rows, 3, tmp_path / "secret.parquet", aligned=False)
    np.testing.assert_allclose(own.reward, own.log_aligned - own.log_prior)


def test_answers_that_begin_alike_are_read_once(triple, rows, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(module, "score", lambda *some: read.append(len(some[2])) or score(*some))
    first = prefixes(triple, PROMPTS, rows, 1, tmp_path / "one.parquet", aligned=False)
    assert sum(read) == len(set(zip(first.prompt_id, first.token_ids.map(tuple), strict=True))) < len(rows)


def test_prefixes_are_scored_once_and_again_if_anything_differs(triple, rows, tmp_path, monkeypatch):
    path, calls, score = tmp_path / "cut.parquet", [], module.score
    monkeypatch.setattr(module, "score", lambda *given: calls.append(given) or score(*given))
    first = prefixes(triple, PROMPTS, rows, 2, path)
    before = len(calls)
    again = prefixes(triple, PROMPTS, rows, 2, path)
    assert len(calls) == before
    assert [list(ids) for ids in again.token_ids] == [list(ids) for ids in first.token_ids]
    np.testing.assert_array_equal(again.reward, first.reward)
    path.write_bytes(path.read_bytes()[:-9])
    prefixes(triple, PROMPTS, rows, 2, path)
    assert len(calls) == 2 * before, "damaged"
    prefixes(triple, PROMPTS, rows, 1, path)
    assert len(calls) == 3 * before, "another length"


def test_no_token_no_prefix(triple, rows, tmp_path):
    with pytest.raises(ValueError, match="at least one token"):
        prefixes(triple, PROMPTS, rows, 0, tmp_path / "cut.parquet")
