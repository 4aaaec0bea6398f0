"""The rules as written: what each verdict takes, and that a summary sums up."""

import numpy as np
import pandas as pd
import pytest

from empirical.preregistration import Condition, Sentence, registered, sentences, summaries

PROMPTS = 20


def measured(*intervals, quantity="q", law="global", wider=0.0):
    """One row an item: (low, high), widened on both sides for refutation."""
    table = pd.DataFrame(intervals, columns=["low", "high"])
    return table.assign(quantity=quantity, law=law, wide_low=table.low - wider, wide_high=table.high + wider)


def sentence(*conditions):
    return Sentence("tan.x", "here", "It is so.", conditions, "reward")


@pytest.mark.parametrize(
    ("intervals", "wider", "verdict"),
    [
        ([(0.1, 0.3)], 0.0, "reproduced"),
        ([(-0.1, 0.3)], 0.0, "inconclusive"),
        ([(-0.3, -0.1)], 0.0, "not-reproduced"),
        ([(0.1, 0.3), (0.2, 0.4)], 1.0, "reproduced"),  # every item: no correction is needed
        ([(0.1, 0.3), (-0.3, -0.1)], 0.0, "not-reproduced"),
        ([(0.1, 0.3), (-0.3, -0.1)], 0.2, "inconclusive"),  # one of several, by chance perhaps
        ([(np.nan, np.nan)], 0.0, "inconclusive"),
        ([(0.1, 0.3), (np.nan, np.nan)], 0.0, "inconclusive"),
        ([(0.0, 0.3)], 0.0, "inconclusive"),  # touching is not beyond
    ],
)
def test_one_side(intervals, wider, verdict):
    assert sentence(Condition("q", "global", above=0.0)).verdict(measured(*intervals, wider=wider), PROMPTS) == verdict
    turned = [(-high, -low) for low, high in intervals]
    assert sentence(Condition("q", "global", below=0.0)).verdict(measured(*turned, wider=wider), PROMPTS) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.1, 0.1, "reproduced"),
        (0.3, 0.5, "not-reproduced"),
        (-0.5, -0.3, "not-reproduced"),
        (-0.3, 0.1, "inconclusive"),
    ],
)
def test_a_band(low, high, verdict):
    band = sentence(Condition("q", "global", above=-0.2, below=0.2))
    assert band.verdict(measured((low, high)), PROMPTS) == verdict


@pytest.mark.parametrize(
    ("string", "corpus", "verdict"),
    [
        ((0.1, 0.3), (-0.9, -0.5), "reproduced"),
        ((-0.3, -0.1), (-0.9, -0.5), "not-reproduced"),
        ((0.1, 0.3), (0.1, 0.5), "not-reproduced"),
        ((-0.1, 0.3), (-0.9, -0.5), "inconclusive"),
        ((0.1, 0.3), (-0.9, 0.1), "inconclusive"),
        ((np.nan, np.nan), (-0.9, -0.5), "inconclusive"),
    ],
)
def test_figure_2s_rule_is_the_one_of_before(string, corpus, verdict):
    [figure2] = [one for one in sentences() if one.id == "tan.fig2"]
    table = [measured(string, quantity="string_pearson"), measured(corpus, quantity="corpus_pearson")]
    assert figure2.verdict(pd.concat(table), PROMPTS) == verdict


def test_few_prompts_decide_nothing():
    table, rule = measured((0.1, 0.3)), sentence(Condition("q", "global", above=0.0))
    least = registered()["least_prompts"]
    assert rule.verdict(table, least) == "reproduced"
    assert rule.verdict(table, least - 1) == "inconclusive"


def test_what_was_not_measured_is_an_error_and_what_cannot_be_is_said():
    with pytest.raises(ValueError, match="registered but not measured"):
        sentence(Condition("other", "global", above=0.0)).verdict(measured((0.1, 0.3)), PROMPTS)
    assert sentence().verdict(measured((0.1, 0.3)), PROMPTS) == "not-testable-here"


def test_summaries():
    decisive = {one.id: one for one in summaries()}
    whole, same = decisive["tan.sec6-7"], decisive["tan.emp.dpo.identical"]
    assert whole.verdict(dict.fromkeys(whole.all, "reproduced")) == "reproduced"
    assert whole.verdict(dict.fromkeys(whole.all, "reproduced") | {whole.all[3]: "inconclusive"}) == "inconclusive"
    assert (
        whole.verdict(dict.fromkeys(whole.all, "inconclusive") | {whole.all[3]: "not-reproduced"}) == "not-reproduced"
    )
    ids = [one.id for one in sentences()]
    for verdict in ("reproduced", "not-reproduced"):
        assert same.verdict(dict.fromkeys(ids, verdict)) == "reproduced", "the same, whichever it is"
    assert same.verdict(dict.fromkeys(ids, "inconclusive")) == "inconclusive"
    changed = dict.fromkeys(ids, "reproduced") | {"tan.emp.dpo.simpson": "not-reproduced"}
    assert same.verdict(changed) == "not-reproduced"
    changed = dict.fromkeys(ids, "not-reproduced") | {"tan.emp.temperature.reward": "inconclusive"}
    assert same.verdict(changed) == "reproduced", "one of the left turned round suffices for not-reproduced"


def test_the_file_is_sound():
    """Ids are unique, every condition has a side, and summaries speak of registered sentences alone."""
    known = [one.id for one in (*sentences(), *summaries())]
    assert len(known) == len(set(known))
    for one in sentences():
        assert one.triple in ("reward", "secret")
        assert all(c.above is not None or c.below is not None for c in one.conditions)
        assert one.rule
    for summary in summaries():
        parts = [*summary.all, *(name for left, right in summary.pairs for name in (*left, right))]
        assert parts
        assert set(parts) <= set(known)
