"""The prior's score without the prompt: of the model's own start token, one row a cell, in the rows' order."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from empirical.alone import log_prior_alone, start_token
from empirical.prompts import study_prompts
from empirical.scoring import answer_log_prob
from empirical.store import Shards
from empirical.studies.collecting import collect, fingerprint


@pytest.fixture(scope="module")
def rows(triple, few_schemes, small, tmp_path_factory):
    shards = Shards(tmp_path_factory.mktemp("rows"), "tiny", fingerprint(triple, few_schemes, small))
    return collect(triple, study_prompts(3), few_schemes, small, shards)


def test_scores_are_those_of_a_pass_behind_the_start_token(triple, rows, few_schemes):
    found = log_prior_alone(triple.prior, rows)
    assert len(found) == 3 * len(few_schemes)
    assert (found.sample_id == 0).all()
    answers = [list(map(int, ids)) for ids in found.token_ids]
    expected = answer_log_prob(triple.prior.network, [triple.prior.eos], answers).detach()
    np.testing.assert_allclose(found.log_prior_alone, expected, atol=1e-4)  # float32 sums over six tokens
    assert np.abs(found.log_prior_alone - found.log_prior).max() > 0.1, "the prompt matters to the tiny model"


def test_strict_mode_is_passed_on(triple, rows):
    """It is refused off the processor; "meta" is a device that every machine has."""
    elsewhere = replace(triple.prior, network=copy.deepcopy(triple.prior.network).to("meta"))
    with pytest.raises(ValueError, match="strict mode runs on the processor"):
        log_prior_alone(elsewhere, rows, strict=True)


def test_bos_where_there_is_one(triple):
    tokenizer = SimpleNamespace(bos_token_id=7, bos_token="<s>", eos_token_id=0, eos_token="</s>")
    model = replace(triple.prior, tokenizer=tokenizer)
    assert start_token(model) == (7, "BOS <s>")
    tokenizer.bos_token_id = None
    assert start_token(model) == (0, "EOS </s>")
    tokenizer.bos_token_id = 0
    assert start_token(model)[0] == 0
