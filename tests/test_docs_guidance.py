"""The page on guidance: its code runs, and it lists the rules that there are."""

import re
from pathlib import Path
from typing import get_args

from empirical.guidance.rules import Kind

PAGE = (Path(__file__).parents[1] / "docs" / "guidance.md").read_text(encoding="utf-8")


def test_it_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    [code] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(code, "guidance.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    assert [line.split(" KL")[0] for line in said] == ["ancestral", "free(1)", "kl(1)", "greedy"]
    assert said[0].endswith("spent: 0.00 nats")


def test_every_rule_is_listed():
    assert set(re.findall(r'^\| `Guidance\("(\w+)"', PAGE, flags=re.MULTILINE)) == set(get_args(Kind)) - {"none"}
