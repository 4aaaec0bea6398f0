"""Benchmarks measure what they say; on tiny models and products, since a test asserts no speed."""

import json
import subprocess
import time

import pytest
import torch
import typer

from empirical.benchmarks.measuring import in_turns, peak_memory, roofline, said


def test_in_turns_gives_medians_and_alternates():
    order, pause = [], iter([0.0, 0.03, 0.0])
    ways = {"a": lambda: order.append("a") or time.sleep(next(pause)), "b": lambda: order.append("b")}
    found = in_turns(ways, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found["a"] < 0.03, "one slow round does not move a median of three"


def test_the_roofline_is_a_rate_of_this_machine():
    assert 1e8 < roofline(torch.float32, size=256, repeats=2) < 1e15


def test_memory_is_that_of_the_code():
    small, large = (peak_memory(f"x = b'1' * {size}") for size in (1, 200_000_000))
    assert 190e6 < large - small < 220e6


def test_memory_on_a_card_is_that_of_its_tensors():
    torch_itself = "class torch:\n    class cuda:\n        max_memory_allocated = staticmethod(lambda: 3 * 2**20)"
    assert peak_memory(torch_itself, "cuda") == 3 * 2**20


@pytest.mark.parametrize("code", ["raise MemoryError", "print(7)\nraise MemoryError"])
def test_code_that_fails_has_no_memory(code):
    with pytest.raises(subprocess.CalledProcessError):
        peak_memory(code)


@pytest.mark.parametrize("missed", [[], ["of a peer"]])
def test_a_ratio_that_is_missed_ends_with_1(missed, capsys):
    found = {"speed": 2.0, "missed": missed}
    for as_json in (True, False):
        if missed:
            with pytest.raises(typer.Exit) as end:
                said(found, as_json, lambda made: [f"speed {made['speed']}"])
            assert end.value.exit_code == 1
        else:
            said(found, as_json, lambda made: [f"speed {made['speed']}"])
        shown = capsys.readouterr().out
        assert json.loads(shown) == found if as_json else shown == "speed 2.0\n"
