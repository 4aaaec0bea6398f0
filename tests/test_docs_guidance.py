"""The page on guidance lists the rules that there are."""

import re
from typing import get_args

from empirical.guidance.rules import Kind
from tests.documents import text


def test_every_rule_is_listed():
    listed = re.findall(r'^\| `Guidance\("(\w+)"', text("docs/guidance.md"), flags=re.MULTILINE)
    assert set(listed) == set(get_args(Kind)) - {"none"}
