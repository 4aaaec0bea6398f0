"""The study's tables hold what the rules and figures read, and the secret reward's are those of Eq. 4."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from empirical.corpora import pool
from empirical.preregistration import sentences
from empirical.prompts import study_prompts
from empirical.results import Results
from empirical.rewards import SecretReward
from empirical.schemes import study_schemes
from empirical.store import Shards
from empirical.studies.collecting import collect, fingerprint
from empirical.studies.findings import findings
from empirical.studies.measures import far_from_line, local_less_global, string_ranks
from empirical.studies.prediction import answers
from empirical.typical_texts import every_ancestral
from figures import tan_decomposition, tan_fig2, tan_fig3

SCHEMES = study_schemes()


@pytest.fixture(scope="module")
def rows(triple, small, tmp_path_factory):
    shards = Shards(tmp_path_factory.mktemp("rows"), "tiny", fingerprint(triple, SCHEMES, small))
    return collect(triple, study_prompts(3), SCHEMES, small, shards)


@pytest.fixture(scope="module")
def texts(triple, rows, small, tmp_path_factory):
    corpus = answers(Results(tmp_path_factory.mktemp("texts")), triple, study_prompts(3), small)
    return every_ancestral(rows, corpus)


@pytest.fixture(scope="module")
def found(triple, rows, texts, small):
    return findings(triple, rows, texts, SCHEMES, small)


def value(found, triple, quantity, law="global"):
    table = found.measures(triple)
    [row] = table[(table.quantity == quantity) & (table.law == law)].itertuples()
    return row.value


def test_every_figure_and_every_rule_finds_its_tables(found):
    for figure in (tan_fig2, tan_fig3, tan_decomposition):
        assert set(figure.TABLES) <= set(found.tables)
        figure.draw(*(found.tables[name] for name in figure.TABLES))
    for sentence in sentences():
        for condition in sentence.conditions:
            assert len(condition.of(found.measures(sentence.triple)))


def test_intervals_hold_and_widen(found):
    table = found.tables["tan_emp_measures"].dropna(subset=["low", "high", "wide_low", "wide_high"])
    assert (table.low <= table.high).all()
    assert (table.wide_low <= table.low).all()
    assert (table.wide_high >= table.high).all()
    assert table.groupby(["triple", "quantity", "law", "item"]).size().max() == 1


def test_one_quantity_one_value(found, rows, texts):
    """What two modules compute is the same: the plain correlation at each level, local less global, tau."""
    for triple in ("reward", "secret"):
        for level in ("string", "within_prompt", "between_schemes"):
            both = value(found, triple, f"{level}_pearson"), value(found, triple, f"{level}_pearson_as_is")
            assert both[0] == pytest.approx(both[1], abs=1e-6)
        less = value(found, triple, "corpus_pearson_local_less_global", "both")
        laws = [value(found, triple, "corpus_pearson_pooling_law", law) for law in ("local", "global")]
        assert less == pytest.approx(laws[0] - laws[1])
    plain = np.corrcoef(texts.log_prior, texts.reward)[0, 1]
    assert value(found, "reward", "ancestral_corpus_pearson", "local") == pytest.approx(plain)
    away = texts[["log_prior", "log_aligned", "reward"]] - texts.groupby("prompt_id")[
        ["log_prior", "log_aligned", "reward"]
    ].transform("mean")
    within = np.corrcoef(away.log_aligned - away.log_prior, away.reward)[0, 1]
    assert value(found, "reward", "secret_and_reward", "local") == pytest.approx(within)
    assert value(found, "secret", "secret_and_reward", "local") == pytest.approx(1), "equation 4 itself"
    kept = found.reward["tan_tradeoff"].set_index("quantity").value
    assert value(found, "secret", "tau", "local") == pytest.approx(kept["tau_secret_reward"])


def test_the_secret_reward_is_eq_4s_and_a_study_of_it_is_the_same(triple, rows, texts, small, found):
    np.testing.assert_allclose(found.secret_rows.reward, rows.log_aligned - rows.log_prior)
    secret = texts.assign(reward=texts.log_aligned - texts.log_prior)
    own = findings(replace(triple, reward=SecretReward()), found.secret_rows, secret, SCHEMES, small)
    one, other = (table.measures(name) for table, name in ((own, "reward"), (found, "secret")))
    shared = one.merge(other, on=["quantity", "law", "item"])
    assert len(shared) == len(other)
    np.testing.assert_allclose(shared.value_x, shared.value_y)


def test_the_sign_turned_turns_every_correlation(found):
    signs = found.tables["tan_emp_sign"].pivot(index="quantity", columns="reward", values="value")
    right, wrong = (signs[name] for name in sorted(signs.columns, key=lambda name: "equation" not in name))
    # Strings exactly; corpora are drawn anew: 100 of 31 schemes each.
    np.testing.assert_allclose(right + wrong, 0, atol=0.05)
    for quantity in ("string_pearson", "string_spearman"):
        assert right[quantity] + wrong[quantity] == pytest.approx(0, abs=1e-9)


def test_chain_table(found):
    table = found.tables["tan_emp_chain"].set_index("scheme")
    assert table.loc["ancestral", "acceptance"] == pytest.approx(1, abs=1e-3)  # float32 sums of log-weights near 0
    assert (table.distance < 0.05).all()
    assert len(table) == len(SCHEMES)


def test_alone_rows_compare_the_same_answers(found):
    table = found.tables["tan_emp_alone"]
    for name, column in (("conditioned", "log_prior"), ("alone", "log_prior_alone")):
        expected = np.corrcoef(table[column], table.reward)[0, 1]
        assert value(found, "reward", f"string_pearson_{name}", "local") == pytest.approx(expected)


def test_ancestral_answers_are_the_rows_and_the_corpus_each_once(rows, texts, small):
    own = rows[rows.scheme == "ancestral"]
    assert len(texts) == len(own) + 3 * 12 * small.samples
    assert not texts.duplicated(["prompt_id", "sample_id"]).any()
    assert set(texts.scheme) == {"ancestral"}


def test_ranks_given_the_schemes_are_those_of_the_strings_and_vary_with_prompts_alone(found, rows):
    both = value(found, "reward", "string_spearman", "local")
    assert value(found, "reward", "string_spearman_these_schemes", "local") == pytest.approx(both)
    whole = np.ones((4, 3))
    assert np.ptp([string_ranks(pool(rows), whole)[end] for end in ("low", "value", "high")]) < 1e-12


def test_local_less_global_of_one_law_is_nothing(rows):
    strings = pool(rows.assign(log_kept=0.0))
    counts = np.ones((2, 3)), np.ones((2, len(SCHEMES)))
    assert local_less_global(strings, strings, *counts, 100)["value"] == pytest.approx(0, abs=1e-12)


def test_outliers_are_those_far_from_the_line():
    x = np.linspace(0, 1, 300).reshape(30, 10)
    r = 2 - 3 * x + 0.01 * np.random.default_rng(0).normal(size=x.shape)
    assert far_from_line(x, r, np.ones(30)) < 0.02  # 0.3 % of a normal law
    r[:3] += 5
    assert far_from_line(x, r, np.ones(30)) == pytest.approx(0.1, abs=0.02)
    assert far_from_line(x, r, np.arange(30) >= 3) < 0.02, "schemes that are not drawn do not count"
    assert np.isnan(far_from_line(np.ones((2, 3)), r[:2, :3], np.ones(2)))


def test_no_table_depends_on_the_order_of_the_rows(triple, rows, texts, small, found):
    mixed = (every.sample(frac=1, random_state=0).reset_index(drop=True) for every in (rows, texts))
    again = findings(triple, *mixed, SCHEMES, small)
    pd.testing.assert_frame_equal(again.tables["tan_emp_measures"], found.tables["tan_emp_measures"])
