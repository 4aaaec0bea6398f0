"""The study end to end on a tiny triple: resumed runs give the same tables, and the tables keep their identities."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from empirical.prompts import prompt_id, study_prompts
from empirical.rewards import SecretReward
from empirical.rows import Shards
from empirical.scoring import score
from empirical.studies import tradeoff
from empirical.studies.tradeoff import Triple, collect, examples, fingerprint

PROMPTS = study_prompts(3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("samples")


@pytest.fixture(scope="module")
def rows(triple, few_schemes, small, folder):
    return collect(triple, PROMPTS, few_schemes, small, Shards(folder, "tiny", fingerprint(triple, few_schemes, small)))


def test_rows_are_scored_by_their_models(triple, rows):
    for prompt in PROMPTS:
        some = rows[rows.prompt_id == prompt_id(prompt)]
        answers = [list(map(int, ids)) for ids in some.token_ids]
        for column, model in (("log_prior", triple.prior), ("log_aligned", triple.aligned)):
            full = score(model, model.prompt_ids(prompt), answers).log_prob
            np.testing.assert_allclose(some[column], full, atol=1e-4)  # float32 sums over six tokens
    ancestral = rows[rows.scheme == "ancestral"]
    np.testing.assert_allclose(ancestral.log_proposal, ancestral.log_aligned, atol=1e-5)
    np.testing.assert_allclose(ancestral.log_kept, 0, atol=1e-5)


def test_log_kept_is_the_log_weight_from_local_to_global(rows):
    """At T = 1 a truncation keeps p_plus on its set: log q + log kept = log p_plus, token by token."""
    plain = rows[rows.scheme.str.endswith("@T=1")]
    assert len(plain)
    np.testing.assert_allclose(plain.log_proposal + plain.log_kept, plain.log_aligned, atol=1e-4)


def test_a_killed_run_resumes_with_the_same_rows(triple, few_schemes, small, rows, tmp_path, monkeypatch):
    shards = Shards(tmp_path, "tiny", fingerprint(triple, few_schemes, small))
    drawn = []

    def killed(triple, prompt, *rest):
        if len(drawn) == 2:
            raise KeyboardInterrupt
        drawn.append(prompt)
        return original(triple, prompt, *rest)

    original = tradeoff.rows_of
    monkeypatch.setattr(tradeoff, "rows_of", killed)
    with pytest.raises(KeyboardInterrupt):
        collect(triple, PROMPTS, few_schemes, small, shards)
    monkeypatch.setattr(
        tradeoff, "rows_of", lambda triple, prompt, *rest: drawn.append(prompt) or original(triple, prompt, *rest)
    )
    resumed = collect(triple, PROMPTS, few_schemes, small, shards)
    assert sorted(drawn) == sorted(PROMPTS), "each prompt once: prompts may end in another order"
    pd.testing.assert_frame_equal(resumed, rows)


def test_more_samples_keep_the_first_ones(triple, few_schemes, small, rows, tmp_path):
    more = replace(small, samples=small.samples + 1)
    longer = collect(triple, PROMPTS[:1], few_schemes, more, Shards(tmp_path, "tiny", "more"))
    first = longer[longer.sample_id < small.samples].reset_index(drop=True)
    same = rows[rows.prompt_id == prompt_id(PROMPTS[0])].reset_index(drop=True)
    assert [list(ids) for ids in first.token_ids] == [list(ids) for ids in same.token_ids]


def test_batches_do_not_move_rows(triple, few_schemes, small, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(tradeoff, "ROWS", 5)
    again = collect(triple, PROMPTS[:1], few_schemes, small, Shards(tmp_path, "tiny", "batches"))
    same = rows[rows.prompt_id == prompt_id(PROMPTS[0])].reset_index(drop=True)
    assert [list(ids) for ids in again.token_ids] == [list(ids) for ids in same.token_ids]
    np.testing.assert_allclose(again.log_proposal, same.log_proposal, atol=1e-4)  # float32 kernels differ by batch


def test_everything_that_moves_rows_moves_the_fingerprint(triple, few_schemes, small):
    base = fingerprint(triple, few_schemes, small)
    assert base == fingerprint(triple, few_schemes, replace(small, corpora=1, resamples=1))
    others = [
        fingerprint(triple, few_schemes[1:], small),
        fingerprint(triple, few_schemes, replace(small, seed=1)),
        fingerprint(triple, few_schemes, replace(small, samples=3)),
        fingerprint(triple, few_schemes, replace(small, max_new=7)),
        fingerprint(replace(triple, aligned=triple.prior), few_schemes, small),
        fingerprint(replace(triple, reward=SecretReward()), few_schemes, small),
    ]
    assert len({base, *others}) == 7


def test_secret_reward_study_has_eq_4_sign(triple, rows, few_schemes, small, tmp_path):
    secret = Triple("tiny", triple.prior, triple.aligned, SecretReward())
    shards = Shards(tmp_path, "tiny", fingerprint(secret, few_schemes, small))
    again = collect(secret, PROMPTS, few_schemes, small, shards)
    np.testing.assert_allclose(again.reward, rows.log_aligned - rows.log_prior)


def test_examples_are_text(triple, rows):
    shown = examples(triple, PROMPTS, rows)
    assert set(shown.prompt) == set(PROMPTS[:2])
    assert shown.text.map(str.isprintable).all(), "a control character breaks a row of CSV"
