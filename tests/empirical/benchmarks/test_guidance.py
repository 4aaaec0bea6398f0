"""Every contender draws as many tokens as it is counted for, and what costs too much ends with 1."""

import json

import pytest
import typer

from empirical.benchmarks import guidance


def test_all_draw_what_they_are_counted_for(triple, monkeypatch):
    monkeypatch.setattr(guidance, "ROWS", 16)
    some = guidance.contenders(triple.prior, 5)
    assert list(some) == ["plain", *(rule.name for rule in guidance.RULES)]
    for name, (texts, work) in some.items():
        drawn = work()
        assert texts == (16 if name == "plain" else 8)
        assert sum(len(answer.token_ids) for answer in drawn) == texts * 5


@pytest.mark.parametrize("as_json", [True, False])
def test_a_guided_token_costs_plain_tokens(triple, monkeypatch, capsys, as_json):
    seconds = {"plain": 1.0, "free(1)": 1.0, "kl(1)": 1.1}
    monkeypatch.setattr(guidance, "default_prior", lambda: triple.prior)
    monkeypatch.setattr(guidance, "ROWS", 16)
    monkeypatch.setattr(guidance, "in_turns", lambda some, repeats: seconds)
    guidance.main(as_json, 1, 2)
    shown = capsys.readouterr().out
    if as_json:
        assert json.loads(shown)["cost"] == pytest.approx({"free(1)": 2.0, "kl(1)": 2.2})
    seconds["kl(1)"] = 1.2
    with pytest.raises(typer.Exit) as stopped:
        guidance.main(as_json, 1, 2)
    assert stopped.value.exit_code == 1
