"""Control and plain sampling draw the same number of tokens, or a ratio means nothing."""

import json

import pytest
import typer

from empirical.benchmarks import control


def test_all_draw_as_many_tokens(triple, monkeypatch):
    monkeypatch.setattr(control, "ROWS", 16)
    some = control.contenders(triple.prior, 5)
    assert list(some) == ["plain", "tokenwise", *(f"blockwise M={M}" for M in control.BLOCKS)]
    for name, work in some.items():
        drawn = work()
        if name.startswith("blockwise"):
            assert sum(answer.drawn for _, answer in drawn) == 16 * 5
            assert all(len(answer.token_ids) == 5 and answer.scores[0][0] != 0 for _, answer in drawn)
        else:
            assert sum(len(answer.token_ids) for answer in drawn) == 16 * 5
            assert all((answer.kl is not None) == (name == "tokenwise") for answer in drawn)


@pytest.mark.parametrize("as_json", [True, False])
def test_ratios_are_of_the_same_run_and_a_missed_one_ends_with_1(triple, monkeypatch, capsys, as_json):
    seconds = {"plain": 1.0, "tokenwise": 1.1} | {f"blockwise M={M}": 1.0 for M in control.BLOCKS}
    monkeypatch.setattr(control, "default_prior", lambda: triple.prior)
    monkeypatch.setattr(control, "ROWS", 8)
    monkeypatch.setattr(control, "in_turns", lambda some, repeats: seconds)
    control.main(as_json, 1, 4)
    shown = capsys.readouterr().out
    if as_json:
        found = json.loads(shown)
        assert found["ratios"]["plain_vs_tokenwise"] == pytest.approx(1 / 1.1)
        assert found["tokens_per_second"]["plain"] == 8 * 4
    seconds["tokenwise"] = 1.2
    with pytest.raises(typer.Exit) as stopped:
        control.main(as_json, 1, 4)
    assert stopped.value.exit_code == 1
